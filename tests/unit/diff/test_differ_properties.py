"""What holds for all bodies: equal is equal, one mutation is found where it was made, no bytes raise."""

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from microstax.diff import compare
from microstax.model.difference import BodyDifference, HeaderDifference, ShapeDifference, ValueDifference
from microstax.model.exchange import Exchange

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=25,
)
NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon"])
OBJECTS = st.recursive(
    st.integers(0, 9), lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=4), max_leaves=12
).filter(lambda value: isinstance(value, dict))
MIRRORED = {"missing": "extra", "extra": "missing"}
Answer = Callable[..., Exchange]


def written(document: Any) -> bytes:
    return json.dumps(document).encode()


def kinds(answer: Answer, base: Any, other: Any) -> set[tuple[str, str]]:
    found = set()
    for one in compare(answer(written(base)), answer(written(other))):
        if isinstance(one, ShapeDifference):
            found.add((one.kind.value, one.path))
        elif isinstance(one, ValueDifference):
            found.add(("value", one.path))
        else:
            assert isinstance(one, BodyDifference)
            found.add(("body", one.kind.value))
    return found


@given(document=DOCUMENTS)
def test_a_document_equals_itself_however_it_is_written(answer: Answer, document: Any) -> None:
    plain = answer(written(document))
    spaced = answer(json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert compare(plain, answer(written(document))) == ()
    assert compare(plain, spaced) == ()


@given(document=OBJECTS, data=st.data())
def test_one_mutation_is_found_where_it_was_made(answer: Answer, document: dict[str, Any], data: st.DataObject) -> None:
    mutated = copy.deepcopy(document)
    holder, path = mutated, "$"
    while True:
        name = data.draw(st.sampled_from(sorted(holder)))
        if not isinstance(holder[name], dict) or data.draw(st.booleans()):
            break
        holder, path = holder[name], f"{path}.{name}"
    kind = data.draw(st.sampled_from(["missing", "extra", "type", "value"]))
    if kind == "missing":
        del holder[name]
    elif kind == "extra":
        name = "zeta"
        holder[name] = 1
    elif kind == "type":
        holder[name] = "text"
    else:
        assume(not isinstance(holder[name], dict))
        holder[name] += 1
    assert kinds(answer, document, mutated) == {(kind, f"{path}.{name}")}


@given(base=DOCUMENTS, other=DOCUMENTS)
def test_the_sides_are_alike(answer: Answer, base: Any, other: Any) -> None:
    forth, back = kinds(answer, base, other), kinds(answer, other, base)
    plain = {(kind, path) for kind, path in forth if kind != "nesting"}
    mirrored = {(MIRRORED.get(kind, kind), path) for kind, path in back if kind != "nesting"}
    assert plain == mirrored
    assert len(forth) == len(back)


@given(base=DOCUMENTS, other=DOCUMENTS)
def test_no_difference_means_equal(answer: Answer, base: Any, other: Any) -> None:
    if not kinds(answer, base, other):
        assert json.loads(written(base)) == json.loads(written(other))


@settings(max_examples=300)
@given(
    base=st.binary(max_size=40) | DOCUMENTS.map(written),
    other=st.binary(max_size=40) | DOCUMENTS.map(written).map(lambda text: text[:-1]),
    content_type=st.sampled_from(["application/json", "text/plain", "", "application/grpc", "image/png"]),
    status=st.sampled_from([200, 204, 302, 404]),
    values=st.lists(st.tuples(st.sampled_from(["location", "set-cookie", "vary", "x-a"]), st.text()), max_size=4),
)
def test_no_bytes_raise(
    answer: Answer, base: bytes, other: bytes, content_type: str, status: int, values: list[tuple[str, str]]
) -> None:
    headers = (("content-type", content_type),)
    left = answer(base, headers=headers, status=status)
    right = answer(other, headers=(*headers, *values), status=status)
    for one in (*compare(left, right), *compare(right, left)):
        sides = [side for side in (one.baseline, one.branch) if isinstance(side, str)]
        assert all(side.encode() is not None for side in sides)
        assert isinstance(one, HeaderDifference) or one.baseline != one.branch or isinstance(one, ShapeDifference)
