"""Count one pair: which of its discrepancies are the branch's alone, the control's alone, or both's."""

from collections.abc import Callable
from typing import Final

from microstax.diff.deviations import Deviations, shifts
from microstax.diff.discrepancy import Discrepancy, plain
from microstax.diff.forms import MADE_ANEW
from microstax.diff.tally import Tally
from microstax.diff.variations import Variation
from microstax.model.difference import Difference

_SIDES_SHOWN: Final = 200

MayShow = Callable[[Discrepancy, int], bool]
"""(discrepancy, rank): whether an example of it is wanted."""
TallyOf = Callable[[Discrepancy], Tally]


class Counting:
    """One pair while it is counted. `kept`: it is an example of something; `wanted`: its request enters a sample."""

    __slots__ = ("_context", "_may_show", "_number", "_pair", "_tally", "kept", "wanted")

    def __init__(self, tally: TallyOf, *, pair: str, context: int, number: int, may_show: MayShow) -> None:
        self._tally = tally
        self._pair = pair
        self._context = context
        self._number = number
        self._may_show = may_show
        self.kept = self.wanted = False

    def alone(self, mine: Deviations) -> None:
        """Count a pair that has no control."""
        for discrepancy, way in mine.ways.items():
            tally = self._tally(discrepancy)
            formatted = False
            if isinstance(way, Variation) and way.discrepancy is discrepancy:
                form = way.form()
                tally.formats.add(form)
                formatted = form in MADE_ANEW
            if tally.add_alone(self._context, formatted=formatted):
                tally.repeats.note_text(self._context, _sides(way)[0])
            self.wanted |= tally.seen.take(self._number)
            self._show(tally, discrepancy, way, 0)

    def triple(self, mine: Deviations, theirs: Deviations) -> None:
        """Count a pair that has a control.

        Two readings of a clock are neither drift nor noise. Where the branch only reads the clock and the control says
        another time, that is the control's alone; the other way round it is the branch's alone.
        """
        readings = mine.readings()
        noise = theirs.ways.keys() - theirs.readings()
        for discrepancy, way in mine.ways.items():
            reading = discrepancy in readings
            if discrepancy not in noise:
                self._count(discrepancy, way, both=reading)
            elif not reading:
                noise.discard(discrepancy)
                self._count(discrepancy, way, both=True)
        for discrepancy in noise:
            self._tally(discrepancy).add_control(self._context)
        self._note_origins(theirs)
        for discrepancy, is_up in shifts(mine, theirs):
            self._count_shift(discrepancy, mine, is_up=is_up)

    def _count(self, discrepancy: Discrepancy, way: Difference | Variation, *, both: bool) -> None:
        tally = self._tally(discrepancy)
        if isinstance(way, Variation) and way.discrepancy is discrepancy:
            tally.formats.add(way.form())
        if both:
            tally.add_both()
        else:
            tally.add_branch(self._context)
            self.wanted |= tally.seen.take(self._number)
        self._show(tally, discrepancy, way, int(both))

    def _note_origins(self, theirs: Deviations) -> None:
        for discrepancy, variation in theirs.variations.items():
            direction = variation.direction()
            if direction:
                origins = self._tally(discrepancy).origins
                origins.add(direction)
                if origins.are_few:
                    origins.note(variation.other())

    def _count_shift(self, discrepancy: Discrepancy, mine: Deviations, *, is_up: bool) -> None:
        tally = self._tally(discrepancy)
        if is_up:
            tally.add_branch(self._context)
        else:
            tally.add_control(self._context)
            tally.contexts.add(self._context)
        self.wanted |= tally.seen.take(self._number)
        variation = mine.variations.get(plain(discrepancy))
        if variation is not None:
            self._show(tally, discrepancy, variation, 0)

    def _show(self, tally: Tally, discrepancy: Discrepancy, way: Difference | Variation, rank: int) -> None:
        """Make the pair an example, where one of its rank is wanted."""
        if tally.wants(rank) and self._may_show(discrepancy, rank):
            tally.show(rank, self._pair, _sides(way))
            self.kept = True


def _sides(way: Difference | Variation) -> tuple[str, str]:
    before, after = way.sides() if isinstance(way, Variation) else (way.baseline, way.branch)
    return (
        "" if before is None else str(before)[:_SIDES_SHOWN],
        "" if after is None else str(after)[:_SIDES_SHOWN],
    )
