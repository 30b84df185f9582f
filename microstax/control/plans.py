"""From the state to what every Envoy is to do. Pure: equal states give equal plans."""

from collections.abc import Iterator

from microstax.control import layout, queries
from microstax.model.environment import ServiceSpec
from microstax.model.exchange import Side
from microstax.model.plan import BridgePlan, BridgeService, EnvoyPlan, Mirror, Preview, TeePlan, TeeService
from microstax.model.shadow import ControlMode
from microstax.store.state import EnvironmentRecord, OverlayRecord, ShadowRecord, State


def envoy_nodes(state: State) -> tuple[str, ...]:
    """Return the node ids of all Envoys there are to be: a tee for every environment, a bridge for every overlay."""
    tees = (layout.tee_node(name) for name in sorted(state.environments))
    return (*tees, *(layout.bridge_node(name) for name in sorted(state.overlays)))


def plan_of(state: State, node_id: str) -> EnvoyPlan:
    """Return the plan of one of `envoy_nodes`."""
    role, name = layout.node_parts(node_id)
    if role == layout.TEE:
        return tee_plan(state, state.environments[name])
    return bridge_plan(state, state.overlays[name])


def tee_plan(state: State, record: EnvironmentRecord) -> TeePlan:
    """Return what the Envoy in front of an environment's services does."""
    return TeePlan(
        node_id=layout.tee_node(record.spec.name),
        environment=record.spec.name,
        services=tuple(_tee_service(state, record, spec) for spec in record.spec.services),
        environment_header=record.spec.preview_header,
        mirrors_until_ms=_mirrors_until_ms(state, record),
    )


def _mirrors_until_ms(state: State, record: EnvironmentRecord) -> int:
    """Return when the first shadow ends by itself: all shares of a tee are one resource, and that has one end.

    The others are given theirs anew then; without a control plane they end with it. One that is paused mirrors nothing,
    and needs no end.
    """
    shadows = (queries.enabled(state, overlay.spec.name) for overlay in queries.overlays_of(state, record.spec.name))
    ends = (shadow.expires_ms for shadow in shadows if shadow is not None and queries.mirrors(state, shadow))
    return min((end for end in ends if end), default=0)


def bridge_plan(state: State, record: OverlayRecord) -> BridgePlan:
    """Return what an overlay's bridge does: every baseline service has a listener, also those that the overlay runs.

    A control copy is the baseline's version and calls the baseline's version of everything.
    """
    baseline = queries.baseline_of(state, record).spec
    return BridgePlan(
        node_id=layout.bridge_node(record.spec.name),
        overlay=record.spec.name,
        baseline=baseline.name,
        services=tuple(_bridge_service(state, record, spec) for spec in baseline.services),
    )


def _bridge_service(state: State, record: OverlayRecord, spec: ServiceSpec) -> BridgeService:
    allowance, limits = record.spec.allowance(spec.name), record.spec.limits_of(spec.name)
    return BridgeService(
        name=spec.name,
        listen=queries.port_address(state, layout.bridge_port(record.spec.name, spec.name)),
        # The process itself and not the tee: a branch's own calls are not production traffic to mirror.
        upstream=queries.service_address(state, record.spec.baseline, spec),
        allowed_methods=allowance.methods,
        bodies=allowance.bodies,
        tcp=spec.is_tcp,
        tcp_allowed=allowance.tcp,
        max_concurrent=limits.max_concurrent,
        max_rps=limits.max_rps,
    )


def _tee_service(state: State, record: EnvironmentRecord, spec: ServiceSpec) -> TeeService:
    mirrors: list[Mirror] = []
    previews: list[Preview] = []
    for overlay in queries.overlays_of(state, record.spec.name):
        own = overlay.spec.service(spec.name)
        if own is None or spec.is_tcp:  # a connection has no header that asks for a preview
            continue
        previews.append(
            Preview(overlay=overlay.spec.name, address=queries.service_address(state, overlay.spec.name, own))
        )
        shadow = queries.enabled(state, overlay.spec.name)
        if shadow is not None and own in queries.shadowed_services(overlay, shadow):
            mirrors.extend(_mirrors(state, overlay, shadow, own))
    return TeeService(
        name=spec.name,
        listen=queries.tee_address(spec),
        upstream=queries.service_address(state, record.spec.name, spec),
        mirrors=tuple(mirrors),
        previews=tuple(previews),
        tcp=spec.is_tcp,
    )


def _mirrors(state: State, record: OverlayRecord, shadow: ShadowRecord, own: ServiceSpec) -> Iterator[Mirror]:
    settings, ppm = shadow.settings, queries.current_ppm(shadow, own.name)
    name = record.spec.name
    yield Mirror(
        overlay=name,
        side=Side.BRANCH,
        address=queries.service_address(state, name, own),
        ppm=ppm,
        methods=settings.methods,
        max_body_bytes=settings.max_body_bytes,
        timeout_ms=settings.branch_timeout_ms,
        strip_headers=settings.strip_headers,
    )
    base = queries.base_service(state, record, own.name)
    mode = queries.control_mode(base, shadow)
    methods = queries.control_methods(mode, settings.methods)
    if mode is ControlMode.NONE or not methods:
        return
    copied = mode is ControlMode.COPY
    yield Mirror(
        overlay=name,
        side=Side.CONTROL,
        address=queries.port_address(state, layout.control_port(name, own.name))
        if copied
        else queries.service_address(state, record.spec.baseline, base),
        ppm=queries.control_ppm(mode, ppm),
        methods=methods,
        max_body_bytes=settings.max_body_bytes,
        timeout_ms=settings.branch_timeout_ms,
        strip_headers=settings.strip_headers,
    )
