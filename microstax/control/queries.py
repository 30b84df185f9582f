"""Questions about a state: who belongs to whom, where something listens, what an effective setting is. Pure."""

from collections.abc import Iterator

from microstax.blueprint import url_address
from microstax.control import layout
from microstax.errors import NotFoundError, RefusedError
from microstax.model.environment import LOOPBACK, Address, ServiceSpec
from microstax.model.overlay import SAFE_METHODS
from microstax.model.shadow import SELF_CONTROL_SHARE, ControlMode
from microstax.store.state import EnvironmentRecord, OverlayRecord, PortKey, ShadowRecord, State


def environment(state: State, name: str) -> EnvironmentRecord:
    """Return an environment; raises NotFoundError with what to do, also where the name is an overlay's."""
    found = state.environments.get(name)
    if found is not None:
        return found
    if name in state.overlays:
        raise NotFoundError(
            f"{name} is an overlay (of {state.overlays[name].spec.baseline}), not an environment: "
            "see 'microstax overlay show'."
        )
    raise NotFoundError(f"There is no environment {name!r}{_hint(state.environments, 'microstax env list')}")


def overlay(state: State, name: str) -> OverlayRecord:
    """Return an overlay; raises RefusedError where the name is an environment's, NotFoundError where it is nobody's."""
    found = state.overlays.get(name)
    if found is not None:
        return found
    if name in state.environments:
        what = "a baseline" if state.environments[name].promotion else "an environment"
        mine = [record.spec.name for record in overlays_of(state, name)]
        hint = f"its overlays are {', '.join(mine)}." if mine else "create one with 'microstax overlay create'."
        raise RefusedError(f"{name} is {what}, not an overlay: {hint}")
    raise NotFoundError(f"There is no overlay {name!r}{_hint(state.overlays, 'microstax overlay list')}")


def _hint(names: object, command: str) -> str:
    known = sorted(str(name) for name in names)  # type: ignore[attr-defined]  # mappings by name
    return f" (known: {', '.join(known)})." if known else f": there is none yet ('{command}' shows them)."


def baseline_of(state: State, record: OverlayRecord) -> EnvironmentRecord:
    """Return the environment under an overlay; it is there, the store holds the reference."""
    return state.environments[record.spec.baseline]


def overlays_of(state: State, name: str) -> Iterator[OverlayRecord]:
    """Yield the overlays on an environment, sorted by name."""
    for _, record in sorted(state.overlays.items()):
        if record.spec.baseline == name:
            yield record


def base_service(state: State, record: OverlayRecord, service: str) -> ServiceSpec:
    """Return the baseline's version of an overlay's service; it exists, creating the overlay checked it."""
    spec = baseline_of(state, record).spec.service(service)
    if spec is None:
        raise NotFoundError(f"The baseline {record.spec.baseline!r} has no service {service!r}.")
    return spec


def service_address(state: State, owner: str, spec: ServiceSpec) -> Address:
    """Return where the process (or the url's server) of a service listens."""
    return url_address(spec.url) if spec.url else port_address(state, layout.process_port(owner, spec.name))


def port_address(state: State, key: PortKey) -> Address:
    """Return the loopback address of a port that was chosen."""
    return Address(LOOPBACK, state.ports[key])


def tee_address(spec: ServiceSpec) -> Address:
    """Return where callers reach an environment's service."""
    return Address(LOOPBACK, spec.port or 0)


def shadowed_services(record: OverlayRecord, shadow: ShadowRecord) -> tuple[ServiceSpec, ...]:
    """Return the overlay's services that the shadow covers: those named, or all that can be mirrored."""
    named = shadow.settings.services
    return tuple(spec for spec in record.spec.services if not spec.is_tcp and (not named or spec.name in named))


def control_mode(base: ServiceSpec, shadow: ShadowRecord) -> ControlMode:
    """Return the control of one service: a server that we did not start cannot be copied, so it has none."""
    wanted = shadow.settings.control
    return ControlMode.NONE if wanted is ControlMode.COPY and not base.command else wanted


def controlled_services(state: State, record: OverlayRecord, shadow: ShadowRecord) -> frozenset[str]:
    """Return the shadow's services that have a control: one that was asked for may not be possible."""
    names = (spec.name for spec in shadowed_services(record, shadow))
    return frozenset(
        one for one in names if control_mode(base_service(state, record, one), shadow) is not ControlMode.NONE
    )


def control_words(state: State, record: OverlayRecord, shadow: ShadowRecord) -> str:
    """Return the controls of a shadow's services for people, such as `copy` or `copy, none`."""
    services = shadowed_services(record, shadow)
    modes = {control_mode(base_service(state, record, spec.name), shadow) for spec in services}
    return ", ".join(sorted(mode.value for mode in modes))


def possible_control(state: State, record: OverlayRecord, shadow: ShadowRecord) -> ControlMode:
    """Return the best control that all services of a shadow can have: a server that we did not start has no copy."""
    bases = (base_service(state, record, spec.name) for spec in shadowed_services(record, shadow))
    return ControlMode.COPY if all(base.command for base in bases) else ControlMode.SELF


def control_copies(state: State, record: OverlayRecord, shadow: ShadowRecord) -> tuple[ServiceSpec, ...]:
    """Return the baseline's versions that run a second time while this shadow is on."""
    bases = (base_service(state, record, spec.name) for spec in shadowed_services(record, shadow))
    return tuple(base for base in bases if control_mode(base, shadow) is ControlMode.COPY)


def control_methods(mode: ControlMode, methods: tuple[str, ...]) -> tuple[str, ...]:
    """Return the methods of a control's copies: production itself is never sent an unsafe request twice."""
    return tuple(one for one in methods if one in SAFE_METHODS) if mode is ControlMode.SELF else methods


def control_ppm(mode: ControlMode, ppm: int) -> int:
    """Return a control's share of requests: a copy gets all that the branch gets, production itself a small one."""
    return min(ppm, SELF_CONTROL_SHARE) if mode is ControlMode.SELF else ppm


def enabled(state: State, name: str) -> ShadowRecord | None:
    """Return the shadow of an overlay while it is on."""
    shadow = state.shadows.get(name)
    return shadow if shadow is not None and shadow.settings.enabled else None


def all_enabled(state: State) -> tuple[ShadowRecord, ...]:
    """Return the shadows that are on."""
    return tuple(shadow for shadow in state.shadows.values() if shadow.settings.enabled)


def current_ppm(shadow: ShadowRecord, service: str) -> int:
    """Return the share of requests that is mirrored now, in parts per million: what was asked, or less by budget."""
    return min(shadow.settings.sample_ppm, shadow.in_force.get(service, shadow.settings.sample_ppm))


def mirrors(state: State, shadow: ShadowRecord) -> bool:
    """Tell whether any service's share is above 0 now."""
    record = state.overlays[shadow.overlay]
    return any(current_ppm(shadow, spec.name) for spec in shadowed_services(record, shadow))
