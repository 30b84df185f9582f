"""The fence around an overlay in words: what passes its bridge, and how much of it."""

from collections.abc import Iterator

from microstax.model.environment import EnvironmentSpec, ServiceSpec
from microstax.model.overlay import BridgeLimits, OverlaySpec


def fence_lines(spec: OverlaySpec, baseline: EnvironmentSpec) -> list[str]:
    """Return what a dry run says of the bridge, one `name: text` a line."""
    bridged = [service for service in baseline.services if spec.service(service.name) is None]
    if not bridged:
        return ["bridged: nothing, the overlay runs every service"]
    lines = [f"bridged: {', '.join(_reached(spec, service) for service in bridged)}"]
    lines.append(f"fence:   safe calls pass, others get 403; to each service {limits_text(spec.limits)}")
    lines += [
        f"limit:   {service.name}: {limits_text(spec.limits_of(service.name))}"
        for service in bridged
        if spec.limits_of(service.name) != spec.limits
    ]
    if spec.direct:
        lines.append("direct:  its processes may connect past the bridge, to the baseline's own ports")
    return lines


def limits_text(limits: BridgeLimits) -> str:
    """Return limits for people: `at most 64 calls at a time and 1,000 a second`."""
    calls = "call" if limits.max_concurrent == 1 else "calls"
    return f"at most {limits.max_concurrent:,} {calls} at a time and {limits.max_rps:,} a second"


def allowed_words(spec: OverlaySpec, service: ServiceSpec) -> str:
    """Return what passes beside safe calls, such as `POST, PUT` or `TCP`; empty where nothing does."""
    return ", ".join(_allowed(spec, service))


def _allowed(spec: OverlaySpec, service: ServiceSpec) -> Iterator[str]:
    allowance = spec.allowance(service.name)
    if service.is_tcp:
        yield from ["TCP"] if allowance.tcp else []
        return
    yield from allowance.methods
    yield from ["bodies of safe calls"] if allowance.bodies else []


def _reached(spec: OverlaySpec, service: ServiceSpec) -> str:
    allowed = allowed_words(spec, service)
    if allowed:
        return f"{service.name} ({allowed} allowed)"
    return f"{service.name} (TCP, refused)" if service.is_tcp else service.name
