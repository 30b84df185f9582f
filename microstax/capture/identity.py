"""Say of every tap trace whose it is, before anything else reads it. No I/O and no clock.

Envoy's tap writes a trace when the stream is over, from the header maps as they are then; by then the request's map is
what the application got, so no header of ours can be in it. A copy says in its response (COPY_HEADER) who it is. It
also carries its client's address and a window in time, and the baseline's trace is the one of that client whose request
the tap saw within the window (microstax.envoy.mutation says why there is only one). Traces come in any order, so a
baseline waits for its copy and a window for its baseline, bounded in number, bytes and time.

A trace leaves here with its `identity`, or without one where it is nobody's.
"""

import re
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, NamedTuple

from microstax.capture.tap_trace import Identity, Trace
from microstax.model.exchange import Side
from microstax.model.shadow import DEFAULT_BRANCH_TIMEOUT_MS

_TOLD: Final = re.compile(r"([^;]+);(branch|control);([^;]+);([^;]+);([^;]+);([0-9]{1,20});([0-9]{1,20})")
_SIDES: Final = {str(side): side for side in (Side.BRANCH, Side.CONTROL)}
_SECOND: Final = 1_000_000


class Named(NamedTuple):
    """A trace whose identity was looked for; `at_us` is when it came, in Unix microseconds."""

    trace: Trace
    at_us: int


@dataclass(slots=True, eq=False)
class _Window:
    """When the tap saw a request that was copied."""

    service: str
    id: str
    client: str
    since_ns: int
    until_ns: int


@dataclass(slots=True, eq=False)
class _Waiting:
    """A baseline whose copy has not come yet; `trace` is None when it is over, since its age is remembered longer."""

    trace: Trace | None
    at_us: int
    client: str
    seen_ns: int


@dataclass(slots=True)
class Identities:
    """See the module. `unmatched` counts baselines of unknown services whose copies never came.

    `lifetime_us` is how long a copy's trace may be later than its baseline's; the bounds are for what waits.
    """

    lifetime_us: int = DEFAULT_BRANCH_TIMEOUT_MS * 1000 + 3 * _SECOND
    max_waiting: int = 50_000
    max_bytes: int = 128 * 1024 * 1024
    unmatched: int = 0
    bytes: int = 0
    _windows: dict[str, list[_Window]] = field(default_factory=dict)
    _waiting: dict[str, list[_Waiting]] = field(default_factory=dict)
    _ages: deque[tuple[int, _Window | _Waiting]] = field(default_factory=deque)
    _services: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def __len__(self) -> int:
        return self._count

    def take(self, trace: Trace, *, at_us: int, now_us: int) -> list[Named]:
        """Return what can be named now that `trace` is here. `now_us` never goes back."""
        found = list(self.tick(now_us)) if self._ages and self._is_due(now_us) else []
        if trace.told is not None and (told := _TOLD.fullmatch(trace.told)) is not None:
            self._copy(trace, told.groups(), at_us=at_us, now_us=now_us, found=found)
        elif (client := trace.client) is not None:
            self._baseline(trace, client, at_us=at_us, now_us=now_us, found=found)
        else:
            found.append(Named(trace, at_us))
        return found

    def tick(self, now_us: int) -> Iterator[Named]:
        """Let go of what has waited long enough."""
        while self._ages and self._is_due(now_us):
            yield from self._expire(self._ages.popleft()[1])

    def flush(self) -> Iterator[Named]:
        """Let go of everything."""
        while self._ages:
            yield from self._expire(self._ages.popleft()[1])

    def _is_due(self, now_us: int) -> bool:
        too_much = self._count > self.max_waiting or self.bytes > self.max_bytes
        return self._ages[0][0] <= now_us or too_much or len(self._ages) > 4 * self.max_waiting

    def _copy(self, trace: Trace, told: Sequence[str], *, at_us: int, now_us: int, found: list[Named]) -> None:
        service, side, overlay, identity, client, since, until = told
        since_ns, until_ns = int(since), int(until)
        waiting = self._seen_within(client, since_ns, until_ns)
        if waiting is None:
            self._expect(_Window(service, identity, client, since_ns, until_ns), now_us + self.lifetime_us)
        elif (baseline := self._release(waiting)) is not None:
            found.append(self._named_baseline(baseline, identity, service, waiting.at_us))
        trace.identity = Identity(identity, service, _SIDES[side], overlay)
        found.append(Named(trace, at_us))

    def _baseline(self, trace: Trace, client: str, *, at_us: int, now_us: int, found: list[Named]) -> None:
        seen_ns = trace.seen_ns
        window = self._window_of(client, seen_ns)
        if window is not None:
            self._forget(window)
            found.append(self._named_baseline(trace, window.id, window.service, at_us))
        else:
            self._wait(_Waiting(trace, at_us, client, seen_ns), trace.size, now_us + self.lifetime_us)

    def _seen_within(self, client: str, since_ns: int, until_ns: int) -> _Waiting | None:
        queue = self._waiting.get(client)
        if queue is None:
            return None
        at = bisect_left(queue, since_ns, key=_seen)
        return queue[at] if at < len(queue) and queue[at].seen_ns <= until_ns else None

    def _window_of(self, client: str, seen_ns: int) -> _Window | None:
        windows = self._windows.get(client)
        if windows is None:
            return None
        at = bisect_right(windows, seen_ns, key=_since) - 1
        return windows[at] if at >= 0 and seen_ns <= windows[at].until_ns else None

    def _expect(self, window: _Window, deadline_us: int) -> None:
        insort(self._windows.setdefault(window.client, []), window, key=_since)
        self._ages.append((deadline_us, window))

    def _wait(self, waiting: _Waiting, size: int, deadline_us: int) -> None:
        insort(self._waiting.setdefault(waiting.client, []), waiting, key=_seen)
        self._ages.append((deadline_us, waiting))
        self._count += 1
        self.bytes += size

    def _forget(self, window: _Window) -> None:
        queue = self._windows.get(window.client)
        if queue is not None:
            _take_out(self._windows, window.client, window, bisect_left(queue, window.since_ns, key=_since))

    def _release(self, waiting: _Waiting) -> Trace | None:
        """Return the trace that waited, and hold it no longer; None if that was done before."""
        trace = waiting.trace
        if trace is not None:
            queue = self._waiting[waiting.client]
            _take_out(self._waiting, waiting.client, waiting, bisect_left(queue, waiting.seen_ns, key=_seen))
            self._count -= 1
            self.bytes -= trace.size
            waiting.trace = None
        return trace

    def _expire(self, old: _Window | _Waiting) -> Iterator[Named]:
        if isinstance(old, _Window):
            self._forget(old)
        elif (trace := self._release(old)) is not None:
            listener = trace.listener
            service = self._services.get(listener) if listener is not None else None
            if service is None:
                self.unmatched += 1
            else:
                yield self._named_baseline(trace, f"alone-{old.client}-{old.seen_ns}", service, old.at_us)

    def _named_baseline(self, trace: Trace, identity: str, service: str, at_us: int) -> Named:
        """Name a baseline, and learn which service listens where: it tells whose a baseline is that stays alone."""
        listener = trace.listener
        if listener is not None:
            self._services[listener] = service
        trace.identity = Identity(identity, service, Side.BASELINE)
        return Named(trace, at_us)


_since: Final = attrgetter("since_ns")
_seen: Final = attrgetter("seen_ns")


def _take_out(queues: dict[str, list[Any]], client: str, item: Any, at: int) -> None:
    """Take `item` out of its client's queue, where it is at `at` or right after it, if it is still there."""
    queue = queues[client]
    for index in range(at, len(queue)):
        if queue[index] is item:
            del queue[index]
            if not queue:
                del queues[client]
            return
