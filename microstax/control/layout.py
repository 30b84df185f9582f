"""What everything is called: processes, xDS nodes, ports and sockets. Every such name is made here.

A name is a function of what it belongs to, so that a control plane that comes back finds what the last one made.
"""

from typing import Final

from microstax.runtime.port import ProcessKey, ProcessRole
from microstax.store.state import PortKey

OWN_GROUP: Final = "microstax"
"""The group of our own processes that belong to no environment."""
TEE: Final = "tee"
BRIDGE: Final = "bridge"
WORKER_NAME: Final = "worker"
XDS_SOCKET: Final = "xds.sock"
LOG_FILE: Final = "control-plane.log"
_SEPARATOR: Final = "~"  # no name that a user gives can hold one


def tee_node(environment: str) -> str:
    """Return the xDS node id of an environment's tee."""
    return f"{TEE}{_SEPARATOR}{environment}"


def bridge_node(overlay: str) -> str:
    """Return the xDS node id of an overlay's bridge."""
    return f"{BRIDGE}{_SEPARATOR}{overlay}"


def node_parts(node_id: str) -> tuple[str, str]:
    """Return role and name of a node id that was made here."""
    role, _, name = node_id.partition(_SEPARATOR)
    return role, name


def envoy_key(node_id: str) -> ProcessKey:
    """Return the process of a node's Envoy; it is in the group of its environment or overlay."""
    role, name = node_parts(node_id)
    return ProcessKey(name, role, ProcessRole.ENVOY)


def service_key(owner: str, service: str) -> ProcessKey:
    """Return the process of a service of an environment or overlay."""
    return ProcessKey(owner, service)


def control_key(overlay: str, service: str) -> ProcessKey:
    """Return the process of a control copy: the baseline's version, a second time."""
    return ProcessKey(overlay, service, ProcessRole.CONTROL)


def worker_key() -> ProcessKey:
    """Return the worker's process."""
    return ProcessKey(OWN_GROUP, WORKER_NAME, ProcessRole.WORKER)


def process_port(owner: str, service: str) -> PortKey:
    """Return the port that a service's process listens on."""
    return PortKey(owner, service, "process")


def control_port(overlay: str, service: str) -> PortKey:
    """Return the port that a control copy listens on."""
    return PortKey(overlay, service, "control")


def bridge_port(overlay: str, service: str) -> PortKey:
    """Return the port of the bridge on which an overlay reaches a baseline service."""
    return PortKey(overlay, service, BRIDGE)


def admin_socket(node_id: str) -> str:
    """Return the file name of an Envoy's admin socket."""
    role, name = node_parts(node_id)
    return f"admin-{role}-{name}.sock"


def bootstrap_file(node_id: str) -> str:
    """Return the file name of an Envoy's bootstrap."""
    role, name = node_parts(node_id)
    return f"bootstrap-{role}-{name}.json"
