"""A service under traffic, second by second: an Envoy with room for 256 copies, a branch and a worker that are slow."""

import random
from collections import deque
from dataclasses import dataclass, field

from microstax.control.budget import Budget, Limits, begin, step
from microstax.control.strain import Burden, Reading
from microstax.model.shadow import MILLION

ROOM = 256
TIMEOUT_S = 15


@dataclass
class Lab:
    """Drives one budget. `branch_rps` None answers everything at once; `worker_rps` None has no limit."""

    max_rps: float = 1_000_000
    sample_ppm: int = MILLION
    branch_rps: float | None = None
    worker_rps: float | None = None
    memory_limit: int = 0
    memory_bytes: int = 0
    seed: int = 1
    now_ms: int = 0
    shares: list[int] = field(default_factory=list)
    copied: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    lags: list[int] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    _waiting: deque[tuple[int, float]] = field(default_factory=deque)
    _backlog: deque[tuple[int, float]] = field(default_factory=deque)
    _totals: list[int] = field(default_factory=lambda: [0, 0, 0])

    def __post_init__(self) -> None:
        self.budget: Budget = begin(ppm=self.sample_ppm, reading=Reading(at_ms=0, copies=0))
        self._random = random.Random(self.seed)

    @property
    def pushes(self) -> int:
        """How often the share changed: each is a push to an Envoy."""
        return sum(one != other for one, other in zip([self.sample_ppm, *self.shares], self.shares, strict=False))

    def pushes_after(self, second: int) -> int:
        return sum(one != other for one, other in zip(self.shares[second:], self.shares[second + 1 :], strict=False))

    def run(self, seconds: int, rps: float) -> "Lab":
        """Let so much traffic come for a while."""
        for _ in range(seconds):
            self._second(rps)
        return self

    def _second(self, rps: float) -> None:
        self.now_ms += 1000
        expected = rps * self.budget.ppm / MILLION
        copies = max(0, round(self._random.gauss(expected, expected**0.5)))
        refused, timeouts = self._branch(copies)
        done = self._worker(copies)
        for place, n in enumerate((copies, refused, timeouts)):
            self._totals[place] += n
        reading = Reading(
            at_ms=self.now_ms,
            copies=self._totals[0],
            refused=self._totals[1],
            timeouts=self._totals[2],
            active=round(sum(n for _, n in self._waiting)),
        )
        burden = Burden(
            lag_ms=self.lag_ms,
            arriving_rps=copies,
            done_rps=done,
            memory_bytes=self.memory_bytes,
            memory_limit=self.memory_limit,
        )
        limits = Limits(sample_ppm=self.sample_ppm, rps=self.max_rps)
        self.budget = step(self.budget, reading, limits, burden, timeout_ms=TIMEOUT_S * 1000)
        self.shares.append(self.budget.ppm)
        self.copied.append(copies)
        self.refused.append(refused)
        self.lags.append(self.lag_ms)
        self.why.append(self.budget.why)

    @property
    def lag_ms(self) -> int:
        return self.now_ms - self._backlog[0][0] if self._backlog else 0

    def _branch(self, copies: int) -> tuple[int, int]:
        """Return what was refused and what timed out."""
        if self.branch_rps is None:
            self._waiting.clear()
            return 0, 0
        left = self.branch_rps
        busy = sum(n for _, n in self._waiting)
        taken = min(copies, round(max(0, ROOM - busy) + left))
        self._waiting.append((self.now_ms, taken))
        while self._waiting and left:
            at, n = self._waiting.popleft()
            if n > left:
                self._waiting.appendleft((at, n - left))
                left = 0
            else:
                left -= n
        late = 0.0
        while self._waiting and self._waiting[0][0] <= self.now_ms - TIMEOUT_S * 1000:
            late += self._waiting.popleft()[1]
        return copies - taken, round(late)

    def _worker(self, copies: int) -> float:
        if self.worker_rps is None:
            self._backlog.clear()
            return copies
        if copies:
            self._backlog.append((self.now_ms - 500, copies))
        left = self.worker_rps
        while self._backlog and left > 0:
            at, n = self._backlog.popleft()
            if n > left:
                self._backlog.appendleft((at, n - left))
                left = 0
            else:
                left -= n
        return self.worker_rps - left
