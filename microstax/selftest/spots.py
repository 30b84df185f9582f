"""Where in the captured answers a fault can stand: a member of a JSON body, a header, a status, a whole answer."""

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Final, NamedTuple

from microstax.diff.places import Place, render
from microstax.model.paths import ANY_DEPTH, ROOT, Step


class Target(StrEnum):
    """Which part of an answer a fault changes."""

    STATUS = "status"
    MEMBER = "member"
    BODY = "body"
    HEADER = "header"
    TIME = "time"


class Sight(NamedTuple):
    """What a report says where it finds something: the kind, and a path, a header's name or two status codes.

    All kinds of values (`value` and the parts of its signature) are `value`; all kinds of headers are `header`; for
    latencies the kind is `slower`, `faster` or `spike` and the place is empty. A place that ends in `.**` stands for
    every place below.
    """

    kind: str
    place: str

    def covers(self, other: "Sight") -> bool:
        """Tell whether the other one is this one."""
        if self.kind != other.kind:
            return False
        if self.place.endswith(ANY_DEPTH):
            return other.place.startswith(self.place.removesuffix(ANY_DEPTH))
        return self.place == other.place


STATUS: Final = "status"
VALUE: Final = "value"
HEADER: Final = "header"
SLOWER: Final = "slower"
FASTER: Final = "faster"
SPIKE: Final = "spike"


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """One place of one endpoint. `steps` lead to a member of the body; `name` is a header's, or the status code."""

    service: str
    endpoint: str
    steps: tuple[Step, ...] = ()
    name: str = ""

    @property
    def path(self) -> str:
        """The place in the body as a report writes it."""
        return path_of(self.steps)

    def beside(self, name: str) -> str:
        """Return the path of another member of the same object."""
        return path_of((*self.steps[:-1], name))

    def __str__(self) -> str:
        """Say the place as people read it."""
        return f"{self.service}: {self.endpoint}: {self.name or (self.path if self.steps else 'answer')}"


def path_of(steps: tuple[Step, ...]) -> str:
    """Return the path that a report writes for these steps from the root of a body.

    >>> path_of(("items", None, "price"))
    '$.items[].price'
    """
    nothing: Place | None = None
    return render(reduce(_into, steps, nothing)) if steps else ROOT


def _into(place: Place | None, step: Step) -> Place:
    return (place, step)
