"""The desired state as one immutable value, and the changes that lead from one state to the next.

The control plane holds one `State`, commits changes to the store, and rebuilds everything from the state that results.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from microstax.model.environment import EnvironmentSpec, Promotion
from microstax.model.overlay import OverlaySpec
from microstax.model.shadow import ShadowSettings

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRecord:
    """An environment that a user created; it is a baseline while it has a promotion."""

    spec: EnvironmentSpec
    created_ms: int
    promotion: Promotion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayRecord:
    """An overlay; `manifest_diff` is what its creation would have printed as a dry run."""

    spec: OverlaySpec
    created_ms: int
    manifest_diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRecord:
    """An overlay's shadow; its results belong to a `generation`, which began at `since_ms`.

    `in_force` is the share in parts per million that a service is held to by its budget; it is kept so that a control
    plane that comes back gives every Envoy what it has. At `expires_ms` (Unix milliseconds; 0: never) it ends by
    itself; one that is off and has a time there did.
    """

    overlay: str
    settings: ShadowSettings
    generation: int
    since_ms: int
    in_force: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    expires_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRecord:
    """A rule of what is not to be reported; empty fields match everything. `id` 0 asks the store for one.

    `expires` is the last day, YYYY-MM-DD; empty: never.
    """

    id: int
    overlay: str = ""
    service: str = ""
    endpoint: str = ""
    path: str = ""
    kind: str = ""
    reason: str = ""
    created_ms: int = 0
    owner: str = ""
    expires: str = ""


@dataclass(frozen=True, slots=True, order=True)
class PortKey:
    """Names a port that we chose: `owner` is an environment or overlay, `purpose` what listens on it."""

    owner: str
    service: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that users asked for and that must outlive the control plane."""

    environments: Mapping[str, EnvironmentRecord] = field(default_factory=lambda: _NOTHING)
    overlays: Mapping[str, OverlayRecord] = field(default_factory=lambda: _NOTHING)
    shadows: Mapping[str, ShadowRecord] = field(default_factory=lambda: _NOTHING)
    ports: Mapping[PortKey, int] = field(default_factory=lambda: _NOTHING)
    rules: Mapping[int, RuleRecord] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class PutEnvironment:
    """Store an environment under its name, in place of one of that name."""

    record: EnvironmentRecord


@dataclass(frozen=True, slots=True)
class DropEnvironment:
    """Forget an environment, its promotion and its ports."""

    name: str


@dataclass(frozen=True, slots=True)
class PutOverlay:
    """Store an overlay under its name."""

    record: OverlayRecord


@dataclass(frozen=True, slots=True)
class DropOverlay:
    """Forget an overlay, its shadow, its ports and all its results."""

    name: str


@dataclass(frozen=True, slots=True)
class PutShadow:
    """Store the shadow of an overlay. Results of other generations are dropped with it."""

    record: ShadowRecord


@dataclass(frozen=True, slots=True)
class PutPorts:
    """Remember ports that were chosen."""

    ports: Mapping[PortKey, int]


@dataclass(frozen=True, slots=True)
class PutRule:
    """Store an ignore rule; its id is set."""

    record: RuleRecord


@dataclass(frozen=True, slots=True)
class DropRule:
    """Forget an ignore rule."""

    id: int


Change = PutEnvironment | DropEnvironment | PutOverlay | DropOverlay | PutShadow | PutPorts | PutRule | DropRule


def apply(state: State, change: Change) -> State:
    """Return the state after one change. What is dropped and does not exist stays dropped."""
    match change:
        case PutEnvironment(record):
            return replace(state, environments=_with(state.environments, record.spec.name, record))
        case DropEnvironment(name):
            return replace(state, environments=_without(state.environments, name), ports=_unowned(state.ports, name))
        case PutOverlay(record):
            return replace(state, overlays=_with(state.overlays, record.spec.name, record))
        case DropOverlay(name):
            return replace(
                state,
                overlays=_without(state.overlays, name),
                shadows=_without(state.shadows, name),
                ports=_unowned(state.ports, name),
            )
        case PutShadow(record):
            return replace(state, shadows=_with(state.shadows, record.overlay, record))
        case PutPorts(ports):
            return replace(state, ports=MappingProxyType({**state.ports, **ports}))
        case PutRule(record):
            return replace(state, rules=_with(state.rules, record.id, record))
        case DropRule(rule_id):
            return replace(state, rules=_without(state.rules, rule_id))


def outdated(state: State, change: Change) -> str | None:
    """Return the overlay whose results so far go with the change: it is dropped, or another generation begins."""
    match change:
        case DropOverlay(name):
            return name
        case PutShadow(record):
            previous = state.shadows.get(record.overlay)
            return record.overlay if previous and previous.generation != record.generation else None
        case _:
            return None


def _with(items: Mapping[Any, Any], key: object, value: object) -> Mapping[Any, Any]:
    return MappingProxyType({**items, key: value})


def _without(items: Mapping[Any, Any], key: object) -> Mapping[Any, Any]:
    return MappingProxyType({other: value for other, value in items.items() if other != key})


def _unowned(ports: Mapping[PortKey, int], owner: str) -> Mapping[PortKey, int]:
    return MappingProxyType({key: port for key, port in ports.items() if key.owner != owner})
