"""What holds for the pairer whatever comes, in any order (Hypothesis)."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from microstax.capture import Command, Expected, Limits, Lost, Paired, Pairer
from microstax.capture.tap_trace import Unusable
from microstax.model.exchange import Exchange, Side
from microstax.model.shadow import ControlMode
from microstax.testing import a_response, an_exchange

OVERLAYS = ("one", "two", "unasked")
IDS = st.integers(0, 12).map("id-{}".format)
COPIES = st.sampled_from([Side.BRANCH, Side.CONTROL])
LIMITS = Limits(entries=6, bytes=40_000, remembered=1_000)


class PairerMachine(RuleBasedStateMachine):
    """Every (request, overlay) gives at most one outcome, and everything that was seen gives one in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.pairer = Pairer(LIMITS)
        self.pairer.expect(
            {
                "catalog": (
                    Expected(overlay="one", control=ControlMode.COPY),
                    Expected(overlay="two", control=ControlMode.SELF, timeout_us=1_000_000),
                )
            }
        )
        self.now = 1
        self.seen: set[tuple[str, str]] = set()
        self.paired: Counter[tuple[str, str]] = Counter()
        self.lost = 0

    def take(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Paired(triple):
                    assert triple.baseline.id == triple.branch.id == triple.id
                    assert triple.baseline.side is Side.BASELINE
                    assert triple.branch.side is Side.BRANCH
                    assert triple.branch.overlay == triple.overlay
                    if triple.control is not None:
                        assert (triple.control.id, triple.control.overlay) == (triple.id, triple.overlay)
                        assert triple.control.side is Side.CONTROL
                    self.paired[triple.id, triple.overlay] += 1
                case Lost():
                    self.lost += 1

    def give(self, arrival: Exchange | Unusable, *overlays: str) -> None:
        late = self.pairer.late
        self.take(self.pairer.handle(arrival, now_us=self.now))
        if self.pairer.late == late:
            self.seen |= {(str(arrival.id), overlay) for overlay in overlays}

    @rule(id=IDS, truncated=st.booleans())
    def baseline(self, id: str, *, truncated: bool) -> None:  # noqa: A002
        self.give(an_exchange(id=id, response=a_response(truncated=truncated)), "one", "two")

    @rule(id=IDS, side=COPIES, overlay=st.sampled_from(OVERLAYS), flags=st.sampled_from([None, "UT", "UF"]))
    def copy(self, id: str, side: Side, overlay: str, flags: str | None) -> None:  # noqa: A002
        self.give(an_exchange(side, id=id, overlay=overlay, response=a_response(local_reason=flags)), overlay)

    @rule(id=IDS, side=st.sampled_from(list(Side)))
    def broken(self, id: str, side: Side) -> None:  # noqa: A002
        overlays = ("one", "two") if side is Side.BASELINE else ("one",)
        overlay = None if side is Side.BASELINE else "one"
        self.give(Unusable(problem="x", id=id, side=side, service="catalog", overlay=overlay), *overlays)

    @rule(seconds=st.sampled_from([0.1, 1, 3, 20]))
    def time_goes_by(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)
        self.take(self.pairer.tick(self.now))

    @rule(count=st.integers(1, 3))
    def dropped(self, count: int) -> None:
        self.pairer.copies_dropped("catalog", "one", count)

    @property
    def told(self) -> int:
        return self.paired.total() + self.lost + self.pairer.unexplained

    @invariant()
    def what_waits_is_bounded(self) -> None:
        assert len(self.pairer) <= LIMITS.entries
        assert self.pairer.bytes <= LIMITS.bytes

    @invariant()
    def every_request_is_told_once_or_waits(self) -> None:
        assert set(self.paired.values()) <= {1}
        assert self.told + sum(self.pairer.pending.values()) == len(self.seen)

    def teardown(self) -> None:
        self.take(self.pairer.flush())
        assert self.pairer.pending == {}
        assert (len(self.pairer), self.pairer.bytes) == (0, 0)
        assert self.told == len(self.seen)


TestPairer = PairerMachine.TestCase
TestPairer.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
