"""From the state to the processes there are to be. Pure; Envoys and the worker need paths, see `envoys`."""

from collections.abc import Mapping

from microstax.blueprint import discovery_environment, url_address
from microstax.control import layout, past, queries
from microstax.model.environment import Address, ServiceSpec
from microstax.runtime.port import ProcessKey, ProcessSpec
from microstax.store.state import EnvironmentRecord, OverlayRecord, ShadowRecord, State


def service_processes(state: State) -> dict[ProcessKey, ProcessSpec]:
    """Return the processes of all services, overlays and control copies that the state asks for."""
    specs: list[ProcessSpec] = []
    for record in state.environments.values():
        specs += environment_processes(state, record)
    for overlay in state.overlays.values():
        specs += overlay_processes(state, overlay)
        shadow = queries.enabled(state, overlay.spec.name)
        specs += control_processes(state, overlay, shadow) if shadow else ()
    return {spec.key: spec for spec in specs}


def environment_processes(state: State, record: EnvironmentRecord) -> tuple[ProcessSpec, ...]:
    """Return an environment's processes; its services find each other at the tee."""
    addresses = {spec.name: queries.tee_address(spec) for spec in record.spec.services}
    return tuple(
        _process(
            layout.service_key(record.spec.name, spec.name),
            spec,
            queries.service_address(state, record.spec.name, spec),
            addresses,
        )
        for spec in record.spec.services
    )


def overlay_processes(state: State, record: OverlayRecord) -> tuple[ProcessSpec, ...]:
    """Return an overlay's processes; they find each other directly and the rest at the bridge."""
    name = record.spec.name
    own = {spec.name: queries.service_address(state, name, spec) for spec in record.spec.services}
    addresses = {**_bridged(state, record), **own}
    denied = past.denied_ports(state, record)
    return tuple(
        _process(layout.service_key(name, spec.name), spec, own[spec.name], addresses, denied=denied)
        for spec in record.spec.services
    )


def control_processes(state: State, record: OverlayRecord, shadow: ShadowRecord) -> tuple[ProcessSpec, ...]:
    """Return the control copies of a shadow: the baseline's version, which finds everything at the bridge."""
    name, addresses = record.spec.name, _bridged(state, record)
    denied = past.denied_ports(state, record)
    return tuple(
        _process(
            layout.control_key(name, spec.name),
            spec,
            queries.port_address(state, layout.control_port(name, spec.name)),
            addresses,
            denied=denied,
        )
        for spec in queries.control_copies(state, record, shadow)
    )


def _bridged(state: State, record: OverlayRecord) -> dict[str, Address]:
    return {
        spec.name: queries.port_address(state, layout.bridge_port(record.spec.name, spec.name))
        for spec in queries.baseline_of(state, record).spec.services
    }


def _process(
    key: ProcessKey,
    spec: ServiceSpec,
    address: Address,
    addresses: Mapping[str, Address],
    *,
    denied: frozenset[int] = frozenset(),
) -> ProcessSpec:
    if spec.url:
        return ProcessSpec(key=key, address=url_address(spec.url), health=spec.health)
    # The user's own variables win over discovery; PORT is where we look for the process, so it is ours.
    environ = {**discovery_environment(addresses), **spec.env, "PORT": str(address.port)}
    return ProcessSpec(
        key=key,
        command=spec.command,
        environ=environ,
        workdir=spec.workdir,
        address=address,
        health=spec.health,
        denied_ports=denied,
    )
