"""Pairing as scripts: `>>` what arrives, `<<` what comes of it."""

from dataclasses import dataclass, field
from typing import Self

import pytest

from microstax.capture import Command, Expected, Limits, Lost, Paired, Pairer
from microstax.capture.tap_trace import Unusable
from microstax.diff.compare import why_not_compared
from microstax.model.exchange import Exchange, Gap, NotCompared, Side
from microstax.model.shadow import ControlMode
from microstax.testing import a_request, a_response, an_exchange

SECOND = 1_000_000
TIMEOUT = 15 * SECOND
AFTER_ALL = TIMEOUT + 4 * SECOND


@dataclass(frozen=True)
class Tick:
    """Time goes by."""

    seconds: float


@dataclass(frozen=True)
class Aged:
    """A trace that is delivered some time after its request."""

    exchange: Exchange | Unusable
    seconds: float


@dataclass(frozen=True)
class Dropped:
    """Envoy's counters say that it dropped copies."""

    count: int
    overlay: str = "shadow-test"


@dataclass
class Playbook:
    """A script: after each `>>` everything that came of it must be taken with `<<`."""

    pairer: Pairer
    now: int = 1_000 * SECOND
    came: list[Command] = field(default_factory=list)

    def __rshift__(self, event: Exchange | Unusable | Tick | Aged | Dropped) -> Self:
        self.nothing_left()
        match event:
            case Tick(seconds):
                self.now += int(seconds * SECOND)
                self.came += self.pairer.tick(self.now)
            case Dropped(count, overlay):
                self.pairer.copies_dropped("catalog", overlay, count)
            case Aged(exchange, seconds):
                self.came += self.pairer.handle(exchange, now_us=self.now, age_us=int(seconds * SECOND))
            case exchange:
                self.came += self.pairer.handle(exchange, now_us=self.now)
        return self

    def __lshift__(self, expected: str | NotCompared) -> Self:
        """Expect a pair (`"branch"`, `"branch+control"`, or with `@overlay`) or a reason."""
        assert self.came, f"expected {expected}, and nothing came"
        assert shown(self.came.pop(0)) == expected
        return self

    def nothing_left(self) -> None:
        assert not self.came, f"not expected: {[shown(command) for command in self.came]}"


def shown(command: Command) -> str:
    overlay = command.triple.overlay if isinstance(command, Paired) else command.overlay
    suffix = "" if overlay == "shadow-test" else f"@{overlay}"
    if isinstance(command, Lost):
        return command.reason + suffix
    reason = why_not_compared(command.triple)
    if reason is not None:
        return f"branch: {reason}{suffix}"
    return ("branch+control" if command.triple.control else "branch") + suffix


def playbook(*expected: Expected, limits: Limits | None = None) -> Playbook:
    pairer = Pairer(limits or Limits())
    pairer.expect({"catalog": expected or (Expected(overlay="shadow-test"),)})
    return Playbook(pairer)


BASELINE = an_exchange()
BRANCH = an_exchange(Side.BRANCH)
CONTROL = an_exchange(Side.CONTROL)
COPY = Expected(overlay="shadow-test", control=ControlMode.COPY)
SELF = Expected(overlay="shadow-test", control=ControlMode.SELF)


def branch(flags: str | None = None, *, truncated: bool = False, headers: tuple[tuple[str, str], ...] = ()) -> Exchange:
    response = a_response(local_reason=flags, truncated=truncated, headers=headers)
    return an_exchange(Side.BRANCH, response=response)


def unusable(side: Side, *, cut_short: bool = False) -> Unusable:
    overlay = None if side is Side.BASELINE else "shadow-test"
    return Unusable(problem="x", id="id-1", side=side, service="catalog", overlay=overlay, cut_short=cut_short)


@pytest.fixture(autouse=True)
def _everything_is_taken(monkeypatch: pytest.MonkeyPatch) -> object:
    """Fail a test that leaves something untaken at its end."""
    books: list[Playbook] = []
    init = Playbook.__init__

    def remember(self: Playbook, *args: object, **kwargs: object) -> None:
        init(self, *args, **kwargs)  # type: ignore[arg-type]
        books.append(self)

    monkeypatch.setattr(Playbook, "__init__", remember)
    yield
    for book in books:
        book.nothing_left()


def test_both_halves_make_a_pair_in_either_order() -> None:
    playbook() >> BASELINE >> BRANCH << "branch"
    playbook() >> BRANCH >> BASELINE << "branch"


def test_the_triple_holds_what_was_captured() -> None:
    pairer = playbook(COPY).pairer
    commands = [pairer.handle(exchange, now_us=1) for exchange in (CONTROL, BRANCH, BASELINE)]
    assert commands[:2] == [[], []]
    (paired,) = commands[2]
    assert isinstance(paired, Paired)
    triple = paired.triple
    assert (triple.baseline, triple.branch, triple.control) == (BASELINE, BRANCH, CONTROL)
    assert (triple.id, triple.service, triple.overlay) == ("id-1", "catalog", "shadow-test")


def test_after_a_pair_nothing_is_kept() -> None:
    book = playbook() >> BASELINE >> BRANCH << "branch"
    assert (len(book.pairer), book.pairer.bytes, book.pairer.pending) == (0, 0, {})


def test_ids_of_different_services_are_different_requests() -> None:
    book = playbook() >> BASELINE >> an_exchange(Side.BRANCH, service="pricing")
    assert len(book.pairer) == 2


def test_a_copy_as_control_is_waited_for() -> None:
    playbook(COPY) >> BASELINE >> BRANCH >> Tick(5) >> CONTROL << "branch+control"
    playbook(COPY) >> BASELINE >> CONTROL >> BRANCH << "branch+control"


def test_a_control_that_never_comes_costs_no_pair() -> None:
    playbook(COPY) >> BASELINE >> BRANCH >> Tick(17) >> Tick(2) << "branch"


def test_a_control_that_failed_is_not_waited_for() -> None:
    for flags in ("UF", "UT", "UO"):
        failed = an_exchange(Side.CONTROL, response=a_response(local_reason=flags))
        playbook(COPY) >> BASELINE >> failed >> BRANCH << "branch"
        playbook(COPY) >> BASELINE >> BRANCH >> failed << "branch"
    playbook(COPY) >> BASELINE >> BRANCH >> unusable(Side.CONTROL) << "branch"


def test_a_control_for_a_share_of_requests_is_waited_for_shortly() -> None:
    playbook(SELF) >> BASELINE >> BRANCH >> Tick(1) >> CONTROL << "branch+control"
    playbook(SELF) >> BASELINE >> BRANCH >> Tick(1.9) >> Tick(0.2) << "branch"


def test_a_control_that_came_late_makes_the_next_pairs_wait_longer() -> None:
    """Else slow controls would be missing in the noise, and only they."""
    book = playbook(SELF) >> BASELINE >> BRANCH >> Tick(3) << "branch" >> Aged(CONTROL, 4)
    for side in (Side.BASELINE, Side.BRANCH):
        book >> an_exchange(side, id="id-2")
    book >> Tick(7) >> an_exchange(Side.CONTROL, id="id-2") << "branch+control"


def test_no_pair_waits_longer_for_its_control_than_the_branch_may_take() -> None:
    book = playbook(SELF) >> BASELINE >> BRANCH >> Tick(3) << "branch" >> Aged(CONTROL, 1_000)
    for side in (Side.BASELINE, Side.BRANCH):
        book >> an_exchange(side, id="id-2")
    book >> Tick(17.9) >> Tick(0.2) << "branch"


def test_a_late_control_changes_nothing() -> None:
    book = playbook(SELF) >> BASELINE >> BRANCH >> Tick(3) << "branch"
    book >> CONTROL
    assert book.pairer.late == 1
    assert len(book.pairer) == 0


def test_envoys_answer_in_place_of_the_branch_is_handed_on_with_its_reason() -> None:
    playbook() >> BASELINE >> branch("UT") << "branch: branch_timeout"
    playbook() >> branch("UO") >> BASELINE << "branch: branch_overflow"
    playbook(COPY) >> BASELINE >> branch("UF,URX") << "branch: branch_error"


def test_what_the_user_got_from_envoy_is_the_baselines_answer() -> None:
    playbook() >> an_exchange(response=a_response(status=503, local_reason="UF")) >> BRANCH << "branch"


def test_a_half_whose_other_half_never_comes_is_a_gap() -> None:
    playbook() >> BASELINE >> Tick(17) >> Tick(2) << NotCompared.CAPTURE_GAP
    playbook() >> BRANCH >> Tick(19) << NotCompared.CAPTURE_GAP
    playbook(COPY) >> CONTROL >> Tick(19) << NotCompared.CAPTURE_GAP
    playbook(COPY) >> BASELINE >> CONTROL >> Tick(19) << NotCompared.CAPTURE_GAP


def test_what_comes_after_it_was_given_up_is_late_and_counted_once() -> None:
    book = playbook() >> BASELINE >> Tick(19) << NotCompared.CAPTURE_GAP
    book >> BRANCH >> Tick(60)
    assert book.pairer.late == 1


def test_envoys_counters_tell_a_dropped_copy_from_a_gap() -> None:
    book = playbook() >> Dropped(1) >> BASELINE >> an_exchange(id="id-2")
    book >> Tick(19) << NotCompared.BRANCH_OVERFLOW << NotCompared.CAPTURE_GAP


def test_a_drop_explains_no_branch_that_was_seen() -> None:
    playbook() >> Dropped(1) >> BRANCH >> Tick(19) << NotCompared.CAPTURE_GAP


def test_truncated_sides() -> None:
    cut = a_response(truncated=True)
    playbook() >> BASELINE >> branch(truncated=True) << "branch: truncated"
    playbook() >> an_exchange(response=cut) >> BRANCH << "branch: truncated"
    playbook(COPY) >> BASELINE >> BRANCH >> an_exchange(Side.CONTROL, response=cut) << "branch+control"


def test_undecodable_sides() -> None:
    playbook() >> BASELINE >> unusable(Side.BRANCH) << NotCompared.UNDECODABLE
    playbook() >> unusable(Side.BASELINE) << NotCompared.UNDECODABLE >> BRANCH
    playbook() >> Unusable(problem="who knows") >> Tick(60)


def test_a_side_that_never_answered() -> None:
    silent = an_exchange(Side.BRANCH, answered=False)
    playbook() >> BASELINE >> Aged(silent, 1) << NotCompared.BRANCH_ERROR
    playbook() >> BASELINE >> Aged(silent, 15.2) << "branch: branch_timeout"
    playbook() >> an_exchange(answered=False) << NotCompared.CAPTURE_GAP >> BRANCH


def test_an_answer_that_broke_off() -> None:
    broken = unusable(Side.BRANCH, cut_short=True)
    playbook() >> BASELINE >> Aged(broken, 1) << NotCompared.BRANCH_ERROR
    playbook() >> BASELINE >> Aged(broken, 16) << NotCompared.BRANCH_TIMEOUT
    playbook() >> unusable(Side.BASELINE, cut_short=True) << NotCompared.TRUNCATED


def test_a_stream_that_outlives_its_time_is_a_timeout() -> None:
    """Envoy resets it in the middle, and the trace looks like that of a whole answer."""
    playbook() >> BASELINE >> Aged(branch(), 15.1) << "branch: branch_timeout"
    playbook() >> BASELINE >> Aged(branch(), 14.9) << "branch"


def test_a_slow_answer_that_is_known_to_be_whole_is_compared() -> None:
    playbook() >> BASELINE >> Aged(branch(headers=(("content-length", "2"),)), 15.1) << "branch"


def test_a_repeated_trace_changes_nothing() -> None:
    book = playbook(COPY) >> BASELINE >> BASELINE >> BRANCH >> BRANCH
    assert book.pairer.repeated == 2
    book >> CONTROL << "branch+control"


def test_one_baseline_pairs_with_several_overlays() -> None:
    other = an_exchange(Side.BRANCH, overlay="other")
    both = (Expected(overlay="shadow-test"), Expected(overlay="other"))
    playbook(*both) >> BRANCH >> BASELINE << "branch" >> other << "branch@other"


def test_of_several_overlays_nothing_is_claimed_for_one_of_which_nothing_was_seen() -> None:
    """Each overlay has a share of its own, and the baseline does not say which of them a request fell into."""
    both = (Expected(overlay="shadow-test"), Expected(overlay="other"))
    book = playbook(*both) >> BASELINE >> an_exchange(Side.BRANCH, overlay="other") << "branch@other"
    book >> Tick(19)
    assert (len(book.pairer), book.pairer.pending, book.pairer.unexplained) == (0, {}, 1)
    book = playbook(*both) >> Dropped(1) >> BASELINE >> Tick(19) << NotCompared.BRANCH_OVERFLOW
    assert book.pairer.unexplained == 1


def test_a_baseline_that_names_its_overlay_waits_for_no_other() -> None:
    both = (Expected(overlay="shadow-test"), Expected(overlay="other"))
    book = playbook(*both) >> an_exchange(overlay="other")
    assert book.pairer.pending == {("catalog", "other"): 1}


def test_traces_that_come_before_the_control_plane_told_of_the_shadow_are_paired() -> None:
    book = Playbook(Pairer())
    book >> BASELINE >> BRANCH << "branch"
    book >> an_exchange(id="id-2") >> Tick(60)
    assert len(book.pairer) == 0


def test_pending_counts_what_waits() -> None:
    book = playbook() >> BASELINE >> an_exchange(id="id-2")
    assert book.pairer.pending == {("catalog", "shadow-test"): 2}
    book >> BRANCH << "branch"
    assert book.pairer.pending == {("catalog", "shadow-test"): 1}


def test_beyond_the_number_the_oldest_goes() -> None:
    book = playbook(limits=Limits(entries=2)) >> BASELINE >> an_exchange(id="id-2") >> an_exchange(id="id-3")
    book << NotCompared.CAPTURE_GAP >> BRANCH
    assert book.pairer.late == 1


def test_beyond_the_bytes_the_oldest_goes() -> None:
    large = a_response(b"x" * 50_000)
    book = playbook(limits=Limits(bytes=120_000))
    (
        book
        >> an_exchange(response=large)
        >> an_exchange(id="id-2", response=large)
        >> an_exchange(id="id-3", response=large)
    )
    book << NotCompared.CAPTURE_GAP
    assert book.pairer.bytes < 120_000


def test_a_pair_that_waits_for_its_control_is_not_lost_to_a_full_table() -> None:
    book = playbook(COPY, limits=Limits(entries=1)) >> BASELINE >> BRANCH >> an_exchange(id="id-2")
    book << "branch"


def test_flush_lets_everything_go() -> None:
    book = playbook(COPY) >> BASELINE >> BRANCH >> an_exchange(id="id-2")
    book.came += book.pairer.flush()
    book << "branch" << NotCompared.CAPTURE_GAP
    assert (len(book.pairer), book.pairer.bytes) == (0, 0)


def gap_of(pairer: Pairer, *arrivals: Exchange | Unusable) -> Gap | None:
    pairer.expect({"catalog": (Expected(overlay="shadow-test"),)})
    came = [command for one in arrivals for command in pairer.handle(one, now_us=0)] + pairer.flush()
    (lost,) = came
    assert isinstance(lost, Lost)
    return lost.gap


def test_a_gap_says_what_is_missing() -> None:
    assert gap_of(Pairer(), BASELINE) is Gap.COPY_MISSING
    assert gap_of(Pairer(), BRANCH) is Gap.BASELINE_MISSING
    assert gap_of(Pairer(), an_exchange(answered=False)) is Gap.UNANSWERED
    assert gap_of(Pairer(), BASELINE, an_exchange(Side.BRANCH, request=a_request("/other"))) is Gap.MISMATCHED
    assert gap_of(Pairer(), unusable(Side.BASELINE)) is None  # undecodable is no gap
