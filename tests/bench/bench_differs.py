"""The differ beside deepdiff and jsondiff: 1,000 recorded bodies in one run, time a pair, and which paths differ.

The paths of all tools are written in microstax's grammar and compared as sets, per pair. An array stands for its
elements (length, order and membership are said of one or the other). What only one tool names is put into a class that
is checked on the documents themselves; what fits none is `unexplained`, and there has to be nothing of it.
`python tests/bench/bench_differs.py` prints the classes as a table; record_bodies.py made the bodies.
"""

import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jsondiff
import msgpack
import orjson
import zstandard
from deepdiff import DeepDiff

from microstax.diff import compare
from microstax.diff.arrays import Aligner
from microstax.diff.compare import Answer, compare_answers
from microstax.diff.json_text import parse
from microstax.diff.rules import DEFAULT_RULES
from microstax.model.difference import Difference, ShapeDifference, ShapeKind
from microstax.model.exchange import Exchange, Request, Response, Side
from microstax.model.paths import parse_path

BODIES: Final = Path(__file__).with_name("bodies.msgpack.zst")
ALIGNER: Final = Aligner()
REQUEST: Final = Request(method="GET", path="/", authority="shop", headers=())
HEADERS: Final = (("content-type", "application/json"),)
THRESHOLD: Final = 0.33
"""deepdiff's own default."""
Steps = tuple[str | None, ...]
Paths = frozenset[Steps]

SAME_NUMBER: Final = "1 and 1.0 are one number (RFC 8259, 6)"
LOST: Final = "their parser loses it: repeated members, integers above 64 bits"
BOOLEAN: Final = "to Python, True equals 1"
MOVED: Final = "a move is one finding at the member, theirs are the container's"
ALIGNED: Final = "other elements of the array belong together"
ORDER: Final = "order and repetition are not looked at"
WHOLE: Final = "of objects that share few members, deepdiff names only the object (threshold_to_diff_deeper)"
UNEXPLAINED: Final = "unexplained"


def bodies() -> list[tuple[bytes, bytes]]:
    """Return the recorded pairs of bodies."""
    packed = zstandard.ZstdDecompressor().decompress(BODIES.read_bytes())
    return [(first, second) for _, first, second in msgpack.unpackb(packed, raw=True)]


def ours(first: bytes, second: bytes) -> Paths:
    """Return the paths that microstax names; of what moved, the old and the new one."""
    return frozenset(_trimmed(parse_path(path)) for found in _found(first, second) for path in _paths(found))


def _found(first: bytes, second: bytes) -> tuple[Difference, ...]:
    return compare(_exchange(Side.BASELINE, first), _exchange(Side.BRANCH, second))


def _exchange(side: Side, body: bytes) -> Exchange:
    return Exchange(
        id="",
        side=side,
        service="",
        overlay=None,
        request=REQUEST,
        response=Response(status=200, headers=HEADERS, body=body),
    )


def _paths(difference: Difference) -> Iterator[str]:
    """Yield the places of a difference; a body that is no JSON is the root."""
    yield getattr(difference, "path", "$")
    if isinstance(difference, ShapeDifference) and difference.kind is ShapeKind.NESTING:
        yield difference.branch


def deepdiff(first: bytes, second: bytes, *, ignore_order: bool = False) -> Any:
    """Return what deepdiff finds."""
    return DeepDiff(orjson.loads(first), orjson.loads(second), ignore_order=ignore_order, view="tree")


def deepdiff_unordered(first: bytes, second: bytes) -> Any:
    """Return what deepdiff finds where order does not matter."""
    return deepdiff(first, second, ignore_order=True)


def symmetric_jsondiff(first: bytes, second: bytes) -> Any:
    """Return what jsondiff finds."""
    return jsondiff.diff(orjson.loads(first), orjson.loads(second), syntax="symmetric")


def _deepdiff_paths(found: Any) -> Paths:
    return frozenset(_steps(level.path(output_format="list")) for levels in found.values() for level in levels)


def _jsondiff_paths(found: Any) -> Paths:
    return frozenset(_symmetric((), found))


def _symmetric(at: Steps, found: Any) -> Iterator[Steps]:
    """Yield the paths of a symmetric diff: a list is a value that was replaced, a dict leads on."""
    if isinstance(found, list):
        yield _trimmed(at)
        return
    for key, inner in found.items():
        if key in (jsondiff.insert, jsondiff.delete):
            names = inner if isinstance(inner, dict) else [None]
            yield from (_trimmed((*at, name if isinstance(name, str) else None)) for name in names)
        else:
            yield from _symmetric((*at, key if isinstance(key, str) else None), inner)


def _steps(keys: Sequence[str | int]) -> Steps:
    return _trimmed(tuple(key if isinstance(key, str) else None for key in keys))


def _trimmed(steps: Steps) -> Steps:
    while steps and steps[-1] is None:
        steps = steps[:-1]
    return steps


@dataclass(frozen=True, slots=True)
class Tool:
    """`find` is what is timed, from bytes to the tool's own result; `paths` reads the result."""

    find: Callable[[bytes, bytes], Any]
    paths: Callable[[Any], Paths]

    def names(self, first: bytes, second: bytes) -> Paths:
        """Return the paths that it names."""
        return self.paths(self.find(first, second))


TOOLS: Final = {
    "deepdiff": Tool(deepdiff, _deepdiff_paths),
    "deepdiff, ignore_order": Tool(deepdiff_unordered, _deepdiff_paths),
    "jsondiff": Tool(symmetric_jsondiff, _jsondiff_paths),
}


def explain(tool: str, steps: Steps, first: bytes, second: bytes) -> str:
    """Return the class of a path that only one of the two tools names."""
    theirs_first, theirs_second = orjson.loads(first), orjson.loads(second)
    before, after = list(_values(parse(first), steps)), list(_values(parse(second), steps))
    if (before, after) != (list(_values(theirs_first, steps)), list(_values(theirs_second, steps))) or _repeats(
        first, second
    ):
        return LOST
    if before == after and len(before) == 1 and bool in {type(before[0]), type(after[0])}:
        return BOOLEAN
    if before == after and len(before) == 1 and type(before[0]) is not type(after[0]):
        return SAME_NUMBER
    own, other = ours(first, second), TOOLS[tool].names(first, second)
    if _moved(steps, first, second):
        return MOVED
    if steps in own and "ignore_order" in tool and _is_same_set(before, after):
        return ORDER
    if tool.startswith("deepdiff") and any(
        _related(steps, whole) and _has_few_common(whole, first, second) for whole in other
    ):
        return WHOLE
    return ALIGNED if _array_above(steps, first, second) else UNEXPLAINED


def _has_few_common(steps: Steps, first: bytes, second: bytes) -> bool:
    """Tell whether both sides have objects at a place that share less than a third of their members."""
    sides = [set(value) for body in (first, second) for value in _values(parse(body), steps) if isinstance(value, dict)]
    return len(sides) == len((first, second)) and len(sides[0] & sides[1]) < THRESHOLD * len(sides[0] | sides[1])


def _values(document: Any, steps: Steps) -> Iterator[Any]:
    level = [document]
    for step in steps:
        level = [
            inner
            for value in level
            for inner in (
                value
                if step is None and isinstance(value, list)
                else [value[step]]
                if step is not None and isinstance(value, dict) and step in value
                else []
            )
        ]
    yield from level


def _repeats(first: bytes, second: bytes) -> bool:
    return any(hasattr(parse(body), "repeated") for body in (first, second))


def _moved(steps: Steps, first: bytes, second: bytes) -> bool:
    moves = [
        difference
        for difference in _found(first, second)
        if isinstance(difference, ShapeDifference) and difference.kind is ShapeKind.NESTING
    ]
    places = [parse_path(path) for move in moves for path in (move.path, move.branch)]
    return any(_related(steps, _trimmed(place)) for place in places)


def _related(one: Steps, other: Steps) -> bool:
    """Tell whether one of two places is the other or lies in it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _is_same_set(before: list[Any], after: list[Any]) -> bool:
    if len(before) != 1 or len(after) != 1 or not isinstance(before[0], list) or not isinstance(after[0], list):
        return False
    return {orjson.dumps(item) for item in before[0]} == {orjson.dumps(item) for item in after[0]}


def _array_above(steps: Steps, first: bytes, second: bytes) -> bool:
    """Tell whether a place lies in arrays that are other ones on the two sides, or is such an array."""
    for length in range(len(steps) + 1):
        before, after = (list(_values(parse(body), steps[:length])) for body in (first, second))
        arrays = any(isinstance(value, list) for value in (*before, *after))
        if arrays and before != after and (length == len(steps) or steps[length] is None):
            return True
    return False


def as_workers_do(first: Exchange, second: Exchange) -> Any:
    """Compare two captured answers; what a value is in words is made only for the pairs that are shown."""
    return compare_answers(Answer(first), Answer(second), rules=DEFAULT_RULES, align=ALIGNER)


def microseconds(find: Callable[[Any, Any], Any], pairs: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
    """Return the median and the mean time of a pair, in CPU time: other processes do not count. The best of three."""
    best = []
    for _ in range(3):
        times = []
        for first, second in pairs:
            began = time.thread_time_ns()
            find(first, second)
            times.append((time.thread_time_ns() - began) / 1000)
        best.append((statistics.median(times), statistics.fmean(times)))
    return min(best)


def disagreements(tool: str, pairs: list[tuple[bytes, bytes]]) -> tuple[int, Counter[tuple[str, str]]]:
    """Return how many pairs agree wholly, and (who names it, class) of each path that one of the two names alone."""
    agree, classes = 0, Counter[tuple[str, str]]()
    for first, second in pairs:
        own, other = ours(first, second), TOOLS[tool].names(first, second)
        agree += own == other
        classes.update(("ours", explain(tool, steps, first, second)) for steps in own - other)
        classes.update(("theirs", explain(tool, steps, first, second)) for steps in other - own)
    return agree, classes


def run() -> list[tuple[str, str, str]]:
    """Return the rows of the table of budgets."""
    warnings.simplefilter("ignore")
    pairs = bodies()
    exchanges = [(_exchange(Side.BASELINE, first), _exchange(Side.BRANCH, second)) for first, second in pairs]
    own, own_mean = microseconds(as_workers_do, exchanges)
    rows = [
        ("differ, recorded bodies, from bytes to result: median (mean)", f"{own:.1f} ({own_mean:.1f}) us a pair", "")
    ]
    for name, tool in TOOLS.items():
        cost, mean = microseconds(tool.find, pairs)
        agree, classes = disagreements(name, pairs)
        unexplained = sum(count for (_, why), count in classes.items() if why == UNEXPLAINED)
        rows.append((f"{name}: the same", f"{cost:.1f} ({mean:.1f}) us a pair", ""))
        rows.append((f"{name}: how many times ours", f"{cost / own:.1f} ({mean / own_mean:.1f})", ""))
        rows.append((f"{name}: pairs with the same paths", f"{agree} of {len(pairs)}", ""))
        rows.append((f"{name}: paths that only one names, unexplained", f"{unexplained}", "0"))
    return rows


def main() -> None:
    """Print the rows, and every class of disagreement."""
    for what, figure, budget in run():
        print(f"{what:<70} {figure:>22}   {budget}")
    for name in TOOLS:
        for (side, why), count in sorted(disagreements(name, bodies())[1].items()):
            print(f"{name:<24} only {side:<7} {count:>5}  {why}")


if __name__ == "__main__":
    main()
