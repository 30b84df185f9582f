"""Check a plan before anything is built of it."""

import re
from collections.abc import Iterable
from typing import Final

from microstax.envoy.cluster import MAX_BODY
from microstax.errors import UsageError
from microstax.model.environment import Address
from microstax.model.exchange import Side
from microstax.model.names import check_name
from microstax.model.plan import BridgePlan, BridgeService, EnvoyPlan, Mirror, TeePlan, TeeService
from microstax.model.shadow import MILLION

_TOKEN: Final = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]+")
_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_PORTS: Final = range(1, 65536)


class PlanError(UsageError):
    """A plan that Envoy cannot, or must not, carry out."""


def check(plan: EnvoyPlan) -> None:
    """Raise PlanError with the first thing that is wrong with `plan`."""
    what = f"tee {plan.node_id}" if isinstance(plan, TeePlan) else f"bridge {plan.node_id}"
    _names(what, plan)
    _unique(what, "two services are called", (service.name for service in plan.services))
    _unique(what, "two services listen on", (str(service.listen) for service in plan.services))
    for service in plan.services:
        _addresses(f"{what}, service {service.name}", service)
    if isinstance(plan, TeePlan):
        _tee(what, plan)
    else:
        _bridge(what, plan)


def _names(what: str, plan: EnvoyPlan) -> None:
    for service in plan.services:
        check_name("service", service.name)
        _addressable(f"{what}, service {service.name}", service.listen, service.upstream)


def _addressable(where: str, *addresses: Address) -> None:
    for address in addresses:
        if not address.host or address.port not in _PORTS:
            raise PlanError(f"{where}: {address} is no address; give a host and a port from 1 to 65535.")


def _unique(what: str, problem: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise PlanError(f"{what}: {problem} {value}; give each its own.")
        seen.add(value)


def _addresses(where: str, service: TeeService | BridgeService) -> None:
    if service.listen == service.upstream:
        raise PlanError(f"{where}: it would forward {service.listen} to itself; the upstream needs another address.")


def _tee(what: str, plan: TeePlan) -> None:
    header = plan.environment_header
    if not _HEADER.fullmatch(header) or header.startswith("x-microstax-"):
        raise PlanError(
            f"{what}: {header!r} cannot be the environment header; use a lower-case header name that does not start "
            "with x-microstax-."
        )
    for service in plan.services:
        where = f"{what}, service {service.name}"
        if service.tcp and (service.mirrors or service.previews):
            raise PlanError(f"{where}: connections of a TCP service cannot be mirrored; only HTTP can.")
        _unique(where, "two mirrors are", (f"{mirror.side} of {mirror.overlay}" for mirror in service.mirrors))
        _unique(where, "two previews are for", (preview.overlay for preview in service.previews))
        for mirror in service.mirrors:
            _mirror(f"{where}, {mirror.side} of {mirror.overlay}", service, mirror)
        for preview in service.previews:
            check_name("overlay", preview.overlay)
            _addressable(f"{where}, preview of {preview.overlay}", preview.address)
            _not_itself(f"{where}, preview of {preview.overlay}", service, preview.address)


def _mirror(where: str, service: TeeService, mirror: Mirror) -> None:
    check_name("overlay", mirror.overlay)
    _addressable(where, mirror.address)
    _not_itself(where, service, mirror.address)
    if mirror.side is Side.BASELINE:
        raise PlanError(f"{where}: a mirror's side is branch or control.")
    if not 0 <= mirror.ppm <= MILLION:
        raise PlanError(f"{where}: a share of {mirror.ppm} parts per million is not between 0 and {MILLION}.")
    if not 0 <= mirror.max_body_bytes <= MAX_BODY:
        raise PlanError(
            f"{where}: a body limit of {mirror.max_body_bytes} bytes is not between 0 and {MAX_BODY}, the most that a "
            "copy may hold."
        )
    if mirror.timeout_ms < 1:
        raise PlanError(f"{where}: a timeout of {mirror.timeout_ms} ms would wait for ever; use 1 ms or more.")
    _methods(where, mirror.methods, empty_is_fine=False)


def _not_itself(where: str, service: TeeService, address: Address) -> None:
    if address == service.listen:
        raise PlanError(
            f"{where}: {address} is the tee itself, so copies would go round for ever; use another address."
        )


def _methods(where: str, methods: tuple[str, ...], *, empty_is_fine: bool) -> None:
    if not methods and not empty_is_fine:
        raise PlanError(f"{where}: no method is mirrored; name at least one, such as GET.")
    for method in methods:
        if not _TOKEN.fullmatch(method) or method == "CONNECT":
            raise PlanError(
                f"{where}: {method!r} cannot be mirrored or bridged; use upper-case methods without CONNECT."
            )


def _bridge(what: str, plan: BridgePlan) -> None:
    check_name("overlay", plan.overlay)
    for service in plan.services:
        where = f"{what}, service {service.name}"
        _methods(where, service.allowed_methods, empty_is_fine=True)
        for limit, unit in ((service.max_concurrent, "calls"), (service.max_rps, "calls a second")):
            if limit < 1:
                raise PlanError(f"{where}: a limit of {limit} {unit} lets nothing pass; use 1 or more.")
