"""Latencies in words and as rows: the same figures for every format."""

from dataclasses import dataclass
from typing import Final, Literal

from microstax.model.report import Effect, Interval, Latency, QuantileIntervals, Quantiles
from microstax.model.wording import counted
from microstax.report.figures import milliseconds, number, ratio, threshold

Name = Literal["p50", "p90", "p99"]
NAMES: Final[tuple[Name, ...]] = ("p50", "p90", "p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileRow:
    """One quantile of the sides in ms, and the effect on it, as text; `control` is empty where there is none."""

    name: str
    baseline: str
    branch: str
    control: str
    effect: str

    @property
    def sentence(self) -> str:
        """All of it: `p50 3.10 -> 3.20 ms (control 3.15, x1.04 0.98..1.10)`."""
        aside = ", ".join(part for part in (f"control {self.control}" if self.control else "", self.effect) if part)
        return f"{self.name} {self.baseline} -> {self.branch} ms" + (f" ({aside})" if aside else "")


def measured(latency: Latency) -> bool:
    """Tell whether there is any latency to show."""
    return any(value is not None for side in (latency["baseline"], latency["branch"]) for value in _values(side))


def rows(latency: Latency) -> list[QuantileRow]:
    """Return a row for each quantile that was measured."""
    control = latency["control"]
    return [
        QuantileRow(
            name=name,
            baseline=milliseconds(latency["baseline"][name]),
            branch=milliseconds(latency["branch"][name]),
            control=milliseconds(control[name]) if control else "",
            effect=effect(latency["effect"][name]),
        )
        for name in NAMES
        if latency["baseline"][name] is not None or latency["branch"][name] is not None
    ]


def sides(latency: Latency) -> list[tuple[str, Quantiles, QuantileIntervals | None]]:
    """Return the sides that were measured, with their quantiles and the intervals of these."""
    intervals = latency["intervals"]
    found: list[tuple[str, Quantiles, QuantileIntervals | None]] = [
        ("baseline", latency["baseline"], intervals["baseline"]),
        ("branch", latency["branch"], intervals["branch"]),
    ]
    if latency["control"] is not None:
        found.append(("control", latency["control"], intervals["control"]))
    return found


def effect(found: Effect) -> str:
    """Return `x1.04 (0.98..1.10)`: branch over reference, with its interval; empty where it is unknown."""
    if found["ratio"] is None:
        return ""
    interval = "" if found["low"] is None or found["high"] is None else f" ({found['low']:,.2f}..{found['high']:,.2f})"
    return f"{ratio(found['ratio'])}{interval}"


def interval(found: Interval) -> str:
    """Return `3.01..3.22`; empty where there is too little traffic for one."""
    if found["low"] is None and found["high"] is None:
        return ""
    return f"{milliseconds(found['low'])}..{milliseconds(found['high'])}"


def compared_with(latency: Latency) -> str:
    """Return what the ratios and intervals are: `branch over control, 95% anytime-valid intervals`."""
    return f"branch over {latency['reference']}, {threshold(latency['confidence'])} anytime-valid intervals"


def asides(latency: Latency) -> list[str]:
    """Return what else is known: how many pairs, cold ones, timeouts and spikes."""
    found = [counted(latency["pairs"], "pair")]
    found += [f"{number(latency['cold'])} cold left out"] if latency["cold"] else []
    found += [f"{counted(latency['timeouts'], 'timeout')} counted as longest"] if latency["timeouts"] else []
    return [*found, spikes(latency)] if latency["spikes"] or latency["reference_spikes"] else found


def spikes(latency: Latency) -> str:
    """Return how often only the branch was slow, how often only the reference, and what that means."""
    verdict = "noise" if latency["spikes_verdict"] == "same" else latency["spikes_verdict"]
    reference = f"{number(latency['reference_spikes'])} of the {latency['reference']}"
    return f"{counted(latency['spikes'], 'spike')} of the branch, {reference}: {verdict}"


def spike_pairs(latency: Latency) -> str:
    """Return the pairs to look at; empty where there are none."""
    shown = latency["spike_pairs"]
    return f"{'pair' if len(shown) == 1 else 'pairs'} {', '.join(shown)}" if shown else ""


def summary(latency: Latency) -> str:
    """Return all of it in one sentence."""
    parts = [row.sentence for row in rows(latency)]
    if any(row.effect for row in rows(latency)):
        parts.append(compared_with(latency))
    return "; ".join([*parts, ", ".join(asides(latency)), *filter(None, [spike_pairs(latency)])])


def _values(side: Quantiles) -> tuple[float | None, ...]:
    return tuple(side[name] for name in NAMES)
