"""What Envoy's response flags say about a copy that the branch did not answer."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from microstax.model.exchange import NotCompared

_REASONS: Final[Mapping[str, NotCompared]] = MappingProxyType(
    {
        "UT": NotCompared.BRANCH_TIMEOUT,  # the branch did not answer within the mirror's timeout
        "SI": NotCompared.BRANCH_TIMEOUT,  # nothing moved on the stream
        "DT": NotCompared.BRANCH_TIMEOUT,  # the stream or the request took too long
        "DC": NotCompared.BRANCH_TIMEOUT,  # the client went away, and the copy with it, before the branch answered
        "UO": NotCompared.BRANCH_OVERFLOW,  # too many copies under way (circuit breaker)
        "OM": NotCompared.BRANCH_OVERFLOW,  # Envoy is short of memory
        "request_payload_too_large": NotCompared.TRUNCATED,  # a body of unknown size was larger than a copy may be
    }
)
_NONE: Final = frozenset({"", "-"})


def reason_for(flags: str | None) -> NotCompared | None:
    """Return why an exchange with these flags (LOCAL_HEADER) cannot be compared; None if the side answered.

    Several flags come joined by commas, such as `UF,URX`. Every flag that is no timeout and no overflow is the
    branch's failure: UF (no connection), UC (connection closed), UR and LR (reset), UPE (not HTTP), NR, NC, UH
    (nowhere to go).
    """
    if flags is None or flags in _NONE:
        return None
    known = [_REASONS[flag] for flag in flags.split(",") if flag in _REASONS]
    return known[0] if known else NotCompared.BRANCH_ERROR
