"""What one side's trace is worth to a pair: pure functions of what the trace says.

Whether two captured answers can be compared is the differ's to say; here is only what has no answer to hand on.
"""

from dataclasses import replace

from microstax.capture.tap_trace import Unusable
from microstax.model.exchange import Exchange, NotCompared, Request
from microstax.model.flags import TIMEOUT


def why_no_baseline(arrival: Exchange | Unusable) -> NotCompared | None:
    """Return why a baseline's trace gives no side of a pair, None if it does."""
    if isinstance(arrival, Unusable):
        return NotCompared.TRUNCATED if arrival.cut_short else NotCompared.UNDECODABLE
    return NotCompared.CAPTURE_GAP if arrival.response is None else None


def branch_of(arrival: Exchange | Unusable, *, overdue: bool) -> Exchange | NotCompared:
    """Return the branch's side of a pair, or why there is none. `overdue`: it was delivered when its time was over.

    A trace does not say that a stream was reset in the middle of an answer. So an answer that has no length and was
    delivered after the branch's time is taken for one that the timeout cut, and marked as Envoy marks the others. One
    that broke off before cannot be told from a whole one: it is compared, and what is missing shows as a difference.
    """
    if isinstance(arrival, Unusable):
        if not arrival.cut_short:
            return NotCompared.UNDECODABLE
        return NotCompared.BRANCH_TIMEOUT if overdue else NotCompared.BRANCH_ERROR
    if arrival.response is None:
        return arrival if overdue else NotCompared.BRANCH_ERROR
    if overdue and arrival.response.local_reason is None and not _is_known_whole(arrival):
        return replace(arrival, response=replace(arrival.response, local_reason=TIMEOUT))
    return arrival


def is_answer(arrival: Exchange | Unusable) -> bool:
    """Tell whether the side itself answered."""
    return isinstance(arrival, Exchange) and arrival.response is not None and arrival.response.local_reason is None


def are_one_request(baseline: Request, branch: Request) -> bool:
    """Tell whether two sides can have answered one request: method, authority, path, and bodies as far as captured.

    A copy names its baseline by client and time. Where a clock was set back, or two connections of one client port are
    open at once (to two listeners), two requests can claim one moment; two different ones must never become a pair.
    """
    if (baseline.path, baseline.method, baseline.authority) != (branch.path, branch.method, branch.authority):
        return False
    before, after = baseline.body, branch.body
    return before == after or before.startswith(after) or after.startswith(before)


def _is_known_whole(exchange: Exchange) -> bool:
    response = exchange.response
    return response is not None and (
        bool(response.trailers)
        or any(name == "content-length" for name, _ in response.headers)
        or exchange.request.method == "HEAD"
    )
