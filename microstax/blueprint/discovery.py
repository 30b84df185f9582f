"""How services find each other, and what tells one version of a service from another."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from microstax.blueprint.service import split_url
from microstax.model.environment import LOOPBACK, Address, ServiceSpec
from microstax.model.names import service_variable

VERSION_DIGITS: Final = 12


def discovery_environment(addresses: Mapping[str, Address]) -> dict[str, str]:
    """Return the variables that Kubernetes would give a process: `PRICING_SERVICE_HOST`, `PRICING_SERVICE_PORT`."""
    variables: dict[str, str] = {}
    for service, address in sorted(addresses.items()):
        prefix = service_variable(service)
        variables[f"{prefix}_SERVICE_HOST"] = address.host
        variables[f"{prefix}_SERVICE_PORT"] = str(address.port)
    return variables


def url_address(url: str) -> Address:
    """Return where the server of a service's `url` listens; `localhost` is 127.0.0.1, a name stays a name."""
    address = split_url(url)
    return Address(LOOPBACK, address.port) if address.host == "localhost" else address


def service_version(service: ServiceSpec) -> str:
    """Return a digest of what runs: command, variables and folder, or the url. Equal services give equal digests.

    It names the service's description; a changed program behind the same command does not show in it.
    """
    runs = {
        "command": list(service.command),
        "env": dict(sorted(service.env.items())),
        "url": service.url,
        "workdir": service.workdir,
    }
    canonical = json.dumps(runs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:VERSION_DIGITS]
