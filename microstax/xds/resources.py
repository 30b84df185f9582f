"""Resources and the immutable set of them that a node should have.

Pure, and ignorant of what a resource's bytes mean: a version is a hash of the content, so two replicas, or one
server before and after a restart, give the same version to the same content. What a resource refers to is told by
whoever built it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, TypeAlias

from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, short_name

Reference: TypeAlias = tuple[str, str]
"""A type URL and a resource name of that type."""

_VERSION_BYTES: Final = 8
_SHORTEST_S: Final = 0.001
_NEEDED_BY: Final = {ENDPOINT: CLUSTER, ROUTE: LISTENER}
_EMPTY: Final[Mapping[str, "Resource"]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Resource:
    """One serialised resource. `references` are the resources of other types it needs.

    It may be mortal. With `ttl_s` (seconds) a client drops it when the server has not renewed it for so long. At
    `expires_at` (seconds since the epoch) it ends, whatever the server does: it is told once how much time remains, and
    is never renewed. Raises ValueError for both at once.
    """

    name: str
    type_url: str
    body: bytes = field(repr=False)  # may be a private key: never in a log
    references: frozenset[Reference] = frozenset()
    ttl_s: float | None = None
    expires_at: float | None = None
    version: str = field(init=False)

    def __post_init__(self) -> None:
        if self.ttl_s is not None and self.expires_at is not None:
            raise ValueError(f"{self.name!r} has a TTL and an end: renewing it would move the end")
        # A changed TTL or end has to reach the client, and only a changed version does. The time that remains is no
        # part of it: a server that comes back has nothing new to say.
        salt = b"" if self.ttl_s is None else str(self.ttl_s).encode()
        if self.expires_at is not None:
            salt = f"until {self.expires_at!r}".encode()
        digest = blake2b(self.body, digest_size=_VERSION_BYTES, key=salt[:64]).hexdigest()
        object.__setattr__(self, "version", digest)

    @property
    def mortal(self) -> bool:
        """Whether the client drops it some day without being told."""
        return self.ttl_s is not None or self.expires_at is not None

    def remaining_s(self, at: float) -> float | None:
        """Return for how many seconds from `at` (since the epoch) a client may use it; None for always.

        Never less than a millisecond, since 0 means always to a client.
        """
        return self.ttl_s if self.expires_at is None else max(_SHORTEST_S, self.expires_at - at)


def content_version(resources: Iterable[Resource]) -> str:
    """Return the version of a set: a hash over names and versions, whatever their order."""
    digest = blake2b(digest_size=_VERSION_BYTES)
    for resource in sorted(resources, key=lambda r: r.name):
        digest.update(f"{resource.name}\0{resource.version}\n".encode())
    return digest.hexdigest()


def empty_endpoints(name: str) -> Resource:
    """Return a ClusterLoadAssignment without endpoints: field 1 (`cluster_name`) and nothing else."""
    encoded = name.encode()
    return Resource(name, ENDPOINT, b"\x0a" + _varint(len(encoded)) + encoded)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 (seven bits a byte, as protobuf has it)
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class FindingKind(StrEnum):
    """What can be wrong with a snapshot."""

    DANGLING = "dangling"
    """Something refers to a resource that is not in the snapshot."""
    UNREFERENCED = "unreferenced"
    """Endpoints or a route table that nothing refers to: no client will ever ask for it."""
    NO_ENDPOINTS = "no endpoints"
    """A cluster whose endpoints are missing; the snapshot holds an empty set in their place."""
    SHARED_ENDPOINTS = "shared endpoints"
    """Two clusters take their endpoints from one resource; Envoy may warm the second one late (envoy#47302)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One inconsistency: of what kind, at which resource, and the other resources involved."""

    kind: FindingKind
    type_url: str
    name: str
    involved: tuple[Reference, ...]

    def __str__(self) -> str:
        others = ", ".join(f"{short_name(t)} {n!r}" for t, n in self.involved)
        return f"{short_name(self.type_url)} {self.name!r}: {self.kind.value}{f' ({others})' if others else ''}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All resources of one node at one moment. Make one with `Snapshot.of`."""

    _types: Mapping[str, Mapping[str, Resource]]
    _versions: Mapping[str, str]
    _referrers: Mapping[Reference, tuple[Resource, ...]]
    _filled: frozenset[str]
    next_end: float | None = None
    """When the first resource ends, in seconds since the epoch; None if none does."""

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> "Snapshot":
        """Build a snapshot; endpoints that a cluster refers to and that are missing become an empty set.

        Raises ValueError if two different resources have one type and name.
        """
        types: dict[str, dict[str, Resource]] = {}
        for resource in resources:
            known = types.setdefault(resource.type_url, {}).setdefault(resource.name, resource)
            if known != resource:
                raise ValueError(f"two different {short_name(resource.type_url)} resources are named {resource.name!r}")
        filled = _fill_endpoints(types)
        return cls(
            MappingProxyType({t: MappingProxyType(named) for t, named in types.items()}),
            {t: content_version(named.values()) for t, named in types.items()},
            _referrers(types),
            filled,
            min(
                (r.expires_at for named in types.values() for r in named.values() if r.expires_at is not None),
                default=None,
            ),
        )

    @property
    def type_urls(self) -> frozenset[str]:
        """The types of which there is at least one resource."""
        return frozenset(self._types)

    def resources(self, type_url: str) -> Mapping[str, Resource]:
        """Return the resources of a type by name; empty for an unknown type."""
        return self._types.get(type_url, _EMPTY)

    def version(self, type_url: str) -> str:
        """Return the version of the whole set of a type."""
        known = self._versions.get(type_url)
        return content_version(()) if known is None else known

    def referrers(self, type_url: str, name: str) -> tuple[Resource, ...]:
        """Return the resources of this snapshot that refer to the named one."""
        return self._referrers.get((type_url, name), ())

    def changed_since(self, other: "Snapshot | None") -> dict[str, frozenset[str]]:
        """Return the names that were added, changed or removed against `other`, by type; unchanged types are absent."""
        changed = {}
        for type_url in self.type_urls | (other.type_urls if other else frozenset()):
            mine, theirs = self.resources(type_url), other.resources(type_url) if other else _EMPTY
            if other is None or self.version(type_url) != other.version(type_url):
                names = {n for n, r in mine.items() if n not in theirs or theirs[n].version != r.version}
                changed[type_url] = frozenset(names | (theirs.keys() - mine.keys()))
        return changed

    def at(self, time: float) -> "Snapshot":
        """Return what is left of it at a time, in seconds since the epoch: all but the resources that have ended."""
        if self.next_end is None or time < self.next_end:
            return self
        every = (r for named in self._types.values() for r in named.values())
        return Snapshot.of(r for r in every if r.expires_at is None or time < r.expires_at)

    def findings(self) -> tuple[Finding, ...]:
        """Return what is inconsistent, sorted; an empty tuple means that every reference is answered."""
        found = [*self._dangling(), *self._endpoint_findings(), *self._unreferenced()]
        return tuple(sorted(found, key=lambda f: (f.kind.value, f.type_url, f.name)))

    def _dangling(self) -> Iterable[Finding]:
        for (type_url, name), by in self._referrers.items():
            if name not in self.resources(type_url):
                yield Finding(FindingKind.DANGLING, type_url, name, _involved(by))

    def _endpoint_findings(self) -> Iterable[Finding]:
        for name in self.resources(ENDPOINT):
            clusters = _involved(r for r in self.referrers(ENDPOINT, name) if r.type_url == CLUSTER)
            if len(clusters) > 1:
                yield Finding(FindingKind.SHARED_ENDPOINTS, ENDPOINT, name, clusters)
            if name in self._filled:
                yield Finding(FindingKind.NO_ENDPOINTS, ENDPOINT, name, clusters)

    def _unreferenced(self) -> Iterable[Finding]:
        for type_url, parent in _NEEDED_BY.items():
            # A parent type that is not served here may live in a bootstrap file: then nothing can be said.
            for name in self.resources(type_url) if self.resources(parent) else ():
                if not self.referrers(type_url, name):
                    yield Finding(FindingKind.UNREFERENCED, type_url, name, ())


def _fill_endpoints(types: dict[str, dict[str, Resource]]) -> frozenset[str]:
    """Give every cluster its endpoints: without any answer Envoy waits 15 s before it serves (envoy#46383)."""
    wanted = {n for r in types.get(CLUSTER, {}).values() for t, n in r.references if t == ENDPOINT}
    missing = wanted - types.get(ENDPOINT, {}).keys()
    for name in missing:
        types.setdefault(ENDPOINT, {})[name] = empty_endpoints(name)
    return frozenset(missing)


def _referrers(types: Mapping[str, Mapping[str, Resource]]) -> dict[Reference, tuple[Resource, ...]]:
    found: dict[Reference, list[Resource]] = {}
    for named in types.values():
        for resource in named.values():
            for reference in resource.references:
                found.setdefault(reference, []).append(resource)
    return {reference: tuple(by) for reference, by in found.items()}


def _involved(resources: Iterable[Resource]) -> tuple[Reference, ...]:
    return tuple(sorted((r.type_url, r.name) for r in resources))
