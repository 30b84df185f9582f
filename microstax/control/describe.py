"""Environments and overlays as messages: the state with what the runtime knows of it."""

from microstax.blueprint import service_version
from microstax.blueprint.fence import allowed_words
from microstax.control import layout, past, queries
from microstax.control.plane import Plane
from microstax.generated.management.microstax.management.v1 import (
    BridgeAllowanceInfo,
    EnvironmentInfo,
    FenceInfo,
    IgnoreRule,
    OverlayInfo,
    ServiceInfo,
)
from microstax.model.environment import Address, ServicePhase, ServiceSpec, ServiceStatus
from microstax.runtime.port import ProcessKey
from microstax.store.state import EnvironmentRecord, OverlayRecord, RuleRecord

LOCAL: str = "local"
_UNHEALTHY = {ServicePhase.UNHEALTHY, ServicePhase.RESTARTING, ServicePhase.FAILED}


def environment_info(plane: Plane, record: EnvironmentRecord) -> EnvironmentInfo:
    """Return an environment with its services as they are now."""
    name, promotion = record.spec.name, record.promotion
    versions = {one.name: one.version for one in promotion.services} if promotion else {}
    services = [
        _service(
            plane,
            layout.service_key(name, spec.name),
            spec,
            url=f"{spec.protocol}://{queries.tee_address(spec)}",
            version=versions.get(spec.name, ""),
        )
        for spec in record.spec.services
    ]
    return EnvironmentInfo(
        name=name,
        runtime=LOCAL,
        promoted=promotion is not None,
        promoted_ms=promotion.at_ms if promotion else 0,
        services=services,
        overlays=[overlay.spec.name for overlay in queries.overlays_of(plane.state, name)],
        health=health([service.phase for service in services]),
    )


def overlay_info(plane: Plane, record: OverlayRecord) -> OverlayInfo:
    """Return an overlay: what runs in it, and what it reaches through the bridge."""
    shadow = plane.state.shadows.get(record.spec.name)
    return OverlayInfo(
        name=record.spec.name,
        baseline=record.spec.baseline,
        services=[*_own_services(plane, record), *_bridged_services(plane, record)],
        bridge_allow=[
            BridgeAllowanceInfo(service=one.service, methods=list(one.methods), bodies=one.bodies, tcp=one.tcp)
            for one in record.spec.bridge
        ],
        fence=[
            _fence(record, spec)
            for spec in queries.baseline_of(plane.state, record).spec.services
            if record.spec.service(spec.name) is None
        ],
        direct=past.direct(record.spec, can_deny=plane.fleet.runtime.can_deny_ports()),
        shadowed=queries.enabled(plane.state, record.spec.name) is not None,
        ends_ms=shadow.expires_ms if shadow else 0,
        created_ms=record.created_ms,
        manifest_diff=record.manifest_diff,
    )


def rule_info(record: RuleRecord) -> IgnoreRule:
    """Return an ignore rule."""
    return IgnoreRule(
        id=record.id,
        overlay=record.overlay,
        service=record.service,
        endpoint=record.endpoint,
        path=record.path,
        kind=record.kind,
        reason=record.reason,
        created_ms=record.created_ms,
        owner=record.owner,
        expires=record.expires,
    )


def health(phases: list[str]) -> str:
    """Return how an environment is from how its services are: the worst of them says it."""
    if any(phase in _UNHEALTHY for phase in phases):
        return "unhealthy"
    if any(phase == ServicePhase.STARTING for phase in phases):
        return "starting"
    return "stopped" if any(phase == ServicePhase.STOPPED for phase in phases) else "healthy"


def _own_services(plane: Plane, record: OverlayRecord) -> list[ServiceInfo]:
    name = record.spec.name
    return [
        _service(
            plane,
            layout.service_key(name, spec.name),
            spec,
            url=f"{spec.protocol}://{queries.service_address(plane.state, name, spec)}",
            version=service_version(spec),
            runs_in="overlay",
        )
        for spec in record.spec.services
    ]


def _bridged_services(plane: Plane, record: OverlayRecord) -> list[ServiceInfo]:
    baseline = queries.baseline_of(plane.state, record).spec
    return [
        _service(
            plane,
            layout.service_key(baseline.name, spec.name),
            spec,
            url=f"{spec.protocol}://{_bridge_address(plane, record, spec)}",
            runs_in="bridge",
        )
        for spec in baseline.services
        if record.spec.service(spec.name) is None
    ]


def _bridge_address(plane: Plane, record: OverlayRecord, spec: ServiceSpec) -> Address:
    return queries.port_address(plane.state, layout.bridge_port(record.spec.name, spec.name))


def _fence(record: OverlayRecord, spec: ServiceSpec) -> FenceInfo:
    limits = record.spec.limits_of(spec.name)
    return FenceInfo(
        service=spec.name,
        protocol=spec.protocol.value,
        allowed=allowed_words(record.spec, spec),
        max_concurrent=limits.max_concurrent,
        max_rps=limits.max_rps,
    )


def _service(
    plane: Plane, key: ProcessKey, spec: ServiceSpec, *, url: str, version: str = "", runs_in: str = ""
) -> ServiceInfo:
    unknown = ServiceStatus(name=spec.name, phase=ServicePhase.STOPPED)
    status = plane.fleet.runtime.status(key) or unknown
    return ServiceInfo(
        name=spec.name,
        phase=status.phase.value,
        url=url,
        address=str(status.address or spec.url or ""),
        pid=status.pid or 0,
        restarts=status.restarts,
        message=status.message,
        version=version,
        command=list(spec.command),
        runs_in=runs_in,
        protocol=spec.protocol.value,
    )
