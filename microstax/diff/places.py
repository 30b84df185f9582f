"""Places while a document is walked: a chain of steps that costs nothing until somebody wants to read it."""

from functools import lru_cache, reduce

from microstax.diff.formats import is_identifier
from microstax.model.paths import ANY_NAME, ELEMENT, MAX_PLACE, ROOT, member_step, step_into

Place = tuple["Place | None", str | None]
"""(the place above, the member's name or None for an array's elements); None stands for the root."""


@lru_cache(maxsize=4096)
def general_step(name: str) -> str:
    """Return the step into a member; all names that look like ids are one place, `.*`, or a map would be endless."""
    return ANY_NAME if is_identifier(name) else member_step(name)


def render(place: Place | None) -> str:
    """Return the path of a place in the one grammar (microstax.model.paths)."""
    steps: list[str] = []
    while place is not None:
        place, name = place
        steps.append(ELEMENT if name is None else general_step(name))
    steps.reverse()
    path = ROOT + "".join(steps)
    return path if len(path) <= MAX_PLACE else reduce(step_into, steps, ROOT)
