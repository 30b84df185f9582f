"""Overlays: the services that a branch modifies, and what the branch may do to the rest."""

from dataclasses import dataclass, field
from typing import Final

from microstax.model.environment import ServiceSpec

SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing (RFC 9110, 9.2.1; TRACE is left out, it echoes credentials)."""
DEFAULT_MAX_CONCURRENT: Final = 64
"""Calls of a branch to one service that may be under way: one that hangs costs the baseline so many connections."""
DEFAULT_MAX_RPS: Final = 1_000
"""Calls a second of a branch to one service: 200 pairs a second (the default budget) may make 2 calls each, and the
control as many, before a limit shows in what is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeAllowance:
    """What the branch may do to one baseline service beside safe calls.

    `methods` are unsafe methods. `bodies` lets safe requests carry a body, which some servers take for the next
    request. `tcp` lets connections to a TCP service pass; nobody can tell what they do.
    """

    service: str
    methods: tuple[str, ...] = ()
    bodies: bool = False
    tcp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLimits:
    """How much of a baseline service a branch may use: calls (of TCP: connections) at a time, and new ones a second."""

    max_concurrent: int = DEFAULT_MAX_CONCURRENT
    max_rps: int = DEFAULT_MAX_RPS


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimits:
    """Limits for one service; None means: as for all."""

    service: str
    max_concurrent: int | None = None
    max_rps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlaySpec:
    """An overlay over a baseline: `services` are complete, the patch has been applied to the baseline's manifest.

    `limits` hold for each service that the overlay reaches through the bridge, `service_limits` for single ones.
    `direct` allows its processes to connect past the bridge, to the ports of the baseline themselves.
    """

    name: str
    baseline: str
    services: tuple[ServiceSpec, ...]
    bridge: tuple[BridgeAllowance, ...] = field(default=())
    limits: BridgeLimits = field(default_factory=BridgeLimits)
    service_limits: tuple[ServiceLimits, ...] = ()
    direct: bool = False

    def service(self, name: str) -> ServiceSpec | None:
        """Return the overlay's own version of a service, or None where the baseline's is used."""
        return next((service for service in self.services if service.name == name), None)

    def allowance(self, service: str) -> BridgeAllowance:
        """Return what is allowed on a baseline service; nothing beside safe calls where the user says nothing."""
        found = next((one for one in self.bridge if one.service == service), None)
        return found or BridgeAllowance(service=service)

    def limits_of(self, service: str) -> BridgeLimits:
        """Return the limits of one service."""
        own = next((one for one in self.service_limits if one.service == service), None)
        if own is None:
            return self.limits
        return BridgeLimits(
            max_concurrent=self.limits.max_concurrent if own.max_concurrent is None else own.max_concurrent,
            max_rps=self.limits.max_rps if own.max_rps is None else own.max_rps,
        )
