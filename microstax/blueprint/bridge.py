"""The part `bridge` of a patch.yaml: what the branch may do to the baseline, and how much of it.

bridge:
  maxConcurrent: 64        # calls to each service that may be under way
  maxRps: 1000             # calls to each service in a second
  limits:
    - {service: search, maxConcurrent: 4, maxRps: 50}
  allow:
    - {service: search, methods: [POST]}
    - {service: index, bodies: true}
    - {service: db, tcp: true}
  direct: deny             # connections past the bridge, to the baseline's own ports
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from microstax.blueprint.place import Place, nearest
from microstax.errors import InvalidFileError
from microstax.model.environment import EnvironmentSpec
from microstax.model.overlay import BridgeAllowance, BridgeLimits, ServiceLimits

METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
MOST_CONCURRENT: Final = 10_000
MOST_RPS: Final = 100_000
_FIELDS: Final = ("allow", "limits", "maxConcurrent", "maxRps", "direct")
_DIRECT: Final = ("deny", "allow")
_Named = TypeVar("_Named", BridgeAllowance, ServiceLimits)


@dataclass(frozen=True, slots=True)
class Noted:
    """Where an entry about a service stands."""

    service: str
    key: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgePatch:
    """What a patch says of the bridge; `noted` has the place of each entry, for errors that come later."""

    allow: tuple[BridgeAllowance, ...] = ()
    limits: BridgeLimits = field(default_factory=BridgeLimits)
    service_limits: tuple[ServiceLimits, ...] = ()
    direct: bool = False
    noted: tuple[Noted, ...] = field(default=(), compare=False)


def read_bridge(place: Place) -> BridgePatch:
    """Return what stands under `bridge`. Raises InvalidFileError."""
    fields = place.fields(_FIELDS, what="bridge")
    default = BridgeLimits()
    noted: list[Noted] = []
    return BridgePatch(
        allow=_each(fields["allow"], "allow", _allowance, noted) if "allow" in fields else (),
        limits=BridgeLimits(
            max_concurrent=_concurrent(fields) or default.max_concurrent, max_rps=_rps(fields) or default.max_rps
        ),
        service_limits=_each(fields["limits"], "limits", _limits, noted) if "limits" in fields else (),
        direct="direct" in fields and _is_allowed(fields["direct"]),
        noted=tuple(noted),
    )


def check_bridge(bridge: BridgePatch, *, baseline: EnvironmentSpec, own: set[str], file: str) -> None:
    """Raise InvalidFileError for entries that mean nothing here: unknown services, `own` ones, the wrong protocol."""
    for one in bridge.noted:
        problem = _problem(one.service, baseline=baseline, own=own)
        if problem:
            raise InvalidFileError(problem, file=file, line=one.line, key=f"{one.key}.service")
    places = {one.key: one for one in bridge.noted}
    for index, allowance in enumerate(bridge.allow):
        service = baseline.service(allowance.service)
        place = places.get(f"bridge.allow[{index}]")
        if service is None or place is None:
            continue
        if service.is_tcp and not allowance.tcp:
            problem = (
                f"{service.name!r} is a TCP service, where no method can be told from another: write "
                f"{{service: {service.name}, tcp: true}} to let its connections pass."
            )
            raise InvalidFileError(problem, file=file, line=place.line, key=place.key)
        if not service.is_tcp and allowance.tcp:
            problem = (
                f"{service.name!r} speaks HTTP, so its calls are told apart by method: write "
                f"{{service: {service.name}, methods: [POST]}}."
            )
            raise InvalidFileError(problem, file=file, line=place.line, key=f"{place.key}.tcp")


def unknown_service(name: str, baseline: EnvironmentSpec) -> str:
    """Return the sentence for a service that the baseline does not have."""
    known = [service.name for service in baseline.services]
    hint = nearest(name, known) or f": it has {', '.join(known)}."
    return f"the baseline {baseline.name!r} has no service {name!r}{hint}"


def _problem(name: str, *, baseline: EnvironmentSpec, own: set[str]) -> str:
    if baseline.service(name) is None:
        return unknown_service(name, baseline)
    if name in own:
        return f"{name!r} runs in the overlay itself, so no call to it passes the bridge: remove it."
    return ""


def _each(place: Place, what: str, read: Callable[[Place], _Named], noted: list[Noted]) -> tuple[_Named, ...]:
    """Read a list of entries of which each is about another service."""
    found: dict[str, tuple[_Named, int]] = {}
    for item in place.items(what=what):
        one = read(item)
        if one.service in found:
            item.fail(f"{one.service!r} stands here twice (first in line {found[one.service][1]}).")
        found[one.service] = (one, item.line)
        noted.append(Noted(one.service, item.key, item.line))
    return tuple(one for one, _ in found.values())


def _allowance(place: Place) -> BridgeAllowance:
    fields = place.fields(("service", "methods", "bodies", "tcp"), what="an entry of allow")
    if "service" not in fields:
        place.fail("'service' is missing: write {service: search, methods: [POST]}.")
    if not fields.keys() & {"methods", "bodies", "tcp"}:
        place.fail(
            "'methods' is missing: write {service: search, methods: [POST]} ('bodies: true' lets GET carry a body, "
            "'tcp: true' is for a TCP service)."
        )
    return BridgeAllowance(
        service=fields["service"].name(what="service"),
        methods=_methods(fields["methods"]) if "methods" in fields else (),
        bodies="bodies" in fields and fields["bodies"].flag(what="bodies"),
        tcp="tcp" in fields and fields["tcp"].flag(what="tcp"),
    )


def _methods(place: Place) -> tuple[str, ...]:
    places = place.items(what="methods") if place.is_list() else [place]
    if not places:
        place.fail("there is no method in it: name at least one, such as [POST].")
    return tuple(dict.fromkeys(_method(item) for item in places))


def _method(place: Place) -> str:
    method = place.text(what="a method").upper()
    if method not in METHODS:
        hint = nearest(method, METHODS) or f": it must be one of {', '.join(METHODS)}."
        place.fail(f"unknown method {method!r}{hint}")
    return method


def _limits(place: Place) -> ServiceLimits:
    fields = place.fields(("service", "maxConcurrent", "maxRps"), what="an entry of limits")
    if "service" not in fields:
        place.fail("'service' is missing: write {service: search, maxRps: 50}.")
    if not fields.keys() & {"maxConcurrent", "maxRps"}:
        place.fail("there is no limit in it: write {service: search, maxRps: 50}, or maxConcurrent.")
    return ServiceLimits(
        service=fields["service"].name(what="service"), max_concurrent=_concurrent(fields), max_rps=_rps(fields)
    )


def _concurrent(fields: dict[str, Place]) -> int | None:
    place = fields.get("maxConcurrent")
    return None if place is None else place.integer(what="maxConcurrent", low=1, high=MOST_CONCURRENT)


def _rps(fields: dict[str, Place]) -> int | None:
    place = fields.get("maxRps")
    return None if place is None else place.integer(what="maxRps", low=1, high=MOST_RPS)


def _is_allowed(place: Place) -> bool:
    word = place.text(what="direct")
    if word not in _DIRECT:
        hint = nearest(word, _DIRECT) or ": it is deny, or allow."
        place.fail(f"unknown value {word!r}{hint}")
    return word == "allow"
