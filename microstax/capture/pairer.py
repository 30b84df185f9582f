"""Join the exchanges of one request into a Triple, or say why there is none. No I/O and no clock.

    handle(exchange, now)  ->  [Paired(triple)] or [Lost(reason)] or [] while something is missing
    tick(now)              ->  what has waited long enough

Every (request, overlay) that was seen gives exactly one Paired or one Lost, whatever arrives late, twice, in another
order or never. What waits is bounded in number, bytes and time; the oldest goes first.

Under `--control self` only a share of the requests has a control, and nothing tells which. A pair waits a little for
one; a control that comes later still makes the pairs after it wait as long as it took, up to the shadow's timeout, so
that slow controls are not left out of the noise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from microstax.capture.asked import Asked
from microstax.capture.entry import Entry, Half, cost_of
from microstax.capture.expectations import Expectations
from microstax.capture.reasons import are_one_request, branch_of, is_answer, why_no_baseline
from microstax.capture.tap_trace import Unusable
from microstax.capture.terms import Command, Expected, Key, Limits, Lost, Paired, Place
from microstax.model.exchange import Exchange, Gap, NotCompared, Side
from microstax.model.shadow import ControlMode


@dataclass(slots=True)
class Pairer:
    """See the module. `late` and `repeated` count traces that came after, or again.

    `unexplained` counts baselines that stayed alone where several overlays could have had a copy; `mismatched` those
    that a copy's window named although they are other requests (Gap.MISMATCHED).
    """

    limits: Limits = field(default_factory=Limits)
    late: int = 0
    repeated: int = 0
    unexplained: int = 0
    mismatched: int = 0
    bytes: int = 0
    pending: dict[Place, int] = field(default_factory=dict)
    _waits_for: Expectations = field(init=False)
    _entries: dict[Key, Entry] = field(default_factory=dict)
    _over: dict[Key, None] = field(default_factory=dict)
    _graced: dict[tuple[Key, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin without shadows: what comes nevertheless is paired."""
        self._waits_for = Expectations(self.limits)

    def __len__(self) -> int:
        return len(self._entries)

    def expect(self, expected: Mapping[str, Iterable[Expected]]) -> None:
        """Replace what each service is mirrored into. What waits already stays."""
        self._waits_for.replace(expected)

    def copies_dropped(self, service: str, overlay: str, count: int) -> None:
        """Note that Envoy, by its own counters, dropped `count` copies before they could leave a trace.

        As many baselines that stay alone are then `branch_overflow` instead of `capture_gap`.
        """
        self._waits_for.copies_dropped((service, overlay), count)

    @property
    def again(self) -> frozenset[str]:
        """The services whose pairs are to come with their requests."""
        return self._waits_for.again

    def handle(
        self, arrival: Exchange | Unusable, *, now_us: int, age_us: int | None = None, asked: Asked | None = None
    ) -> list[Command]:
        """Take one trace in. `now_us` never goes back; `age_us` is the time from its request to its delivery."""
        if arrival.id is None or arrival.service is None or arrival.side is None:
            return []
        key = (arrival.service, arrival.id)
        if key in self._over:
            self._come_late(arrival, age_us)
            return []
        entry = self._entries.get(key)
        if entry is None:
            deadline = now_us + self._waits_for.lifetime_us + self.limits.slack_us
            entry = self._entries[key] = Entry(deadline, arrival.started_us)
        commands: list[Command] = []
        if asked is not None and entry.asked is None:
            entry.asked = asked
            self._hold(entry, asked.size)
        if arrival.side is Side.BASELINE:
            touched = self._baseline(key, entry, arrival)
        else:
            touched = self._copy(key, entry, arrival, commands, age_us=age_us)
        for overlay in touched:
            self._resolve(key, entry, overlay, commands, now_us=now_us)
        if entry.is_over:
            self._close(key)
        if len(self._entries) > self.limits.entries or self.bytes > self.limits.bytes:
            self._evict(commands)
        return commands

    def tick(self, now_us: int) -> list[Command]:
        """Let go of what has waited long enough."""
        commands: list[Command] = []
        for key, overlay in [graced for graced, deadline in self._graced.items() if deadline <= now_us]:
            entry = self._entries[key]
            self._pair(key, entry, overlay, commands)
            if entry.is_over:
                self._close(key)
        while self._entries:
            key = next(iter(self._entries))
            if self._entries[key].deadline > now_us:
                break
            self._expire(key, commands)
        return commands

    def flush(self) -> list[Command]:
        """Let go of everything."""
        commands: list[Command] = []
        while self._entries:
            self._expire(next(iter(self._entries)), commands)
        return commands

    def _baseline(self, key: Key, entry: Entry, arrival: Exchange | Unusable) -> Iterable[str]:
        """Take a baseline in; return the overlays of which more is known now."""
        if entry.has_baseline:
            self.repeated += 1
            return ()
        entry.baseline_lost = why_no_baseline(arrival)
        if isinstance(arrival, Exchange):
            entry.baseline = arrival
            self._hold(entry, cost_of(arrival))
        for overlay in self._waits_for.overlays(key[0]):
            if arrival.overlay in (None, overlay):
                self._half(key, entry, overlay)
        return entry.halves

    def _copy(
        self, key: Key, entry: Entry, arrival: Exchange | Unusable, commands: list[Command], *, age_us: int | None
    ) -> Iterable[str]:
        """Take a branch or a control in; return its overlay if more is known now."""
        overlay = arrival.overlay or ""
        half = self._half(key, entry, overlay)
        is_control = arrival.side is Side.CONTROL
        if half.done:
            self._come_late(arrival, age_us)
        elif half.control_settled if is_control else half.branch is not None:
            self.repeated += 1
        elif is_control:
            half.control_settled = True
            if isinstance(arrival, Exchange) and is_answer(arrival):
                half.control = arrival
                self._hold(entry, cost_of(arrival))
        else:
            overdue = age_us is not None and age_us >= self._waits_for.timeout_us((key[0], overlay))
            branch = branch_of(arrival, overdue=overdue)
            if isinstance(branch, Exchange):
                half.branch = branch
                half.control_settled = half.control_settled or not is_answer(branch)
                self._hold(entry, cost_of(branch))
            else:
                self._lose(key, entry, overlay, branch, commands)
        return () if half.done else (overlay,)

    def _come_late(self, arrival: Exchange | Unusable, age_us: int | None) -> None:
        """Count a trace whose request was told already; of a control, learn how long controls take."""
        self.late += 1
        if arrival.side is Side.CONTROL and age_us is not None:
            self._waits_for.control_came_late((arrival.service or "", arrival.overlay or ""), age_us)

    def _resolve(self, key: Key, entry: Entry, overlay: str, commands: list[Command], *, now_us: int) -> None:
        """Say what can be said of one overlay by now."""
        half = entry.halves[overlay]
        if half.done:
            return
        if entry.baseline_lost is not None:
            self._lose(key, entry, overlay, entry.baseline_lost, commands)
        elif entry.baseline is not None and half.branch is not None:
            place = (key[0], overlay)
            mode = ControlMode.NONE if half.control_settled else self._waits_for.mode(place)
            if mode is ControlMode.NONE:
                self._pair(key, entry, overlay, commands)
            elif mode is ControlMode.SELF:
                self._graced.setdefault((key, overlay), now_us + self._waits_for.patience_us(place))

    def _half(self, key: Key, entry: Entry, overlay: str) -> Half:
        half = entry.halves.get(overlay)
        if half is None:
            half = entry.halves[overlay] = Half()
            entry.open += 1
            place = (key[0], overlay)
            self.pending[place] = self.pending.get(place, 0) + 1
        return half

    def _hold(self, entry: Entry, size: int) -> None:
        entry.bytes += size
        self.bytes += size

    def _pair(self, key: Key, entry: Entry, overlay: str, commands: list[Command]) -> None:
        """Tell of a pair; baseline and branch must be there."""
        triple = entry.triple(key, overlay)
        if triple is None:  # pragma: no cover - callers have checked
            return
        if not are_one_request(triple.baseline.request, triple.branch.request):
            self.mismatched += 1
            self._lose(key, entry, overlay, NotCompared.CAPTURE_GAP, commands, gap=Gap.MISMATCHED)
            return
        self._done(key, entry, overlay)
        commands.append(Paired(triple, entry.asked))

    def _lose(
        self,
        key: Key,
        entry: Entry,
        overlay: str,
        reason: NotCompared,
        commands: list[Command],
        *,
        gap: Gap | None = None,
    ) -> None:
        """Tell of a request that is no pair, and of a capture gap, what is missing."""
        if reason is NotCompared.CAPTURE_GAP and gap is None:
            gap = entry.gap
        self._done(key, entry, overlay)
        commands.append(Lost(key[0], overlay, reason, entry.baseline, entry.started_us, gap))

    def _done(self, key: Key, entry: Entry, overlay: str) -> None:
        entry.halves[overlay].done = True
        entry.open -= 1
        if self._graced:
            self._graced.pop((key, overlay), None)
        place = (key[0], overlay)
        left = self.pending[place] - 1
        if left:
            self.pending[place] = left
        else:
            del self.pending[place]

    def _evict(self, commands: list[Command]) -> None:
        while self._entries and (len(self._entries) > self.limits.entries or self.bytes > self.limits.bytes):
            self._expire(next(iter(self._entries)), commands)

    def _expire(self, key: Key, commands: list[Command]) -> None:
        entry = self._entries[key]
        for overlay, half in entry.halves.items():
            if half.done:
                continue
            if entry.baseline is not None and half.branch is not None:
                self._pair(key, entry, overlay, commands)
            elif (reason := self._waits_for.why_alone((key[0], overlay), half)) is not None:
                self._lose(key, entry, overlay, reason, commands)
            else:
                self.unexplained += 1
                self._done(key, entry, overlay)
        self._close(key)

    def _close(self, key: Key) -> None:
        self.bytes -= self._entries.pop(key).bytes
        self._over[key] = None
        if len(self._over) > self.limits.remembered:
            del self._over[next(iter(self._over))]
