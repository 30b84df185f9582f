"""What a target says of its shadows, in the words of those who need it. Pure."""

from dataclasses import dataclass
from typing import Final

from microstax.capture import Expected
from microstax.generated.management.microstax.management.v1 import Target
from microstax.model.exchange import Side
from microstax.model.shadow import DEFAULT_MAX_BODY, ControlMode

Place = tuple[str, str]
"""(overlay, service)"""
_LEAST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the sides of one shadowed service listen, and how often they may be asked again, a second.

    `most_bytes` is what an answer's body may have. `strip_headers` are what a copy lacks, names in lower case.
    """

    addresses: dict[Side, str]
    rps: int
    most_bytes: int = _LEAST_BYTES
    strip_headers: frozenset[bytes] = frozenset()


def expected(target: Target) -> dict[str, list[Expected]]:
    """Return what every service is mirrored into."""
    found: dict[str, list[Expected]] = {}
    for shadow in target.shadows:
        one = Expected(
            overlay=shadow.overlay,
            control=ControlMode(shadow.control) if shadow.control in set(ControlMode) else ControlMode.NONE,
            timeout_us=shadow.timeout_ms * 1000,
            again=shadow.recheck_rps > 0,
        )
        found.setdefault(shadow.service, []).append(one)
    return found


def sites(target: Target) -> dict[Place, Site]:
    """Return where mismatches are asked again; nothing of a shadow that does not do that."""
    return {
        (shadow.overlay, shadow.service): Site(
            addresses={
                side: address
                for side, address in (
                    (Side.BASELINE, shadow.baseline_address),
                    (Side.BRANCH, shadow.branch_address),
                    (Side.CONTROL, shadow.control_address),
                )
                if address
            },
            rps=shadow.recheck_rps,
            most_bytes=max(_LEAST_BYTES, max_body(target)),
            strip_headers=frozenset(name.encode() for name in shadow.strip_headers),
        )
        for shadow in target.shadows
        if shadow.recheck_rps > 0
    }


def max_body(target: Target) -> int:
    """Return how many bytes of a body the tap keeps."""
    return max((shadow.max_body_bytes for shadow in target.shadows), default=0) or DEFAULT_MAX_BODY
