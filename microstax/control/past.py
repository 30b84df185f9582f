"""Connections past the bridge: what of them can be stopped here, and what is said where they cannot. Pure."""

from collections.abc import Iterator
from typing import Literal

from microstax.control import queries
from microstax.model.environment import LOOPBACK
from microstax.model.overlay import OverlaySpec
from microstax.store.state import OverlayRecord, State

Direct = Literal["refused", "allowed", "open"]


def denied_ports(state: State, record: OverlayRecord) -> frozenset[int]:
    """Return the ports that an overlay's processes shall not connect to: its baseline's services and their tees.

    Those of services on other hosts are left out: the kernel knows ports and no addresses, so that all of, say, port
    443 would be out of reach.
    """
    return frozenset() if record.spec.direct else frozenset(_ports(state, record))


def _ports(state: State, record: OverlayRecord) -> Iterator[int]:
    for spec in queries.baseline_of(state, record).spec.services:
        yield queries.tee_address(spec).port
        address = queries.service_address(state, record.spec.baseline, spec)
        if address.host == LOOPBACK:
            yield address.port


def direct(spec: OverlaySpec, *, can_deny: bool) -> Direct:
    """Return what becomes of an overlay's connections past its bridge; `can_deny` says what the runtime can do."""
    if spec.direct:
        return "allowed"
    return "refused" if can_deny and not running_already(spec) else "open"


def running_already(spec: OverlaySpec) -> list[str]:
    """Return the overlay's services that are servers which run already: what they connect to is not ours to say."""
    return [service.name for service in spec.services if service.url]


def warning(spec: OverlaySpec, *, can_deny: bool) -> str:
    """Return the sentence for an overlay whose connections past the bridge nobody can stop; empty where they are."""
    if direct(spec, can_deny=can_deny) != "open":
        return ""
    names = ", ".join(running_already(spec))
    if not can_deny:
        return (
            f"Direct connections of {spec.name} to the ports of {spec.baseline} cannot be stopped: this "
            "kernel has no Landlock for TCP (Linux 6.7). Only what goes through the bridge is fenced and counted."
        )
    return (
        f"Direct connections of {names} to the ports of {spec.baseline} cannot be stopped: what runs already is "
        "not started by microstax. Only what goes through the bridge is fenced and counted."
    )
