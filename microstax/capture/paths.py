"""Places in a JSON body that are redacted, collected in a tree of steps."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from microstax.model.paths import Step, parse_path


@dataclass(slots=True)
class PathTree:
    """Many paths as one tree: `here` tells that a path ends at this node."""

    here: bool = False
    steps: dict[Step, "PathTree"] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Iterable[str]) -> "PathTree":
        """Return the tree of `paths`."""
        root = cls()
        for path in paths:
            node = root
            for step in parse_path(path):
                node = node.steps.setdefault(step, cls())
            node.here = True
        return root
