"""Compare the exchanges of one request: the pure heart of the differ."""

from dataclasses import dataclass
from typing import Final

from microstax.diff.arrays import Aligner
from microstax.diff.bodies import Body, compare_bodies
from microstax.diff.headers import compare_headers
from microstax.diff.rules import DEFAULT_RULES, Rules
from microstax.diff.variations import Variation
from microstax.diff.walk import Align
from microstax.model.difference import Difference, StatusDifference
from microstax.model.exchange import Exchange, NotCompared, Response, Triple
from microstax.model.flags import reason_of

_BODILESS: Final = frozenset({204, 205, 304})
_PLAIN: Final[Align] = Aligner()


@dataclass(frozen=True, slots=True, kw_only=True)
class TripleComparison:
    """The differences of one request, for showing it.

    `control` is None where no control answered. `not_compared` says why there is no pair (then `branch` is empty), or,
    with `truncated` and `undecodable`, that the bodies were left out.
    """

    branch: tuple[Difference, ...]
    control: tuple[Difference, ...] | None
    not_compared: NotCompared | None


class Answer:
    """An exchange and its body, which is read at most once however often it is compared."""

    __slots__ = ("body", "exchange")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.body = Body(exchange)


def compare(baseline: Exchange, branch: Exchange, rules: Rules = DEFAULT_RULES) -> tuple[Difference, ...]:
    """Return in which ways the branch's answer differs from the baseline's; empty where either has none.

    Answers of different status classes (200 and 500) differ in their status and in nothing else: that their bodies
    differ too is no news. Never raises, whatever the answers hold.
    """
    return _for_people(compare_answers(Answer(baseline), Answer(branch), rules=rules, align=_PLAIN))


def compare_triple(triple: Triple, rules: Rules = DEFAULT_RULES) -> TripleComparison:
    """Compare all exchanges of one request."""
    reason = why_not_compared(triple)
    baseline, control = Answer(triple.baseline), usable_control(triple)
    branch, noise = triple.branch if is_pair(triple) else None, None
    found = () if branch is None else compare_answers(baseline, Answer(branch), rules=rules, align=_PLAIN)
    if control is not None:
        noise = _for_people(compare_answers(baseline, Answer(control), rules=rules, align=_PLAIN))
    return TripleComparison(branch=_for_people(found), control=noise, not_compared=reason)


def compare_answers(base: Answer, other: Answer, *, rules: Rules, align: Align) -> tuple[Difference | Variation, ...]:
    """Compare two answers as `compare` does; `align` pairs the elements of arrays. Other values come as Variation."""
    left, right = base.exchange.response, other.exchange.response
    if left is None or right is None:
        return ()
    status = _compare_status(left, right)
    if left.status // 100 != right.status // 100 or any(difference.grpc for difference in status):
        return status
    headers = compare_headers(base.exchange, other.exchange, rules)
    if not _bodies_compare(base.exchange, other.exchange):
        return status + headers
    return status + headers + compare_bodies(base.body, other.body, rules=rules, align=align)


def why_not_compared(triple: Triple) -> NotCompared | None:
    """Return why a triple is no pair, None if it is one.

    A baseline's answer that Envoy gave in its place is what the users got, and stays comparable. Where the branch
    answered itself, status and headers are compared in spite of a reason (see `is_pair`); the bodies are not.
    """
    baseline, branch = triple.baseline.response, triple.branch.response
    if baseline is None:
        return NotCompared.CAPTURE_GAP
    if branch is None:
        return NotCompared.BRANCH_TIMEOUT
    if branch.local_reason is not None:
        return reason_of(branch.local_reason)
    if baseline.truncated or branch.truncated:
        return NotCompared.TRUNCATED
    if (baseline.encoded or branch.encoded) and baseline.body != branch.body:
        return NotCompared.UNDECODABLE
    return None


def is_pair(triple: Triple) -> bool:
    """Tell whether at least status and headers can be compared: whether the branch itself answered."""
    baseline, branch = triple.baseline.response, triple.branch.response
    return baseline is not None and branch is not None and branch.local_reason is None


def usable_control(triple: Triple) -> Exchange | None:
    """Return the control if it answered itself and wholly: a control that failed measures no noise."""
    control = triple.control
    if control is None or control.response is None or control.response.local_reason is not None:
        return None
    return None if control.response.truncated or control.response.encoded else control


def _for_people(found: tuple[Difference | Variation, ...]) -> tuple[Difference, ...]:
    return tuple(one.difference() if isinstance(one, Variation) else one for one in found)


def _compare_status(left: Response, right: Response) -> tuple[StatusDifference, ...]:
    if left.status != right.status:
        return (StatusDifference(left.status, right.status),)
    before, after = _grpc_status(left), _grpc_status(right)
    if before == after or before is None or after is None:
        return ()
    return (StatusDifference(before, after, grpc=True),)


def _grpc_status(response: Response) -> int | None:
    """Return the code of a call: in the trailers, or in the headers of an answer that has nothing else."""
    for name, value in (*response.trailers, *response.headers) if response.trailers else response.headers:
        if name == "grpc-status":
            return int(value) if value.isascii() and value.isdigit() and len(value) < 4 else None  # noqa: PLR2004
    return None


def _bodies_compare(base: Exchange, other: Exchange) -> bool:
    if base.request.method == "HEAD" or base.response is None or other.response is None:
        return False
    left, right = base.response, other.response
    if left.truncated or right.truncated or ((left.encoded or right.encoded) and left.body != right.body):
        return False
    return not (left.status in _BODILESS and right.status in _BODILESS)
