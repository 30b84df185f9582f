"""The latency of one endpoint for a terminal: one sentence where nothing is wrong, else a small table."""

from collections.abc import Iterator

from microstax.model.report import Latency
from microstax.report import latencies
from microstax.report.text import pad, visible, wrap


def latency_sentence(latency: Latency) -> str:
    """Return the quantiles in one line, `p50 3.10 -> 3.20, p90 5.25 -> 5.50 ms`; empty where nothing was measured."""
    text = ", ".join(f"{row.name} {row.baseline} -> {row.branch}" for row in latencies.rows(latency))
    return f"{text} ms" if text else ""


def latency_lines(latency: Latency, width: int) -> Iterator[str]:
    """Yield the quantiles of all sides with the effects, then what else is known, in lines of at most `width`."""
    rows = latencies.rows(latency)
    if rows:
        head = ("ms", "baseline", "branch", *(("control",) if latency["control"] else ()))
        table = [head, *((row.name, row.baseline, row.branch, *filter(None, [row.control])) for row in rows)]
        columns = [max(map(len, column)) for column in zip(*table, strict=True)]
        for line, effect in zip(table, ["", *(row.effect for row in rows)], strict=True):
            first, *rest = (
                f"{text:>{size}}" if index else pad(text, size) for index, (text, size) in _sized(line, columns)
            )
            text = "  ".join([first, *rest, *filter(None, [effect])])
            yield from [text] if len(text) <= width else wrap(" ".join(text.split()), width)
    notes = [latencies.compared_with(latency)] if any(row.effect for row in rows) else []
    notes += [", ".join(latencies.asides(latency))] if rows or latency["timeouts"] or latency["spikes"] else []
    notes += [text for text in [latencies.spike_pairs(latency)] if text]
    for note in notes:
        yield from wrap(visible(note), width)


def _sized(line: tuple[str, ...], columns: list[int]) -> Iterator[tuple[int, tuple[str, int]]]:
    yield from enumerate(zip(line, columns, strict=True))
