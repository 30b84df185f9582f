"""Aggregates merge in any order, survive the wire, and stay small whatever they are shown."""

import random
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.diff import OTHER_ENDPOINT, Outcome, ServiceAggregate
from microstax.diff.aggregate import VERSION
from microstax.diff.hashes import hash64
from microstax.errors import StorageError
from microstax.model.exchange import Exchange, NotCompared, Side, Triple

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]

FORMS = [0, 17, -2.5, "", "words", None]
"""No more pairs of formats than a tally tells apart."""
SIDES = st.integers(0, len(FORMS) - 1)
PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["/things/1", "/things/2", "/other", "/things/1/parts/x?a=1"]),
        SIDES,
        SIDES,
        st.none() | SIDES,
        st.integers(1, 400_000),
    ),
    max_size=12,
)


def triple(answer: Answer, joined: Joined, pair: Any, name: str) -> Triple:
    path, base, branch, control, latency = pair
    sides = [
        answer(
            {"v": FORMS[value], f"k{value % 3}": [value, {"id": value}]},
            path=path,
            latency_us=latency * (value + 1),
            headers=(("content-type", "application/json"), ("x-form", type(FORMS[value]).__name__)),
        )
        for value in (base, branch, control)
        if value is not None
    ]
    return joined(*sides, pair=name)


def counted(answer: Answer, joined: Joined, pairs: list[Any], prefix: str) -> ServiceAggregate:
    aggregate = ServiceAggregate.empty()
    for number, pair in enumerate(pairs):
        aggregate.add(triple(answer, joined, pair, f"{prefix}{number}"))
    return aggregate


def merged(*aggregates: ServiceAggregate) -> bytes:
    total = ServiceAggregate.empty()
    for aggregate in aggregates:
        total.merge(aggregate)
    return total.to_bytes()


@given(parts=st.lists(PAIRS, min_size=3, max_size=3))
def test_merging_is_commutative_and_associative(answer: Answer, joined: Joined, parts: list[list[Any]]) -> None:
    a, b, c = (counted(answer, joined, pairs, name) for pairs, name in zip(parts, "abc", strict=True))
    expected = merged(a, b, c)
    assert unordered(merged(c, a, b)) == unordered(expected)
    inner = ServiceAggregate.from_bytes(merged(b, c))
    assert unordered(merged(a, inner)) == unordered(expected)
    inner.merge(a)
    assert unordered(inner.to_bytes()) == unordered(expected)


def unordered(raw: bytes) -> Any:
    return msgpack.unpackb(msgpack.unpackb(raw)[2])


@given(pairs=PAIRS)
def test_bytes_hold_all(answer: Answer, joined: Joined, pairs: list[Any]) -> None:
    aggregate = counted(answer, joined, pairs, "p")
    again = ServiceAggregate.from_bytes(aggregate.to_bytes())
    assert again.to_bytes() == aggregate.to_bytes()
    assert again.pairs == aggregate.pairs == len(pairs)
    assert again.example_ids == aggregate.example_ids


@given(pairs=PAIRS)
def test_parts_count_as_the_whole(answer: Answer, joined: Joined, pairs: list[Any]) -> None:
    """Deltas of a worker, each begun with what was learned, add up to what one aggregate would have counted."""
    whole, total = counted(answer, joined, pairs, "p"), ServiceAggregate.empty()
    delta = total.fresh()
    for number, pair in enumerate(pairs):
        delta.add(triple(answer, joined, pair, f"p{number}"))
        if number % 3 == 2:
            total.merge(ServiceAggregate.from_bytes(delta.to_bytes()))
            delta = delta.fresh()
    total.merge(delta)
    assert numbers(total) == numbers(whole)


def numbers(aggregate: ServiceAggregate) -> Any:
    return {
        name: (
            endpoint.pairs,
            endpoint.triples,
            endpoint.contexts.estimate(),
            endpoint.latencies.everything().pack(),
            endpoint.latencies.spikes.branch_only,
            {
                key: (
                    (tally.branch_only, tally.control_only, tally.both, tally.alone, tally.formatted),
                    (tally.contexts.estimate(), tally.hottest, tally.forms),
                    (tally.origins.above, tally.origins.below),
                )
                for key, tally in endpoint.tallies.items()
            },
        )
        for name, endpoint in aggregate.endpoints.items()
    }


@settings(max_examples=300)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255), cut=st.booleans())
def test_damaged_bytes_are_refused(answer: Answer, joined: Joined, at: int, flip: int, *, cut: bool) -> None:
    raw = counted(answer, joined, [("/things/1", 0, 1, 2, 5), ("/other", 1, 1, None, 90_000)], "p").to_bytes()
    at %= len(raw)
    damaged = raw[:at] if cut else raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
    with pytest.raises(StorageError, match="comparison results"):
        ServiceAggregate.from_bytes(damaged)


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=9),
    st.lists(st.integers(-1, 2**64 - 1), max_size=6),
    st.dictionaries(st.text(max_size=2) | st.integers(0, 3), st.integers(-1, 9), max_size=3),
)


@settings(max_examples=400)
@given(data=st.data())
def test_what_no_worker_makes_is_refused_or_read_but_never_an_error_of_another_kind(
    answer: Answer, joined: Joined, data: st.DataObject
) -> None:
    """One node of the content is another, and the hash fits: damage of memory, or somebody who wants to do harm."""
    pairs = [("/things/1", 0, 1, 2, 5), ("/things/1", 4, 3, None, 5), ("/other", 1, 2, 3, 90_000)]
    content = unordered(counted(answer, joined, pairs, "p").to_bytes())
    holder, at = data.draw(st.sampled_from(nodes(content)), "place")
    holder[at] = data.draw(HOSTILE, "value")
    raw = msgpack.packb(content, unicode_errors="surrogatepass")
    try:
        read = ServiceAggregate.from_bytes(msgpack.packb([VERSION, hash64(raw), raw]))
    except StorageError as error:
        assert "comparison results" in str(error)  # noqa: PT017  # it may be read as well
    else:
        assert ServiceAggregate.from_bytes(read.to_bytes()).to_bytes() == read.to_bytes()
        assert all(tally.weight >= 0 for endpoint in read.endpoints.values() for tally in endpoint.tallies.values())


def nodes(content: Any) -> list[tuple[Any, Any]]:
    """Return (container, index) of everything inside, the containers included."""
    found = []
    keys = content.keys() if isinstance(content, dict) else range(len(content))
    for key in [*keys]:
        found.append((content, key))
        if isinstance(content[key], dict | list):
            found += nodes(content[key])
    return found


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"no", msgpack.packb([]), msgpack.packb({"a": 1}), msgpack.packb([99])])
def test_other_bytes_are_one_clear_sentence(raw: bytes) -> None:
    with pytest.raises(StorageError, match=r"comparison results (cannot be read|are of version)"):
        ServiceAggregate.from_bytes(raw)


def test_the_first_pair_that_shows_something_is_its_example_once(answer: Answer, joined: Joined) -> None:
    delta, kept, total = ServiceAggregate.empty(), [], ServiceAggregate.empty()
    for number in range(40):
        outcome = delta.add(triple(answer, joined, ("/things/1", 0, 1, 0, 100_000), f"p{number}"))
        kept += [number] * outcome.keep_as_example
        total.merge(delta)
        delta = delta.fresh()
    assert kept == [0]
    assert total.example_ids == {"p0"}


def test_an_example_in_which_the_branch_alone_differs_is_preferred(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    outcomes = [
        aggregate.add(joined(answer({"v": "a"}), answer({"v": "b"}), answer({"v": control}), pair=f"p{number}"))
        for number, control in enumerate("ccaa")
    ]
    assert [outcome.keep_as_example for outcome in outcomes] == [True, False, True, False]
    assert aggregate.example_ids == {"p2"}


@pytest.mark.parametrize(
    ("branch", "reason", "pairs"),
    [
        ({}, None, 1),
        ({"local_reason": "UT"}, NotCompared.BRANCH_TIMEOUT, 0),
        ({"local_reason": "UO"}, NotCompared.BRANCH_OVERFLOW, 0),
        ({"truncated": True, "headers": (("x-a", "1"),)}, NotCompared.TRUNCATED, 1),
    ],
)
def test_what_becomes_of_a_triple(
    answer: Answer, joined: Joined, branch: Any, reason: NotCompared | None, pairs: int
) -> None:
    aggregate = ServiceAggregate.empty()
    outcome = aggregate.add(joined(answer(), answer(**branch)))
    assert (outcome.paired, outcome.not_compared) == (reason is None, reason)
    assert aggregate.pairs == pairs
    assert isinstance(outcome, Outcome)


def test_memory_is_bounded_whatever_is_new(answer: Answer, joined: Joined) -> None:
    rng, sizes = random.Random(3), []
    aggregate = ServiceAggregate.empty()
    for number in range(6_000):
        body = {f"n{rng.random():.9f}".replace(".", "x") + "q": rng.random() for _ in range(3)}
        status = rng.choice([200, 200, 404, 500])
        branch = answer(body, status=status, headers=((f"x-{number}", "1"),), side=Side.BRANCH)
        base = answer({"v": number}, path=f"/{rng.choice('abcdefgh')}{rng.choice('xyz')}/w{number}w/{number}")
        aggregate.add(joined(base, branch, pair=f"p{number}"))
        if number % 2_000 == 1_999:
            sizes.append(aggregate.size_bytes())
    assert aggregate.pairs == 6_000
    assert sizes[2] < 1.2 * sizes[1]


def test_the_rarest_endpoints_become_one(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(64 * 40):
        path = (
            "/hot"
            if number % 2
            else f"/{'abcdefgh'[number // 2 % 8]}/{'abcdefghijklmnopqrstuvwxyz'[number // 16 % 26]}"
        )
        method = "GET" if number % 3 else "HEAD"
        aggregate.add(joined(answer(path=path, method=method), answer(), pair=str(number)))
    assert OTHER_ENDPOINT in aggregate.endpoints
    assert aggregate.pairs == 64 * 40
    assert aggregate.endpoints["GET /hot"].pairs > 500


def test_endpoints_come_together_when_their_template_is_learned(answer: Answer, joined: Joined) -> None:
    first, second = ServiceAggregate.empty(), ServiceAggregate.empty()
    for number in range(30):
        for aggregate, name in ((first, "red"), (second, "blue")):
            path = f"/items/{name}{'abcdefghijklmnopqrstuvwxyzäöüß'[number]}/parts"
            aggregate.add(joined(answer({"v": 1}, path=path), answer({"v": 2}), pair=name))
    assert len(first.endpoints) == 30
    first.merge(second)
    assert list(first.endpoints) == ["GET /items/{id}/parts"]
    assert first.endpoints["GET /items/{id}/parts"].pairs == 60
    (tally,) = first.endpoints["GET /items/{id}/parts"].tallies.values()
    assert tally.alone == 60


def test_keys_of_arrays_are_learned_handed_on_and_counted_once(answer: Answer, joined: Joined) -> None:
    total, delta = ServiceAggregate.empty(), ServiceAggregate.empty()
    body = [{"code": n, "price": n} for n in range(4)]
    for _ in range(100):
        for _ in range(25):
            delta.add(joined(answer(body), answer([*reversed(body)])))
        total.merge(ServiceAggregate.from_bytes(delta.to_bytes()))
        delta = ServiceAggregate.from_bytes(total.fresh().to_bytes())
    assert total.array_keys.best("GET /things/{id} $") == "code"
    assert max(seen for names in total.array_keys.own.arrays.values() for _, seen in names.values()) <= 2_500
