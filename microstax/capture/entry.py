"""One mirrored request while it waits: its baseline, and what each overlay has of it."""

from dataclasses import dataclass, field
from typing import Final

from microstax.capture.asked import Asked
from microstax.capture.terms import Key
from microstax.model.exchange import Exchange, Gap, NotCompared, Triple

_EXCHANGE_BYTES: Final = 2_048
"""What an exchange costs beside its bodies, roughly."""


@dataclass(slots=True, eq=False)
class Half:
    """What is known of one overlay's share in a request."""

    branch: Exchange | None = None
    control: Exchange | None = None
    control_settled: bool = False
    done: bool = False


@dataclass(slots=True, eq=False)
class Entry:
    """One request; `open` is how many of its halves are not done, `bytes` what its exchanges cost.

    `seen_us` is when the first side that came was asked, `asked` the request itself where it may be asked again.
    """

    deadline: int
    seen_us: int | None = None
    baseline: Exchange | None = None
    baseline_lost: NotCompared | None = None
    asked: Asked | None = None
    halves: dict[str, Half] = field(default_factory=dict)
    open: int = 0
    bytes: int = 0

    @property
    def has_baseline(self) -> bool:
        """Tell whether the baseline's trace came, whatever it was worth."""
        return self.baseline is not None or self.baseline_lost is not None

    @property
    def started_us(self) -> int | None:
        """When the request was seen, in Unix microseconds, if that is known."""
        return self.baseline.started_us if self.baseline is not None else self.seen_us

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more is waited for."""
        return not self.open and bool(self.halves) and self.has_baseline

    @property
    def gap(self) -> Gap:
        """What is missing of a request that nothing else explains."""
        if self.baseline_lost is not None:
            return Gap.UNANSWERED
        return Gap.BASELINE_MISSING if self.baseline is None else Gap.COPY_MISSING

    def triple(self, key: Key, overlay: str) -> Triple | None:
        """Return what is known of one overlay's share, None where baseline or branch is missing."""
        half = self.halves[overlay]
        if self.baseline is None or half.branch is None:
            return None
        return Triple(
            id=key[1],
            service=key[0],
            overlay=overlay,
            baseline=self.baseline,
            branch=half.branch,
            control=half.control,
        )


def cost_of(exchange: Exchange) -> int:
    """Return about how many bytes an exchange takes."""
    answer = exchange.response
    return _EXCHANGE_BYTES + len(exchange.request.body) + (len(answer.body) if answer is not None else 0)
