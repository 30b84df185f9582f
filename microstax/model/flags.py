"""What Envoy's response flags say about a side that Envoy answered for (`%RESPONSE_FLAGS%`)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from microstax.model.exchange import NotCompared

TIMEOUT: Final = "UT"
"""The upstream did not answer in time."""
NO_FLAGS: Final = frozenset({"", "-"})
"""What stands where there are none: the side answered itself."""

_REASONS: Final[Mapping[str, NotCompared]] = MappingProxyType(
    {
        TIMEOUT: NotCompared.BRANCH_TIMEOUT,  # the branch did not answer within the mirror's timeout
        "SI": NotCompared.BRANCH_TIMEOUT,  # nothing moved on the stream
        "DT": NotCompared.BRANCH_TIMEOUT,  # the stream or the request took too long
        "UMSDR": NotCompared.BRANCH_TIMEOUT,  # the upstream's longest stream duration was reached
        "DC": NotCompared.BRANCH_TIMEOUT,  # the client went away, and the copy with it, before the branch answered
        "UO": NotCompared.BRANCH_OVERFLOW,  # too many copies under way (circuit breaker)
        "RL": NotCompared.BRANCH_OVERFLOW,  # a local rate limit
        "OM": NotCompared.BRANCH_OVERFLOW,  # Envoy is short of memory
        "request_payload_too_large": NotCompared.TRUNCATED,  # a body of unknown size was larger than a copy may be
    }
)


def reason_of(flags: str | None) -> NotCompared | None:
    """Return why an answer with these flags cannot be compared; None if the side answered itself.

    Several flags come joined by commas, such as `UF,URX`; the first known one counts. Every flag that is no timeout
    and no overflow is the branch's failure: UF (no connection), UC (connection closed), UR and LR (reset), UPE (not
    HTTP), NR, NC, UH (nowhere to go).
    """
    if flags is None or flags in NO_FLAGS:
        return None
    known = (_REASONS.get(flag.strip()) for flag in flags.split(","))
    return next((reason for reason in known if reason is not None), NotCompared.BRANCH_ERROR)
