"""What a row came to, and how it is told."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any, Final

P99_BUDGET: Final = 1.10
MEMORY_MIB: Final = 64.0
_LONGEST: Final = 58


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A window of steady traffic: with mirroring or without, and the milliseconds of every request due in it."""

    mirroring: bool
    took_ms: tuple[float, ...]

    @property
    def p99(self) -> float:
        """The 99th percentile; 0 where too little was asked."""
        return quantiles(self.took_ms, n=100, method="inclusive")[-1] if self.took_ms[10:] else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The figures of one row. `lost` requests failed that were expected to, where the tee itself was ended.

    `late` requests were not asked, since too many were under way: the machine was too slow for the rate.

    `memory_mib` is how much more the tee holds after the fault than before it, `peak_mib` how much more was resident
    meanwhile. `wrong` says what does not hold, a sentence each.
    """

    name: str
    title: str
    requests: int
    late: int = 0
    failed: int
    changed: int
    lost: int = 0
    p99_off_ms: float = 0.0
    p99_on_ms: float = 0.0
    memory_mib: float = 0.0
    peak_mib: float = 0.0
    mirrored: int = 0
    wrong: list[str] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def ratio(self) -> float:
        """How much of the p99 without mirroring the p99 with it is; 0 where it was not measured."""
        return self.p99_on_ms / self.p99_off_ms if self.p99_off_ms else 0.0

    @property
    def verdict(self) -> str:
        """`ok`, `over` (the p99 alone is above its budget), or `FAILS`."""
        if self.wrong:
            return "FAILS"
        return "over" if self.ratio > P99_BUDGET and not self.late else "ok"

    def document(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {**asdict(self), "p99_ratio": round(self.ratio, 3), "verdict": self.verdict}


def p99(slices: Sequence[Slice], *, mirroring: bool) -> float:
    """Return the median of the slices' 99th percentiles: one stall of the machine spoils one slice."""
    found = [one.p99 for one in slices if one.mirroring is mirroring and one.p99]
    return median(found) if found else 0.0


HEADINGS: Final = ("fault", "requests", "failed", "changed", "p99 ratio", "memory", "verdict")


def cells(result: Result) -> tuple[str, ...]:
    """Return a row of the table."""
    failed = f"{result.failed} (+{result.lost} as promised)" if result.lost else str(result.failed)
    ratio = f"{result.ratio:.2f} ({result.p99_off_ms:.1f} -> {result.p99_on_ms:.1f} ms)" if result.ratio else "-"
    memory = f"{result.memory_mib:+.0f} MiB (peak {result.peak_mib:+.0f})"
    if result.late:
        ratio = f"too slow ({result.late} late)"
    return result.title, f"{result.requests:,}", failed, str(result.changed), ratio, memory, result.verdict


def line(result: Result) -> str:
    """Return a line of the table on a terminal; what is wrong follows below it."""
    title, requests, failed, changed, ratio, memory, verdict = cells(result)
    text = f"{title:<{_LONGEST}} {requests:>7} {failed:>7} {changed:>7}  {ratio:<22} {memory:<24} {verdict}"
    return "\n".join([text, *(f"    {one}" for one in result.wrong)])


def heading() -> str:
    """Return the first line."""
    title, requests, failed, changed, ratio, memory, verdict = HEADINGS
    return f"{title:<{_LONGEST}} {requests:>7} {failed:>7} {changed:>7}  {ratio:<22} {memory:<24} {verdict}"


def markdown(results: Sequence[Result]) -> str:
    """Return the table for ARCHITECTURE.md."""
    rows = ["| " + " | ".join(each) + " |" for each in (HEADINGS, *map(cells, results))]
    rows.insert(1, "|---|" + "---:|" * 3 + "---|---|---|")
    return "\n".join(rows)
