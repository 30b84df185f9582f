"""Say of every tap trace whose it is, before anything else reads it. No I/O and no clock.

Envoy's tap writes a trace when the stream is over, from the header maps as they are then; by then the request's map is
what the application got, so no header of ours can be in it. A copy says in its response (COPY_HEADER) who it is. It
also carries its client's address and a window in time, and the baseline's trace is the one of that client whose request
the tap saw within the window (microstax.envoy.mutation says why there is only one). Traces come in any order, so a
baseline waits for its copy and a window for its baseline, bounded in number, bytes and time.

A trace leaves here with the request headers EXCHANGE_HEADER and SIDE_HEADER. One that has them already is let through.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from microstax.capture.tap_trace import EXCHANGE_HEADER, SIDE_HEADER
from microstax.model.exchange import Side
from microstax.model.shadow import DEFAULT_BRANCH_TIMEOUT_MS

COPY_HEADER: Final = "x-microstax-copy"
"""`<service>;<side>;<overlay>;<id>;<client>;<from>;<until>`, times in nanoseconds since the epoch."""

_COPY: Final = COPY_HEADER.encode()
_EXCHANGE: Final = EXCHANGE_HEADER.encode()
_SIDE: Final = SIDE_HEADER.encode()
_PARTS: Final = 7
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Named:
    """A trace (`tap_pb2.HttpBufferedTrace`) that says whose it is; `at_us` is when it came, in Unix microseconds."""

    trace: Any
    at_us: int


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """When the tap saw a request that was copied."""

    service: str
    id: str
    client: str
    since_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A baseline whose copy has not come yet."""

    trace: Any
    at_us: int
    client: str
    seen_ns: int
    size: int


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

    def take(self, trace: Any, *, at_us: int, now_us: int) -> list[Named]:
        """Return what can be named now that `trace` is here. `now_us` never goes back."""
        found = list(self.tick(now_us))
        if any(header.key == _EXCHANGE for header in trace.request.headers):
            found.append(Named(trace, at_us))
        elif (told := _told(trace)) is not None:
            found += self._copy(trace, told, at_us=at_us, now_us=now_us)
        elif (client := _address(trace.downstream_connection.remote_address)) is not None:
            found += self._baseline(trace, client, at_us=at_us, now_us=now_us)
        else:
            found.append(Named(trace, at_us))
        return found

    def tick(self, now_us: int) -> Iterator[Named]:
        """Let go of what has waited long enough."""
        while self._ages and (self._ages[0][0] <= now_us or self._is_too_much()):
            yield from self._expire(self._ages.popleft()[1])

    def flush(self) -> Iterator[Named]:
        """Let go of everything."""
        while self._ages:
            yield from self._expire(self._ages.popleft()[1])

    def _is_too_much(self) -> bool:
        return self._count > self.max_waiting or self.bytes > self.max_bytes or len(self._ages) > 4 * self.max_waiting

    def _copy(self, trace: Any, told: list[str], *, at_us: int, now_us: int) -> Iterator[Named]:
        service, side, overlay, identity, client, since, until = told
        window = _Window(service, identity, client, int(since), int(until))
        waiting = self._seen_within(window)
        if waiting is not None:
            self._release(waiting)
            yield self._named_baseline(waiting.trace, identity, service, waiting.at_us)
        else:
            self._expect(window, now_us + self.lifetime_us)
        yield _named(trace, identity, f"{service};{side};{overlay}", at_us)

    def _baseline(self, trace: Any, client: str, *, at_us: int, now_us: int) -> Iterator[Named]:
        stamp = trace.request.headers_received_time
        seen = stamp.seconds * 1_000_000_000 + stamp.nanos
        window = self._window_of(client, seen)
        if window is not None:
            self._forget(window)
            yield self._named_baseline(trace, window.id, window.service, at_us)
        else:
            self._wait(_Waiting(trace, at_us, client, seen, trace.ByteSize()), now_us + self.lifetime_us)

    def _seen_within(self, window: _Window) -> _Waiting | None:
        queue = self._waiting.get(window.client, [])
        at = bisect_left(queue, window.since_ns, key=_seen)
        return queue[at] if at < len(queue) and queue[at].seen_ns <= window.until_ns else None

    def _window_of(self, client: str, seen_ns: int) -> _Window | None:
        windows = self._windows.get(client, [])
        at = bisect_right(windows, seen_ns, key=_since) - 1
        return windows[at] if at >= 0 and seen_ns <= windows[at].until_ns else None

    def _expect(self, window: _Window, deadline_us: int) -> None:
        insort(self._windows.setdefault(window.client, []), window, key=_since)
        self._ages.append((deadline_us, window))

    def _wait(self, waiting: _Waiting, deadline_us: int) -> None:
        insort(self._waiting.setdefault(waiting.client, []), waiting, key=_seen)
        self._ages.append((deadline_us, waiting))
        self._count += 1
        self.bytes += waiting.size

    def _forget(self, window: _Window) -> bool:
        return _taken_out(
            self._windows,
            window.client,
            window,
            bisect_left(self._windows.get(window.client, []), window.since_ns, key=_since),
        )

    def _release(self, waiting: _Waiting) -> bool:
        known = _taken_out(
            self._waiting,
            waiting.client,
            waiting,
            bisect_left(self._waiting.get(waiting.client, []), waiting.seen_ns, key=_seen),
        )
        if known:
            self._count -= 1
            self.bytes -= waiting.size
        return known

    def _expire(self, old: _Window | _Waiting) -> Iterator[Named]:
        if isinstance(old, _Window):
            self._forget(old)
        elif self._release(old):
            local = _address(old.trace.downstream_connection.local_address)
            service = self._services.get(local) if local is not None else None
            if service is None:
                self.unmatched += 1
            else:
                yield self._named_baseline(old.trace, f"alone-{old.client}-{old.seen_ns}", service, old.at_us)

    def _named_baseline(self, trace: Any, identity: str, service: str, at_us: int) -> Named:
        """Name a baseline, and learn which service listens where: it tells whose a baseline is that stays alone."""
        local = _address(trace.downstream_connection.local_address)
        if local is not None:
            self._services[local] = service
        return _named(trace, identity, f"{service};{Side.BASELINE};", at_us)


_since: Final = attrgetter("since_ns")
_seen: Final = attrgetter("seen_ns")


def _taken_out(queues: dict[str, list[Any]], client: str, item: Any, at: int) -> bool:
    """Take `item` out of its client's queue, at `at` or right after it; return False if it is not there any more."""
    queue = queues.get(client, [])
    for index in range(at, len(queue)):
        if queue[index] is item:
            del queue[index]
            if not queue:
                del queues[client]
            return True
    return False


def _named(trace: Any, identity: str, side: str, at_us: int) -> Named:
    trace.request.headers.add(key=_EXCHANGE, value=identity.encode())
    trace.request.headers.add(key=_SIDE, value=side.encode())
    return Named(trace, at_us)


def _told(trace: Any) -> list[str] | None:
    """Return the parts of COPY_HEADER; None where it is not there, or not ours."""
    for header in trace.response.headers:
        if header.key == _COPY:
            parts: list[str] = (header.value or header.raw_value).decode("latin-1").split(";")
            if len(parts) == _PARTS and all(part.isascii() and part.isdigit() for part in parts[-2:]):
                return parts
    return None


def _address(address: Any) -> str | None:
    """Return `host:port` as Envoy prints it, None for what is no TCP address (a copy's, or none)."""
    if not address.HasField("socket_address"):
        return None
    host = address.socket_address.address.decode("latin-1")
    port = address.socket_address.port_value
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
