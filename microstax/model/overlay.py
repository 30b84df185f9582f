"""Overlays: the services that a branch modifies, and what the branch may do to the rest."""

from dataclasses import dataclass, field
from typing import Final

from microstax.model.environment import ServiceSpec

SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing (RFC 9110, 9.2.1; TRACE is left out, it echoes credentials)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeAllowance:
    """Unsafe methods that the branch may use on one baseline service."""

    service: str
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlaySpec:
    """An overlay over a baseline: `services` are complete, the patch has been applied to the baseline's manifest."""

    name: str
    baseline: str
    services: tuple[ServiceSpec, ...]
    bridge: tuple[BridgeAllowance, ...] = field(default=())

    def service(self, name: str) -> ServiceSpec | None:
        """Return the overlay's own version of a service, or None where the baseline's is used."""
        return next((service for service in self.services if service.name == name), None)
