"""Ask mismatches again of every side, and count what came back (microstax.worker.recurring).

Only safe requests that were captured whole, on both sides, are asked again; at most two at a time of one service and
no more a second than the shadow allows. Waiting is bounded, in number, bytes and time, and holds up nothing else: a
mismatch that finds no room, or of which a side does not answer in time, counts as it was.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from microstax.capture import Asked, Command, Paired, RawAnswer, RawRequest
from microstax.capture.entry import cost_of
from microstax.diff.aggregate import Sides
from microstax.diff.compare import usable_control
from microstax.model.exchange import Exchange, Response, Side, Triple
from microstax.model.overlay import SAFE_METHODS
from microstax.worker.asking import UnansweredError, ask
from microstax.worker.ledger import Ledger
from microstax.worker.notices import Notices
from microstax.worker.recurring import recurring, tells_apart
from microstax.worker.results import Recheck
from microstax.worker.sites import Place, Site
from microstax.worker.waiting import Budget, Waiting

TIMEOUT_S: Final = 2.0
"""In which all sides have to answer; an account allows a pair to wait so long (control.coverage.DELIVERY_MS)."""
_Task = asyncio.Task[tuple[Recheck, Sides]]
ReadAnswer = Callable[[RawAnswer, str], Response | None]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class _Mismatch:
    pair: Paired
    sides: Sides
    at_ms: int


@dataclass(slots=True)
class Rechecker:
    """Takes the pairs of one Envoy that may be asked again. `read` makes a redacted Response of an answer."""

    ledger: Ledger
    read: ReadAnswer
    notices: Notices
    node_id: str = ""
    _sites: dict[Place, Site] = field(default_factory=dict)
    _waiting: dict[Place, Waiting[_Mismatch]] = field(default_factory=dict)
    _tasks: dict[_Task, tuple[Place, _Mismatch, Waiting[_Mismatch]]] = field(default_factory=dict)
    _is_over: bool = True

    def begin(self) -> None:
        """Ask from now on, until `end`."""
        self._is_over = False

    def aim(self, sites: Mapping[Place, Site]) -> None:
        """Replace what is asked again, and where. What waits of others is counted as it was."""
        for place in [place for place in self._waiting if place not in sites]:
            self._let_go(self._waiting.pop(place).drain())
        self._sites = dict(sites)
        for place, site in sites.items():
            waiting = self._waiting.get(place)
            if waiting is None:
                self._waiting[place] = Waiting(Budget(site.rps))
            elif waiting.budget.rps != site.rps:
                waiting.budget = Budget(site.rps)

    def take(self, command: Command, *, at_ms: int) -> bool:
        """Take over a pair that may be asked again, `at_ms` as in Ledger.take; False for all others."""
        if not isinstance(command, Paired) or command.asked is None or self._is_over:
            return False
        triple = command.triple
        place = (triple.overlay, triple.service)
        site = self._sites.get(place)
        if site is None or not _is_askable(triple, site):
            return False
        sides = self.ledger.differences(triple)
        if sides is None or not tells_apart(sides):
            self.ledger.add(triple, sides, at_ms=at_ms, node_id=self.node_id)
            return True
        mismatch, now_us = _Mismatch(command, sides, at_ms), _now_us()
        if not self._waiting[place].offer(mismatch, size=_size(command), now_us=now_us):
            self._settle(mismatch, Recheck.OVER_BUDGET)
        self._start(place, now_us)
        return True

    def tick(self) -> None:
        """Go on with what the budget allows by now."""
        for place in self._waiting:
            self._start(place, _now_us())

    @property
    def pending(self) -> dict[Place, int]:
        """How many pairs wait or are being asked."""
        held = {place: len(waiting) + waiting.running for place, waiting in self._waiting.items()}
        return {place: count for place, count in held.items() if count}

    def end(self) -> None:
        """Ask nothing more: what waits is counted as it was. `ended` waits for what is under way."""
        self._is_over = True
        for waiting in self._waiting.values():
            self._let_go(waiting.drain())
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        """Wait until nothing is under way any more."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, place: Place, now_us: int) -> None:
        waiting, site = self._waiting[place], self._sites[place]
        self._let_go(waiting.overdue(now_us))
        while (mismatch := waiting.start(now_us)) is not None:
            task = asyncio.get_running_loop().create_task(self._recheck(mismatch, site))
            self._tasks[task] = (place, mismatch, waiting)
            task.add_done_callback(self._done)

    def _done(self, task: _Task) -> None:
        """Count what one came to; one that was cancelled counts as it was."""
        place, mismatch, waiting = self._tasks.pop(task)
        waiting.finish()
        outcome, sides = (Recheck.FAILED, mismatch.sides) if task.cancelled() else task.result()
        self._settle(replace(mismatch, sides=sides), outcome)
        if not self._is_over and waiting is self._waiting.get(place):
            self._start(place, _now_us())

    async def _recheck(self, mismatch: _Mismatch, site: Site) -> tuple[Recheck, Sides]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                again = await self._ask(mismatch.pair.triple, mismatch.pair.asked, site)
            found = self.ledger.differences(again) if again is not None else None
        except TimeoutError:
            found = None
        except Exception as error:  # noqa: BLE001 - whatever it is, the pair counts
            self.notices.failure("a mismatch cannot be asked again", error)
            found = None
        if found is None or (found.control is None) != (mismatch.sides.control is None):
            return Recheck.FAILED, mismatch.sides
        sides = recurring(mismatch.sides, found)
        return Recheck.PERSISTED if tells_apart(sides) else Recheck.VANISHED, sides

    async def _ask(self, triple: Triple, asked: Asked | None, site: Site) -> Triple | None:
        """Ask all sides at once and return their answers as a triple; None where one of them is of no use."""
        if asked is None:
            return None
        request, sides = asked.request(), _sides(triple)
        answers = await asyncio.gather(*(_answer(site, side, request) for side in sides))
        made: dict[Side, Exchange] = {}
        for (side, exchange), answer in zip(sides.items(), answers, strict=True):
            response = self.read(answer, exchange.request.method) if answer is not None else None
            if response is None:
                return None
            made[side] = replace(exchange, response=response)
        return replace(triple, baseline=made[Side.BASELINE], branch=made[Side.BRANCH], control=made.get(Side.CONTROL))

    def _let_go(self, mismatches: list[_Mismatch]) -> None:
        for mismatch in mismatches:
            self._settle(mismatch, Recheck.OVER_BUDGET)

    def _settle(self, mismatch: _Mismatch, outcome: Recheck) -> None:
        try:
            self.ledger.add(
                mismatch.pair.triple, mismatch.sides, at_ms=mismatch.at_ms, recheck=outcome, node_id=self.node_id
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the traffic goes on
            self.notices.failure("a pair cannot be compared", error)
            self.ledger.give_up(mismatch.pair, node_id=self.node_id)


async def _answer(site: Site, side: Side, request: RawRequest) -> RawAnswer | None:
    # A copy that lacks a header gets other answers than one that has it: ask as the first time.
    sent = request if side is Side.BASELINE else request.without(site.strip_headers)
    try:
        return await ask(site.addresses[side], sent, most_bytes=site.most_bytes)
    except UnansweredError:
        return None


def _is_askable(triple: Triple, site: Site) -> bool:
    """Tell whether every side is known, and the request is safe and whole; the differ says if the answers are whole."""
    request = triple.baseline.request
    known = all(side in site.addresses for side in _sides(triple))
    return known and request.method in SAFE_METHODS and not request.truncated


def _sides(triple: Triple) -> dict[Side, Exchange]:
    """Return the sides that are asked again: those that answered at first."""
    sides = {Side.BASELINE: triple.baseline, Side.BRANCH: triple.branch}
    control = usable_control(triple)
    return sides if control is None else {**sides, Side.CONTROL: control}


def _size(pair: Paired) -> int:
    return (pair.asked.size if pair.asked is not None else 0) + sum(map(cost_of, _sides(pair.triple).values()))


def _now_us() -> int:
    return time.monotonic_ns() // 1000
