"""Environments and the services in them, as a user's env.yaml describes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from microstax.model.redaction import RedactionRules

LOOPBACK: Final = "127.0.0.1"
PREVIEW_HEADER: Final = "x-msx-env"
"""The request header that asks for an overlay's answer, unless env.yaml names another one."""
EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Protocol(StrEnum):
    """What a service speaks. Of `tcp` nothing is read, so nothing is mirrored, compared or told apart as safe."""

    HTTP = "http"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How to tell that a service is ready: an HTTP path that answers below 500, or (no path) an accepted connection."""

    path: str | None = None
    interval_s: float = 0.2
    timeout_s: float = 2.0
    start_period_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service: a command that we start (its port is passed in PORT), or a url of a server that runs already.

    `port` is where the tee listens on loopback, the address that users call; None in an overlay's service.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str | None = None
    port: int | None = None
    env: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    health: HealthCheck = field(default_factory=HealthCheck)
    depends_on: tuple[str, ...] = ()
    workdir: str | None = None
    protocol: Protocol = Protocol.HTTP

    @property
    def is_tcp(self) -> bool:
        """Whether it is a database or the like, whose calls nobody can tell apart."""
        return self.protocol is Protocol.TCP


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """A named set of services, in the order of the user's file; the rest is about the traffic of all of them."""

    name: str
    services: tuple[ServiceSpec, ...]
    redaction: RedactionRules = field(default_factory=RedactionRules)
    preview_header: str = PREVIEW_HEADER

    def service(self, name: str) -> ServiceSpec | None:
        """Return the service of that name, or None."""
        return next((service for service in self.services if service.name == name), None)


class ServicePhase(StrEnum):
    """Where a service is in its life."""

    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """What is known of a running service: `address` is where the process itself listens (not the tee)."""

    name: str
    phase: ServicePhase
    address: Address | None = None
    pid: int | None = None
    restarts: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotedService:
    """A service as it was when its environment was promoted; `version` is a digest of what runs."""

    name: str
    version: str
    command: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """The record that makes an environment a baseline; `at_ms` is Unix time in milliseconds."""

    environment: str
    at_ms: int
    services: tuple[PromotedService, ...]
