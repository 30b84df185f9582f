"""Join the exchanges of one request into a Triple, or say why there is none. No I/O and no clock.

    handle(exchange, now)  ->  [Paired(triple)] or [Lost(reason)] or [] while something is missing
    tick(now)              ->  what has waited long enough

Every (request, overlay) that was seen gives exactly one Paired or one Lost, whatever arrives late, twice, in another
order or never. What waits is bounded in number, bytes and time; the oldest goes first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from microstax.capture.reasons import branch_of, is_answer, why_no_baseline
from microstax.capture.tap_trace import Unusable
from microstax.model.exchange import Exchange, NotCompared, Side, Triple
from microstax.model.shadow import DEFAULT_BRANCH_TIMEOUT_MS, ControlMode

SECOND: Final = 1_000_000
_EXCHANGE_BYTES: Final = 2_048
"""What an exchange costs beside its bodies, roughly."""

Key = tuple[str, str]
Place = tuple[str, str]
"""(service, overlay)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One overlay that a service is mirrored into, and how long its answers may take."""

    overlay: str
    control: ControlMode = ControlMode.NONE
    timeout_us: int = DEFAULT_BRANCH_TIMEOUT_MS * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of what waits. `slack_us` is what the tap may add to a timeout: two polls and a busy collector.

    `self_control_us` is how long a pair waits for a control that only a share of the requests has.
    """

    entries: int = 50_000
    bytes: int = 256 * 1024 * 1024
    slack_us: int = 3 * SECOND
    self_control_us: int = 2 * SECOND
    remembered: int = 50_000


@dataclass(frozen=True, slots=True)
class Paired:
    """All that will come of one request has come. Whether it can be compared is the differ's to say."""

    triple: Triple


@dataclass(frozen=True, slots=True)
class Lost:
    """A mirrored request of which a side is missing."""

    service: str
    overlay: str
    reason: NotCompared


Command = Paired | Lost


@dataclass(slots=True)
class _Half:
    """What is known of one overlay's share in a request."""

    branch: Exchange | None = None
    control: Exchange | None = None
    control_settled: bool = False
    done: bool = False


@dataclass(slots=True)
class _Entry:
    """One request."""

    deadline: int
    baseline: Exchange | None = None
    baseline_lost: NotCompared | None = None
    halves: dict[str, _Half] = field(default_factory=dict)
    bytes: int = 0

    @property
    def is_over(self) -> bool:
        seen = self.baseline is not None or self.baseline_lost is not None
        return seen and bool(self.halves) and all(half.done for half in self.halves.values())


@dataclass(slots=True)
class Pairer:
    """See the module. `late` and `repeated` count traces that came after, or again.

    `unexplained` counts baselines that stayed alone where several overlays could have had a copy.
    """

    limits: Limits = field(default_factory=Limits)
    late: int = 0
    repeated: int = 0
    unexplained: int = 0
    bytes: int = 0
    pending: dict[Place, int] = field(default_factory=dict)
    _expected: dict[str, dict[str, Expected]] = field(default_factory=dict)
    _lifetime: int = DEFAULT_BRANCH_TIMEOUT_MS * 1000
    _entries: dict[Key, _Entry] = field(default_factory=dict)
    _over: dict[Key, None] = field(default_factory=dict)
    _graced: dict[tuple[Key, str], int] = field(default_factory=dict)
    _dropped: dict[Place, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._entries)

    def expect(self, expected: Mapping[str, Iterable[Expected]]) -> None:
        """Replace what each service is mirrored into. What waits already stays."""
        self._expected = {service: {one.overlay: one for one in many} for service, many in expected.items()}
        timeouts = [one.timeout_us for many in self._expected.values() for one in many.values()]
        self._lifetime = max(timeouts, default=DEFAULT_BRANCH_TIMEOUT_MS * 1000)

    def copies_dropped(self, service: str, overlay: str, count: int) -> None:
        """Note that Envoy, by its own counters, dropped `count` copies before they could leave a trace.

        As many baselines that stay alone are then `branch_overflow` instead of `capture_gap`.
        """
        place = (service, overlay)
        self._dropped[place] = self._dropped.get(place, 0) + count

    def handle(self, arrival: Exchange | Unusable, *, now_us: int, age_us: int | None = None) -> list[Command]:
        """Take one trace in. `now_us` never goes back; `age_us` is the time from its request to its delivery."""
        if arrival.id is None or arrival.service is None or arrival.side is None:
            return []
        key = (arrival.service, arrival.id)
        if key in self._over:
            self.late += 1
            return []
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(now_us + self._lifetime + self.limits.slack_us)
        commands: list[Command] = []
        if arrival.side is Side.BASELINE:
            self._baseline(key, entry, arrival, commands, now_us=now_us)
        elif arrival.overlay is not None:
            self._copy(key, entry, arrival, commands, now_us=now_us, age_us=age_us)
        if entry.is_over:
            self._close(key)
        if len(self._entries) > self.limits.entries or self.bytes > self.limits.bytes:
            self._evict(commands)
        return commands

    def tick(self, now_us: int) -> list[Command]:
        """Let go of what has waited long enough."""
        commands: list[Command] = []
        for (key, overlay), deadline in list(self._graced.items()):
            if deadline > now_us:
                break
            self._without_control(key, overlay, commands)
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

    def _baseline(
        self, key: Key, entry: _Entry, arrival: Exchange | Unusable, commands: list[Command], *, now_us: int
    ) -> None:
        if entry.baseline is not None or entry.baseline_lost is not None:
            self.repeated += 1
            return
        entry.baseline_lost = why_no_baseline(arrival)
        if isinstance(arrival, Exchange):
            entry.baseline = arrival
            self._hold(entry, arrival)
        for overlay in self._expected.get(key[0], ()):
            if arrival.overlay in (None, overlay):
                self._half(key, entry, overlay)
        for overlay in entry.halves:
            self._resolve(key, entry, overlay, commands, now_us=now_us)

    def _copy(
        self,
        key: Key,
        entry: _Entry,
        arrival: Exchange | Unusable,
        commands: list[Command],
        *,
        now_us: int,
        age_us: int | None,
    ) -> None:
        overlay = arrival.overlay or ""
        half = self._half(key, entry, overlay)
        if half.done:
            self.late += 1
        elif arrival.side is Side.CONTROL:
            self._control(entry, half, arrival)
        elif half.branch is not None:
            self.repeated += 1
            return
        else:
            self._branch(key, entry, overlay, arrival, commands, age_us=age_us)
        self._resolve(key, entry, overlay, commands, now_us=now_us)

    def _branch(
        self,
        key: Key,
        entry: _Entry,
        overlay: str,
        arrival: Exchange | Unusable,
        commands: list[Command],
        *,
        age_us: int | None,
    ) -> None:
        half = entry.halves[overlay]
        overdue = age_us is not None and age_us >= self._timeout(key[0], overlay)
        branch = branch_of(arrival, overdue=overdue)
        if isinstance(branch, Exchange):
            half.branch = branch
            half.control_settled = half.control_settled or not is_answer(branch)
            self._hold(entry, branch)
        else:
            self._lose(key, half, overlay, branch, commands)

    def _control(self, entry: _Entry, half: _Half, arrival: Exchange | Unusable) -> None:
        if half.control_settled:
            self.repeated += 1
            return
        half.control_settled = True
        if isinstance(arrival, Exchange) and is_answer(arrival):
            half.control = arrival
            self._hold(entry, arrival)

    def _resolve(self, key: Key, entry: _Entry, overlay: str, commands: list[Command], *, now_us: int) -> None:
        """Say what can be said of one overlay by now."""
        half = entry.halves[overlay]
        if half.done:
            return
        if entry.baseline_lost is not None:
            self._lose(key, half, overlay, entry.baseline_lost, commands)
        elif entry.baseline is not None and half.branch is not None:
            mode = self._mode(key[0], overlay)
            if half.control_settled or mode is ControlMode.NONE:
                self._pair(key, entry, overlay, commands)
            elif mode is ControlMode.SELF:
                self._graced.setdefault((key, overlay), now_us + self.limits.self_control_us)

    def _mode(self, service: str, overlay: str) -> ControlMode:
        expected = self._expected.get(service, {}).get(overlay)
        return expected.control if expected is not None else ControlMode.NONE

    def _timeout(self, service: str, overlay: str) -> int:
        expected = self._expected.get(service, {}).get(overlay)
        return expected.timeout_us if expected is not None else self._lifetime

    def _half(self, key: Key, entry: _Entry, overlay: str) -> _Half:
        half = entry.halves.get(overlay)
        if half is None:
            half = entry.halves[overlay] = _Half()
            place = (key[0], overlay)
            self.pending[place] = self.pending.get(place, 0) + 1
        return half

    def _hold(self, entry: _Entry, exchange: Exchange) -> None:
        size = _EXCHANGE_BYTES + len(exchange.request.body)
        if exchange.response is not None:
            size += len(exchange.response.body)
        entry.bytes += size
        self.bytes += size

    def _pair(self, key: Key, entry: _Entry, overlay: str, commands: list[Command]) -> None:
        half = entry.halves[overlay]
        if entry.baseline is None or half.branch is None:  # pragma: no cover - callers have checked
            return
        triple = Triple(
            id=key[1],
            service=key[0],
            overlay=overlay,
            baseline=entry.baseline,
            branch=half.branch,
            control=half.control,
        )
        self._done(key, half, overlay)
        commands.append(Paired(triple))

    def _lose(self, key: Key, half: _Half, overlay: str, reason: NotCompared, commands: list[Command]) -> None:
        self._done(key, half, overlay)
        commands.append(Lost(key[0], overlay, reason))

    def _done(self, key: Key, half: _Half, overlay: str) -> None:
        half.done = True
        self._graced.pop((key, overlay), None)
        place = (key[0], overlay)
        left = self.pending[place] - 1
        if left:
            self.pending[place] = left
        else:
            del self.pending[place]

    def _without_control(self, key: Key, overlay: str, commands: list[Command]) -> None:
        entry = self._entries[key]
        self._pair(key, entry, overlay, commands)
        if entry.is_over:
            self._close(key)

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
            elif (reason := self._why_alone(key[0], overlay, half)) is not None:
                self._lose(key, half, overlay, reason, commands)
            else:
                self.unexplained += 1
                self._done(key, half, overlay)
        self._close(key)

    def _why_alone(self, service: str, overlay: str, half: _Half) -> NotCompared | None:
        """Return why one side stayed alone.

        Of several overlays, each has its own share, methods and size, and a baseline does not say which of them apply:
        there nothing is claimed for an overlay of which nothing was seen. What is missing shows in Envoy's counters.
        """
        place = (service, overlay)
        dropped = self._dropped.get(place, 0)
        if half.branch is None and dropped:
            self._dropped[place] = dropped - 1
            return NotCompared.BRANCH_OVERFLOW
        unseen = half.branch is None and not half.control_settled
        return None if unseen and len(self._expected.get(service, ())) > 1 else NotCompared.CAPTURE_GAP

    def _close(self, key: Key) -> None:
        self.bytes -= self._entries.pop(key).bytes
        self._over[key] = None
        if len(self._over) > self.limits.remembered:
            del self._over[next(iter(self._over))]
