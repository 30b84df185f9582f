"""Ports on loopback: whether one can be had, and which of ours were taken by somebody else while we were away."""

from collections.abc import Collection, Iterable

from microstax.control import layout
from microstax.errors import PortInUseError
from microstax.model.environment import LOOPBACK, Address, EnvironmentSpec
from microstax.runtime.port import ProcessKey
from microstax.runtime.ports import bind_error
from microstax.store.state import PortKey, State


def why_not(port: int) -> str | None:
    """Return why nobody can listen on a port now, None where it can be had."""
    error = bind_error(Address(LOOPBACK, port))
    return None if error is None else error.strerror or str(error)


def check_tee_ports(spec: EnvironmentSpec) -> None:
    """Raise PortInUseError where somebody listens on a service's port: Envoy itself would share it without a word."""
    for service in spec.services:
        problem = why_not(service.port or 0)
        if problem:
            raise PortInUseError(
                f"Port {service.port} of {service.name} cannot be used ({problem}): stop what listens there, or give "
                "the service another port."
            )


def taken(state: State, running: Collection[ProcessKey]) -> Iterable[PortKey]:
    """Return the ports that we chose, that none of our `running` processes has, and that cannot be had any more."""
    return [key for key, port in state.ports.items() if _process(key) not in running and why_not(port)]


def _process(key: PortKey) -> ProcessKey:
    if key == layout.bridge_port(key.owner, key.service):
        return layout.envoy_key(layout.bridge_node(key.owner))
    if key == layout.control_port(key.owner, key.service):
        return layout.control_key(key.owner, key.service)
    return layout.service_key(key.owner, key.service)
