"""Mismatches that wait to be asked again, within a budget. No I/O and no clock.

Times are microseconds that never go back.

offer(item)   -> there is room for it, or it is over the budget
overdue(now)  -> what has waited too long, and is over the budget, too
start(now)    -> the next one to ask, if the budget and the number of those under way allow it
finish()      -> one of those under way has ended
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

T = TypeVar("T")
SECOND: Final = 1_000_000
MOST_RUNNING: Final = 2
"""Of one service at a time."""
MOST_WAITING: Final = 64
MOST_BYTES: Final = 8 * 1024 * 1024
PATIENCE_US: Final = 2 * SECOND
"""How long one waits: with the time that asking may take, it stays within what an account allows a pair to take."""


@dataclass(slots=True)
class Budget:
    """Allows `rps` in any second: a sliding window, exact where a bucket of tokens lets twice as many pass."""

    rps: int
    _taken: deque[int] = field(default_factory=deque)

    def take(self, now_us: int) -> bool:
        """Take one, if the second that ends now has room for it."""
        while self._taken and self._taken[0] <= now_us - SECOND:
            self._taken.popleft()
        if len(self._taken) >= self.rps:
            return False
        self._taken.append(now_us)
        return True


@dataclass(slots=True)
class Waiting(Generic[T]):
    """See the module."""

    budget: Budget
    running: int = 0
    bytes: int = 0
    _items: deque[tuple[int, int, T]] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._items)

    def offer(self, item: T, *, size: int, now_us: int) -> bool:
        """Let `item`, of about `size` bytes, wait; False where there is no room."""
        if len(self._items) >= MOST_WAITING or self.bytes + size > MOST_BYTES:
            return False
        self._items.append((now_us, size, item))
        self.bytes += size
        return True

    def overdue(self, now_us: int) -> list[T]:
        """Let go of what has waited too long."""
        gone: list[T] = []
        while self._items and self._items[0][0] <= now_us - PATIENCE_US:
            gone.append(self._next())
        return gone

    def start(self, now_us: int) -> T | None:
        """Return the oldest one to ask now, None where there is none or it has to wait."""
        if not self._items or self.running >= MOST_RUNNING or not self.budget.take(now_us):
            return None
        self.running += 1
        return self._next()

    def finish(self) -> None:
        """Note the end of one that was started."""
        self.running -= 1

    def drain(self) -> list[T]:
        """Let go of everything that waits."""
        return [self._next() for _ in range(len(self._items))]

    def _next(self) -> T:
        _, size, item = self._items.popleft()
        self.bytes -= size
        return item
