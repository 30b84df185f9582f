"""The shadow switch: what of the baseline's traffic is mirrored into an overlay, and how."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from microstax.model.overlay import SAFE_METHODS

MILLION: Final = 1_000_000
DEFAULT_MAX_RPS: Final = 200
DEFAULT_MAX_TOTAL_RPS: Final = 1_000
DEFAULT_TTL_MS: Final = 24 * 3_600_000
MOST_TTL_MS: Final = 365 * 24 * 3_600_000
DEFAULT_MAX_BODY: Final = 64 * 1024
DEFAULT_BRANCH_TIMEOUT_MS: Final = 15_000
DEFAULT_RECHECK_RPS: Final = 5
MOST_RECHECK_RPS: Final = 100
MOST_KEPT_PAIRS: Final = 20_000
SELF_CONTROL_SHARE: Final = 50_000
"""Parts per million of requests that `--control self` mirrors back to the baseline: 5%."""


class ControlMode(StrEnum):
    """Where the second answer of the baseline's version comes from."""

    COPY = "copy"
    SELF = "self"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSettings:
    """What `env shadow --enable` was asked for. `sample_ppm` is a share in parts per million.

    Of a service's mismatches, `recheck_rps` a second are asked again of every side (0: none). `keep_pairs` pairs of a
    service are kept whatever they show; 0 keeps those that findings show. `strip_headers` are names in lower case that
    no copy carries. `ttl_ms` after it was enabled a shadow ends by itself (0: never). `max_rps` limits the copies a
    second of each service, and `max_total_rps` those of all the overlay's services together.
    """

    enabled: bool = False
    sample_ppm: int = MILLION
    max_rps: int = DEFAULT_MAX_RPS
    methods: tuple[str, ...] = SAFE_METHODS
    control: ControlMode = ControlMode.NONE
    services: tuple[str, ...] = ()
    max_body_bytes: int = DEFAULT_MAX_BODY
    branch_timeout_ms: int = DEFAULT_BRANCH_TIMEOUT_MS
    recheck_rps: int = 0
    keep_pairs: int = 0
    strip_headers: tuple[str, ...] = ()
    ttl_ms: int = DEFAULT_TTL_MS
    max_total_rps: int = DEFAULT_MAX_TOTAL_RPS
