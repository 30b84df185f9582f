"""The soak as a chart: memory of each process over time, with the kills, and what users saw below it."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, Final

import results
import svg
from svg import Axis

WIDTH: Final = 980
_LEFT, _RIGHT = 64, 176
_TOP, _HEIGHT = 74, 250
_STRIP: Final = 60
_KINDS: Final = {"tee": "a", "worker": "b", "control plane": "c", "bridge": "d"}
_MARKS: Final = ("branch", "worker", "bridge", "control plane")
_MARK_ROW: Final = 14


def picture(found: dict[str, Any]) -> str:
    """Return the chart."""
    memory = found["memory_mib"]
    most = max(size for readings in memory.values() for _, _, size in readings)
    time = Axis(low=0, high=found["minutes"], start=_LEFT, end=WIDTH - _RIGHT)
    size = Axis(low=0, high=most * 1.1, start=_TOP + _HEIGHT, end=_TOP)
    marks = _TOP + _HEIGHT + 34
    strip = marks + _MARK_ROW * len(_MARKS) + 34
    height = strip + _STRIP + 34
    return svg.document(
        WIDTH,
        height,
        title="Memory under kills, and what users saw",
        described=_words(found),
        parts=[
            svg.text(16, 26, f"{found['minutes']:g} minutes of kills: what it cost, and whom", "title"),
            svg.text(16, 44, _setting(found), "faint"),
            *_memory(memory, time, size),
            *_kills(found["kills"], time, marks),
            *_users(found, time, strip),
        ],
    )


def _setting(found: dict[str, Any]) -> str:
    versions = found["versions"]
    return (
        f"{found['rate']:g} requests/s, mirrored to a branch and a control copy; seed {found['seed']}; "
        f"{found['machine']['cores']} shared cores, Envoy {versions['envoy']}; {found['date']}"
    )


def _memory(memory: dict[str, Any], time: Axis, size: Axis) -> Iterator[str]:
    yield svg.text(16, _TOP - 8, "resident memory, MiB", "head")
    for value in size.ticks():
        yield svg.rule(time.start, size.at(value), time.end, size.at(value), "grid")
        yield svg.text(time.start - 8, size.at(value) + 4, svg.short(value), "faint end")
    for minute in time.ticks(10):
        yield svg.text(time.at(minute), size.start + 16, f"{minute:g} min", "faint middle")
    places: list[float] = []
    for name, readings in sorted(memory.items(), key=lambda item: -item[1][-1][2]):
        for _, life in groupby(readings, key=lambda reading: reading[1]):
            yield svg.line([(time.at(at / 60), size.at(mib)) for at, _, mib in life], _KINDS[name])
        y = size.at(readings[-1][2]) + 4
        y = max([y, *(place + 15 for place in places)])
        places.append(y)
        yield svg.bar(time.end + 10, y - 9, 9, 9, _KINDS[name])
        yield svg.text(time.end + 24, y, f"{name} {readings[-1][2]:.0f} MiB")


def _kills(kills: Sequence[Sequence[Any]], time: Axis, top: float) -> Iterator[str]:
    yield svg.text(16, top, "killed", "head")
    for row, who in enumerate(_MARKS):
        y = top + 14 + _MARK_ROW * row
        times = [at for at, name in kills if name == who]
        yield svg.rule(time.start, y - 4, time.end, y - 4, "grid")
        for at in times:
            x = time.at(at / 60)
            yield svg.rule(x, y - 9, x, y + 1, f"range {_KINDS.get(who, 'd')}")
        yield svg.text(time.end + 10, y, f"{who} {len(times)} x", "faint")


def _users(found: dict[str, Any], time: Axis, top: float) -> Iterator[str]:
    """Yield what users saw: requests a second, and what was wrong with them."""
    rates = list(_rates(found["told"]))
    most = max((rate for _, rate, _ in rates), default=1.0)
    scale = Axis(low=0, high=max(most, 1.0) * 1.1, start=top + _STRIP, end=top)
    yield svg.text(16, top - 10, "answers a second", "head")
    for value in (0.0, found["rate"]):
        yield svg.rule(time.start, scale.at(value), time.end, scale.at(value), "grid")
        yield svg.text(time.start - 8, scale.at(value) + 4, f"{value:g}", "faint end")
    yield svg.line([(time.at(at / 60), scale.at(rate)) for at, rate, _ in rates], "a")
    for at, _, bad in rates:
        if bad:
            yield svg.bar(time.at(at / 60) - 2, scale.at(bad), 4, scale.start - scale.at(bad), "b", f"{bad:g}/s wrong")
    load = found["load"]
    yield svg.text(time.end + 10, top + 14, f"{load['answered']:,} answered", "faint")
    yield svg.text(time.end + 10, top + 32, f"{load['failed'] + load['unanswered']} failed", "head")
    yield svg.text(time.end + 10, top + 50, f"{load['changed']} other answers", "head")


def _rates(told: Sequence[dict[str, Any]]) -> Iterator[tuple[float, float, float]]:
    """Yield time, answers a second and failures a second between each two readings of the load's counts."""
    for before, after in pairwise(told):
        seconds = after["at_s"] - before["at_s"]
        bad = sum(after[name] - before[name] for name in ("failed", "changed"))
        yield after["at_s"], (after["answered"] - before["answered"]) / seconds, bad / seconds


def _words(found: dict[str, Any]) -> str:
    load = found["load"]
    sizes = [f"{name} ended at {readings[-1][2]:.0f} MiB" for name, readings in found["memory_mib"].items()]
    return (
        f"{len(found['kills'])} kills in {found['minutes']:g} minutes at {found['rate']:g} requests a second: "
        f"{load['answered']} answered, {load['failed'] + load['unanswered']} failed, {load['changed']} other answers. "
        f"Memory: {', '.join(sizes)}."
    )


if __name__ == "__main__":
    results.keep("soak", data := results.kept("soak"), picture(data))
    sys.exit(0)
