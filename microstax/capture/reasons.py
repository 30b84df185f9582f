"""Why one side's trace cannot be compared: pure functions of what the trace says."""

from collections.abc import Callable

from microstax.capture.tap_trace import Unusable
from microstax.model.exchange import Exchange, NotCompared

ReasonFor = Callable[[str], NotCompared | None]
"""Tells what Envoy's response flags mean (`microstax.envoy.reason_for`), None where the side answered after all."""


def why_no_baseline(arrival: Exchange | Unusable) -> NotCompared | None:
    """Return why a baseline's trace cannot be compared, None if it can. What its users got from Envoy is its answer."""
    if isinstance(arrival, Unusable):
        return NotCompared.TRUNCATED if arrival.cut_short else NotCompared.UNDECODABLE
    if arrival.response is None:
        return NotCompared.CAPTURE_GAP
    return NotCompared.TRUNCATED if arrival.response.truncated else None


def why_no_branch(
    arrival: Exchange | Unusable, *, age_us: int | None, timeout_us: int, reason_for: ReasonFor
) -> NotCompared | None:
    """Return why a branch's trace cannot be compared, None if it can.

    A trace does not say that a stream was reset in the middle of an answer. So an answer that has no length and was
    delivered (`age_us` after its request) when the branch's time was over is taken for one that the timeout cut.
    """
    overdue = age_us is not None and age_us >= timeout_us
    if isinstance(arrival, Unusable):
        if not arrival.cut_short:
            return NotCompared.UNDECODABLE
        return NotCompared.BRANCH_TIMEOUT if overdue else NotCompared.BRANCH_ERROR
    response = arrival.response
    if response is None:
        return NotCompared.BRANCH_TIMEOUT if overdue else NotCompared.BRANCH_ERROR
    if response.local_reason is not None and (reason := reason_for(response.local_reason)) is not None:
        return reason
    if overdue and not _is_known_whole(arrival):
        return NotCompared.BRANCH_TIMEOUT
    return NotCompared.TRUNCATED if response.truncated else None


def is_answer(arrival: Exchange | Unusable) -> bool:
    """Tell whether the side itself answered, and wholly."""
    if isinstance(arrival, Unusable) or arrival.response is None:
        return False
    return arrival.response.local_reason is None and not arrival.response.truncated


def _is_known_whole(exchange: Exchange) -> bool:
    response = exchange.response
    return response is not None and (
        bool(response.trailers)
        or any(name == "content-length" for name, _ in response.headers)
        or exchange.request.method == "HEAD"
    )
