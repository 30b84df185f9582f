"""Samples merge in any order, deltas do not tell twice, and what requests were like stays bounded."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff import ServiceAggregate
from microstax.diff.aggregate import ALL_REQUESTS
from microstax.diff.samples import DESCRIBED_PAIRS, ENDPOINT_PAIRS, REQUESTS, SEEN_PAIRS, Requests, Sample
from microstax.model.exchange import Exchange, Side, Triple

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]

HASHES = st.integers(0, 2**64 - 1) | st.integers(0, 40)
SETS = st.sets(HASHES, max_size=30)
TOLD = st.dictionaries(HASHES, st.sampled_from([(), ("method GET",), ("method GET", "query a=1")]), max_size=12)


def sample_of(pairs: set[int]) -> Sample:
    made = Sample(8)
    for pair in pairs:
        made.take(pair)
    return made


def requests_of(told: dict[int, tuple[str, ...]]) -> Requests:
    made = Requests()
    for pair, features in told.items():
        made.describe(pair, features)
    return made


@given(SETS, SETS, SETS)
def test_samples_merge_in_any_order(first: set[int], second: set[int], third: set[int]) -> None:
    """A merged sample is that of all pairs together."""
    left, right = sample_of(first), sample_of(second)
    left.merge(sample_of(second))
    left.merge(sample_of(third))
    right.merge(sample_of(third))
    right.merge(sample_of(first))
    assert left == right == sample_of(first | second | third)
    assert Sample.unpack(left.pack(), 8) == left


@given(TOLD, TOLD, TOLD)
def test_descriptions_merge_in_any_order(
    first: dict[int, tuple[str, ...]], second: dict[int, tuple[str, ...]], third: dict[int, tuple[str, ...]]
) -> None:
    """Also where one pair is told of twice."""
    left, right = requests_of(first), requests_of(third)
    left.merge(requests_of(second))
    left.merge(requests_of(third))
    right.merge(requests_of(second))
    right.merge(requests_of(first))
    assert left.features == right.features
    assert Requests.unpack(left.pack()).features == left.features


@given(st.lists(SETS, min_size=1, max_size=6))
def test_deltas_lose_nothing_and_tell_nothing_twice(deltas: list[set[int]]) -> None:
    """What a worker tells in parts is what it would tell at once, and each pair is told once."""
    merged, part, told = Sample(8), Sample(8), []
    for pairs in deltas:
        for pair in pairs:
            part.take(pair)
        delta = Sample.unpack(part.pack(), 8)
        told += delta.hashes
        merged.merge(delta)
        part = part.rest()
    assert merged == sample_of(set().union(*deltas))
    assert len(told) == len(set(told))


def test_only_what_enters_is_taken() -> None:
    """Once a sample is full, a pair with a larger hash than all of them does not enter."""
    sample = sample_of(set(range(0, 16, 2)))
    assert not sample.take(15)
    assert sample.take(3)
    assert sample.hashes == [0, 2, 3, 4, 6, 8, 10, 12]
    assert sample.limit == 12
    assert sample.up_to(4) == [0, 2, 3, 4]
    assert sample_of({1}).limit > 2**63


@pytest.mark.parametrize(
    "packed",
    [
        [],
        [["method GET"], b"", [[0]]],
        [["method GET"], b"12345678", [[1]]],
        [["method GET"], b"12345678", [[0] * 100]],
        [["x" * 65], b"12345678", [[0]]],
        [[7], b"12345678", [[0]]],
        [["method GET"], b"1234567", [[0]]],
    ],
)
def test_damaged_descriptions_are_refused(packed: object) -> None:
    """What no worker packs is not taken in."""
    with pytest.raises(ValueError, match="expected"):
        Requests.unpack(packed)


def pairs_of(answer: Answer, joined: Joined, rng: random.Random, number: int, paths: int = 1) -> list[Triple]:
    """Return pairs whose requests have no feature in common, and of which half fail in one of many ways."""
    made = []
    for at in range(number):
        query = "&".join(f"{rng.choice('abcdefgh')}{name}={rng.getrandbits(120):030x}zz" for name in "pqrstuvw")
        headers = tuple((f"x-{name}-{rng.choice('abcdefgh')}", f"v{rng.random()}") for name in "abcdef")
        asked = replace(answer().request, path=f"/p{rng.randrange(paths)}/a?{query}", headers=headers)
        status = rng.choice([200, *range(400, 440)])
        base, branch = (
            replace(answer({"a": 1}, side=side, status=code), request=asked)
            for side, code in ((Side.BASELINE, 200), (Side.BRANCH, status))
        )
        made.append(joined(base, branch, pair=f"{rng.random()}-{at}"))
    return made


def test_descriptions_are_bounded(answer: Answer, joined: Joined) -> None:
    """However many endpoints fail in however many ways on whatever requests."""
    aggregate, rng = ServiceAggregate.empty(), random.Random(2)
    for triple in pairs_of(answer, joined, rng, 6_000, paths=80):
        aggregate.add(triple)
    described = [len(endpoint.requests) for endpoint in aggregate.endpoints.values()]
    assert max(described) <= 2 * REQUESTS
    before = aggregate.size_bytes()
    for triple in pairs_of(answer, joined, rng, 12_000, paths=80):
        aggregate.add(triple)
    aggregate.merge(ServiceAggregate.empty())
    assert sum(len(endpoint.requests) for endpoint in aggregate.endpoints.values()) <= ALL_REQUESTS
    assert aggregate.size_bytes() < 3 * before < 20_000_000


def test_a_delta_grows_by_little_once_samples_are_full(answer: Answer, joined: Joined) -> None:
    """In the first delta every pair enters; after some thousand hardly one does."""
    rng, sizes = random.Random(9), []
    aggregate = ServiceAggregate.empty()
    for _ in range(12):
        for triple in pairs_of(answer, joined, rng, 300):
            aggregate.add(triple)
        (endpoint,) = aggregate.endpoints.values()
        news = Sample.unpack(endpoint.sample.pack(), ENDPOINT_PAIRS).hashes
        sizes.append((len(news), len(endpoint.requests)))
        aggregate = aggregate.fresh()
    assert sizes[0][0] == ENDPOINT_PAIRS
    assert sizes[-1][0] < ENDPOINT_PAIRS // 4
    aggregate.forget_told()
    for triple in pairs_of(answer, joined, rng, 300):
        aggregate.add(triple)
    (endpoint,) = aggregate.endpoints.values()
    assert len(Sample.unpack(endpoint.sample.pack(), ENDPOINT_PAIRS).hashes) == ENDPOINT_PAIRS


@pytest.mark.parametrize("seed", range(5))
def test_a_service_samples_the_same_however_it_is_split(answer: Answer, joined: Joined, seed: int) -> None:
    """Two workers, each in deltas, give the samples and descriptions of one that saw all."""
    rng = random.Random(seed)
    work = pairs_of(answer, joined, rng, 400)
    whole, merged = ServiceAggregate.empty(), ServiceAggregate.empty()
    for triple in work:
        whole.add(triple)
    workers, deltas = [ServiceAggregate.empty(), ServiceAggregate.empty()], []
    for triple in work:
        at = rng.randrange(2)
        workers[at].add(triple)
        if rng.random() < 0.05:
            deltas.append(workers[at].to_bytes())
            workers[at] = workers[at].fresh()
    deltas += [worker.to_bytes() for worker in workers]
    rng.shuffle(deltas)
    for delta in deltas:
        merged.merge(ServiceAggregate.from_bytes(delta))
    (one,), (other,) = whole.endpoints.values(), merged.endpoints.values()
    assert one.sample == other.sample
    assert {key: tally.seen for key, tally in one.tallies.items()} == {
        key: tally.seen for key, tally in other.tallies.items()
    }
    assert one.pack()[-1] == other.pack()[-1]
    assert max(len(tally.seen.hashes) for tally in one.tallies.values()) <= SEEN_PAIRS
    described = {pair for tally in one.tallies.values() for pair in tally.seen.hashes[:DESCRIBED_PAIRS]}
    assert len(described) > REQUESTS / 2
