"""The demo: a small shop, traffic for it, a branch with planted drift, and a check that the report finds exactly that.

It drives the installed command line from outside, as a user would; it knows nothing of how microstax works inside.
"""

from pathlib import Path
from typing import TextIO

__all__ = ["run_demo"]


def run_demo(
    *,
    state: Path | None = None,
    keep: bool = False,
    quiet: bool = False,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Run the demo and return its exit code; `microstax.demo.story.run_demo` says what the arguments mean."""
    # Every process of the shop imports this package too: what only the story needs is imported when it is told.
    from microstax.demo.story import run_demo as tell

    return tell(state=state, keep=keep, quiet=quiet, out=out, err=err)
