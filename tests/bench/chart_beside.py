"""The figures of bench_beside.py as a chart: a row a contestant, with latency, CPU a request, capacity and memory."""

import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import results
import svg
from svg import Axis

WIDTH: Final = 980
_LEFT: Final = 176
_TOP: Final = 92
_ROW: Final = 22
_HEAD: Final = 26
_GAP: Final = 30
_SPANS: Final = {"latency": 250, "cpu": 180, "rate": 130, "memory": 130}
_TITLES: Final = {"": "no branch", "healthy": "beside a healthy branch", "hung": "beside a branch that never answers"}
_PARTS: Final = (("proxy", "a"), ("worker", "b"), ("control plane", "c"))


def picture(found: dict[str, Any]) -> str:
    """Return the chart."""
    cases = sorted(found["cases"], key=lambda case: list(_TITLES).index(case["branch"]))
    height = _TOP + _HEAD * len({case["branch"] for case in cases}) + _ROW * len(cases) + 58
    axes = _axes(cases)
    return svg.document(
        WIDTH,
        height,
        title="microstax beside what people would use in its place",
        described="; ".join(_words(case) for case in cases),
        parts=_parts(found, cases, axes, height),
    )


def _axes(cases: list[dict[str, Any]]) -> dict[str, Axis]:
    """Return an axis a column, long enough for everybody."""
    times = [value for case in cases for value in (case["p50_ms"], *case["p99_spread_ms"])]
    bounds = {
        "latency": (min(0.1, *times), max(10.0, *times) * 1.1),
        "cpu": (0.0, max(sum(case["cpu_us"].values()) for case in cases) * 1.05),
        "rate": (0.0, max(case["capacity"]["rate"] for case in cases if case["cpu_us"]) * 1.05),
        "memory": (0.0, max(sum(case["peak_mib"].values()) for case in cases) * 1.05),
    }
    axes, start = {}, float(_LEFT)
    for name, (low, high) in bounds.items():
        axes[name] = Axis(
            low=low, high=max(high, low + 1), start=start, end=start + _SPANS[name], log=name == "latency"
        )
        start += _SPANS[name] + _GAP
    return axes


def _parts(found: dict[str, Any], cases: list[dict[str, Any]], axes: dict[str, Axis], height: int) -> Iterator[str]:
    yield svg.text(16, 26, "microstax beside what people would use in its place", "title")
    yield svg.text(16, 44, _setting(found), "faint")
    foot = height - 46
    units = {
        "latency": "latency: ● p50, ▲ p99, ms",
        "cpu": "CPU, µs a request",
        "rate": "at capacity, requests/s",
        "memory": "peak memory, MiB",
    }
    y = float(_TOP)
    rows = []
    for branch, group in groupby(cases, key=lambda case: case["branch"]):
        rows.append(svg.text(16, y + 17, _TITLES[branch], "head"))
        y += _HEAD
        for case in group:
            if case["name"].startswith("microstax"):
                rows.append(svg.bar(8, y, WIDTH - 16, _ROW, "ours"))
            rows += _row(case, axes, y + _ROW / 2)
            y += _ROW
    for name, axis in axes.items():
        yield from svg.columns(axis, _TOP, foot, units[name])
    yield from rows
    x = 16.0
    for name, kind in _PARTS:
        words = "the proxy" if name == "proxy" else f"microstax's {name}"
        yield svg.bar(x, height - 27, 11, 11, kind)
        yield svg.text(x + 16, height - 17, words, "faint")
        x += 44 + 6 * len(words)
    yield svg.text(
        x, height - 17, "Medians of the rounds; thin lines: the lowest and the highest p99 of a round.", "faint"
    )


def _setting(found: dict[str, Any]) -> str:
    versions, machine = found["versions"], found["machine"]
    return (
        f"{found['rate']:,.0f} requests/s (a third of microstax's capacity at 100%), answers of 1 KiB, "
        f"{found['rounds']} x {found['seconds']:g} s in turns; {machine['cores']} shared cores, "
        f"Envoy {versions['envoy']}, nginx {versions['nginx'] or 'not here'}; {found['date']}"
    )


def _row(case: dict[str, Any], axes: dict[str, Axis], y: float) -> Iterator[str]:
    yield svg.text(_LEFT - 14, y + 4, case["name"], "end")
    latency, bad = axes["latency"], case["bad"] / max(1, case["requests"])
    kind = "b" if bad else "a"
    low, high = case["p99_spread_ms"]
    yield svg.rule(latency.at(low), y, latency.at(high), y, f"spread {kind}")
    yield svg.rule(latency.at(case["p50_ms"]), y, latency.at(case["p99_ms"]), y, f"range {kind}")
    yield svg.dot(latency.at(case["p50_ms"]), y, kind, f"p50 {case['p50_ms']} ms")
    yield svg.triangle(latency.at(case["p99_ms"]), y, kind, f"p99 {case['p99_ms']} ms")
    if bad:
        yield svg.text(latency.start + 6, y + 4, f"{bad:.1%} not answered", "faint")
    yield from _stacked(axes["cpu"], case["cpu_us"], y, "µs")
    rate = case["capacity"]["rate"]
    yield svg.bar(axes["rate"].start, y - 6, axes["rate"].at(rate) - axes["rate"].start, 12, "d", f"{rate:,}/s")
    if rate > axes["rate"].high or rate < axes["rate"].high / 20:
        place = axes["rate"].start + 6
        yield svg.text(place, y + 4, f"{rate:,}", "faint" if rate < axes["rate"].high else "on")
    yield from _stacked(axes["memory"], case["peak_mib"], y, "MiB")


def _stacked(axis: Axis, sizes: dict[str, float], y: float, unit: str) -> Iterator[str]:
    total = 0.0
    for name, kind in _PARTS:
        if name in sizes:
            start, total = axis.at(total), total + sizes[name]
            yield svg.bar(start, y - 6, axis.at(total) - start, 12, kind, f"{name}: {sizes[name]:.0f} {unit}")


def _words(case: dict[str, Any]) -> str:
    """Return a row in words."""
    beside = f" beside a {case['branch']} branch" if case["branch"] else ""
    lost = f", {case['bad']} of {case['requests']} not answered" if case["bad"] else ""
    cpu = sum(case["cpu_us"].values())
    return f"{case['name']}{beside}: p50 {case['p50_ms']} ms, p99 {case['p99_ms']} ms{lost}, {cpu:.0f} µs CPU a request"


if __name__ == "__main__":
    results.keep("beside", data := results.kept("beside"), picture(data))
    sys.exit(0)
