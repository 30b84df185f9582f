"""What a fuzz target is, and which there are. Importing this module imports none of the product."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

NAMES: Final = (
    "traces", "json", "encodings", "yaml", "xds", "api", "redaction", "pairs", "deltas", "stats", "aggregates",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One door that strangers' bytes come in through.

    `check` raises for an input that breaks a promise. `seeds` are small inputs that reach deep; `tokens` are words that
    a fuzzer may put in. `longest` is how many bytes an input has at most.
    """

    check: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    tokens: tuple[bytes, ...] = ()
    longest: int = 2048


def load(name: str) -> Target:
    """Return the target of a name of NAMES."""
    found = import_module(f"hostile.{name}_target").TARGET
    assert isinstance(found, Target)
    return found
