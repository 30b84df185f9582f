"""Environments and overlays as JSON documents, the way the store keeps them. Versioned: a newer one is refused."""

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

from microstax.errors import StorageError
from microstax.model.environment import EMPTY, EnvironmentSpec, HealthCheck, Protocol, ServiceSpec
from microstax.model.overlay import BridgeAllowance, BridgeLimits, OverlaySpec, ServiceLimits
from microstax.model.redaction import RedactionRules

DOCUMENT_VERSION: Final = 1
_RULES: Final = tuple(one.name for one in fields(RedactionRules))


def environment_document(environment: EnvironmentSpec) -> dict[str, Any]:
    """Return an environment as a JSON-able document."""
    return {
        "version": DOCUMENT_VERSION,
        "kind": "environment",
        "name": environment.name,
        "services": [_service_document(service) for service in environment.services],
        "redaction": {name: list(getattr(environment.redaction, name)) for name in _RULES},
        "preview_header": environment.preview_header,
    }


def environment_from_document(document: Mapping[str, Any]) -> EnvironmentSpec:
    """Return the environment of a document. Raises StorageError if it is none, or a newer one."""
    _check(document, "environment")
    try:
        return EnvironmentSpec(
            name=document["name"],
            services=tuple(map(_service, document["services"])),
            redaction=RedactionRules(**{name: tuple(document["redaction"][name]) for name in _RULES}),
            preview_header=document["preview_header"],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged("environment", document) from error


def overlay_document(overlay: OverlaySpec) -> dict[str, Any]:
    """Return an overlay as a JSON-able document."""
    return {
        "version": DOCUMENT_VERSION,
        "kind": "overlay",
        "name": overlay.name,
        "baseline": overlay.baseline,
        "services": [_service_document(service) for service in overlay.services],
        "bridge": [
            {"service": one.service, "methods": list(one.methods), "bodies": one.bodies, "tcp": one.tcp}
            for one in overlay.bridge
        ],
        "limits": {"max_concurrent": overlay.limits.max_concurrent, "max_rps": overlay.limits.max_rps},
        "service_limits": [
            {"service": one.service, "max_concurrent": one.max_concurrent, "max_rps": one.max_rps}
            for one in overlay.service_limits
        ],
        "direct": overlay.direct,
    }


def overlay_from_document(document: Mapping[str, Any]) -> OverlaySpec:
    """Return the overlay of a document. Raises StorageError if it is none, or a newer one."""
    _check(document, "overlay")
    try:
        return OverlaySpec(
            name=document["name"],
            baseline=document["baseline"],
            services=tuple(map(_service, document["services"])),
            bridge=tuple(
                BridgeAllowance(**{**entry, "methods": tuple(entry["methods"])}) for entry in document["bridge"]
            ),
            limits=BridgeLimits(**document.get("limits", {})),
            service_limits=tuple(ServiceLimits(**entry) for entry in document.get("service_limits", ())),
            direct=document.get("direct", False),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged("overlay", document) from error


def _check(document: Mapping[str, Any], kind: str) -> None:
    version = document.get("version")
    if document.get("kind") != kind or not isinstance(version, int):
        raise _damaged(kind, document)
    if version > DOCUMENT_VERSION:
        raise StorageError(
            f"The stored {kind} {document.get('name')!r} was written by a newer microstax: use that one, or another "
            "state folder."
        )


def _damaged(kind: str, document: Mapping[str, Any]) -> StorageError:
    return StorageError(f"The stored {kind} {document.get('name')!r} is damaged: delete it and create it again.")


def _service_document(service: ServiceSpec) -> dict[str, Any]:
    return {
        "name": service.name,
        "command": list(service.command),
        "url": service.url,
        "port": service.port,
        "env": dict(service.env),
        "health": {
            "path": service.health.path,
            "interval_s": service.health.interval_s,
            "timeout_s": service.health.timeout_s,
            "start_period_s": service.health.start_period_s,
        },
        "depends_on": list(service.depends_on),
        "workdir": service.workdir,
        "protocol": service.protocol.value,
    }


def _service(document: Mapping[str, Any]) -> ServiceSpec:
    env = dict(document["env"])
    return ServiceSpec(
        name=document["name"],
        command=tuple(document["command"]),
        url=document["url"],
        port=document["port"],
        env=MappingProxyType(env) if env else EMPTY,
        health=HealthCheck(**document["health"]),
        depends_on=tuple(document["depends_on"]),
        workdir=document["workdir"],
        protocol=Protocol(document.get("protocol", Protocol.HTTP)),
    )
