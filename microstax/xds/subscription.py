"""Which resources of one type a client has asked for: names, "*", and collections.

Pure. The rules are those of "How the client specifies what resources to return" in Envoy's xDS protocol document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from microstax.xds.resources import Resource

WILDCARD: Final = "*"
_COLLECTION_PREFIX, _COLLECTION_SUFFIX = "xdstp:", "/*"


@dataclass(slots=True)
class Subscription:
    """The interest of one client in one type. `allow_legacy`: an empty first request means "*"."""

    allow_legacy: bool = True
    names: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    wildcard: bool = False
    seen: bool = False
    named: bool = False

    @property
    def empty(self) -> bool:
        """Whether the client asks for nothing (any more)."""
        return not (self.names or self.prefixes or self.wildcard)

    @property
    def pure_wildcard(self) -> bool:
        """Whether the client asks for everything that is its own, and for nothing by name."""
        return self.wildcard and not self.names and not self.prefixes

    def covers(self, name: str) -> bool:
        """Return whether the client asks for this name in any way."""
        return self.wildcard or name in self.names or any(name.startswith(p) for p in self.prefixes)

    def select(self, resources: Mapping[str, Resource]) -> Mapping[str, Resource]:
        """Return those of the resources that the client asks for."""
        if self.wildcard:
            return resources
        if self.prefixes:
            return {name: r for name, r in resources.items() if self.covers(name)}
        return {name: resources[name] for name in self.names if name in resources}

    def replace(self, names: Iterable[str]) -> frozenset[str]:
        """Take a state-of-the-world request's list; return the names (or "*") that were not asked for before."""
        wanted, first = set(names), not self.seen
        self.seen = True
        legacy = not wanted and not self.named and self.allow_legacy
        self.named |= bool(wanted)
        if legacy:
            added = frozenset() if self.wildcard else frozenset({WILDCARD})
            self.wildcard = True
            return added
        before = self._entries() if not first else set()
        self.names, self.prefixes, self.wildcard = set(), set(), False
        for name in wanted:
            self.add(name)
        return frozenset(wanted - before)

    def _entries(self) -> set[str]:
        collections = {f"{prefix}*" for prefix in self.prefixes}
        return self.names | collections | ({WILDCARD} if self.wildcard else set())

    def open_delta(self, subscribe: Iterable[str], unsubscribe: Iterable[str]) -> bool:
        """Note a delta request; return whether it is a first empty one, which means "*"."""
        first, self.seen = not self.seen, True
        legacy = first and self.allow_legacy and not list(subscribe) and not list(unsubscribe)
        self.wildcard |= legacy
        return legacy

    def add(self, name: str) -> None:
        """Start to ask for a name, for "*" or for a collection."""
        self.named = True
        if name == WILDCARD:
            self.wildcard = True
        elif name.startswith(_COLLECTION_PREFIX) and name.endswith(_COLLECTION_SUFFIX):
            self.prefixes.add(name[:-1])
        else:
            self.names.add(name)

    def discard(self, name: str) -> bool:
        """Cease to ask for a name; return whether it had been asked for."""
        known = name in self._entries()
        if name == WILDCARD:
            self.wildcard = False
        self.names.discard(name)
        self.prefixes.discard(name.removesuffix("*"))
        return known
