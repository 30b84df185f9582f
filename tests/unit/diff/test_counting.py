"""Fields that differ in every answer still show that their form drifts, and noise and processes do not."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from microstax.diff import ServiceAggregate
from microstax.diff.deviations import persisting
from microstax.diff.discrepancy import SHAPE, VALUE, Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.evidence import log_evidence
from microstax.model.exchange import Exchange, Triple

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]
Make = Callable[[random.Random, int, str], Any]
"""Makes a value from randomness, the number of the request and the side that answers it."""

TRIPLES = 1_500


def counted(answer: Answer, joined: Joined, make: Make, *, triples: int = TRIPLES) -> EndpointAggregate:
    rng, aggregate = random.Random(5), ServiceAggregate.empty()
    for number in range(triples):
        sides = [answer({"v": make(rng, number, side)}) for side in ("baseline", "branch", "control")]
        aggregate.add(joined(*sides, pair=f"p{number}"))
    (endpoint,) = ServiceAggregate.from_bytes(aggregate.to_bytes()).endpoints.values()
    return endpoint


def found(endpoint: EndpointAggregate) -> set[tuple[str, str]]:
    """Return kind and detail of what has enough evidence among all, as a report with an alpha of 5% asks for."""
    enough = math.log(len(endpoint.tallies) / 0.05)
    result = set()
    for discrepancy, tally in endpoint.tallies.items():
        evidence = log_evidence(tally.branch_only, tally.control_only)
        if discrepancy.kind == "shift":
            evidence = max(evidence, log_evidence(tally.control_only, tally.branch_only)) - math.log(2)
        if evidence >= enough and not endpoint.is_offset(discrepancy):
            result.add((discrepancy.kind, discrepancy.detail))
    return result


def uuid(rng: random.Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def moment(rng: random.Random) -> str:
    return f"2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}T07:00:{rng.random() * 59:06.3f}Z"


def now_and_then(rng: random.Random, side: str, share: float) -> bool:
    return side == "branch" and rng.random() < share


DRIFTS: dict[str, tuple[Make, set[tuple[str, str]]]] = {
    "a time turns null": (
        lambda rng, _, side: None if now_and_then(rng, side, 0.02) else moment(rng),
        {("type", "string>null")},
    ),
    "an id turns into hex": (
        lambda rng, _, side: f"{rng.getrandbits(128):032x}" if now_and_then(rng, side, 0.02) else uuid(rng),
        {("format", "uuid>hex")},
    ),
    "a time loses its zone": (
        lambda rng, _, side: moment(rng)[: -1 if side == "branch" else None],
        {("format", "rfc3339>local_time")},
    ),
    "a token is cut": (
        lambda rng, _, side: f"{rng.getrandbits(256):064x}"[: 20 if side == "branch" else None],
        {("length_class", "")},
    ),
    "a number turns negative": (
        lambda rng, _, side: rng.uniform(1.1, 9.9) * (-1 if now_and_then(rng, side, 0.02) else 1),
        {("sign", "")},
    ),
    "a number is in another unit": (
        lambda rng, _, side: rng.uniform(1.1, 9.9) * (1000 if side == "branch" else 1),
        {("magnitude", ""), ("shift", "")},
    ),
    "a number grows": (lambda rng, _, side: rng.gauss(5_000, 400) + (300 if side == "branch" else 0), {("shift", "")}),
    "a number shrinks": (
        lambda rng, _, side: rng.gauss(5_000, 400) - (300 if side == "branch" else 0),
        {("shift", "")},
    ),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_is_found_over_noise_in_every_answer(answer: Answer, joined: Joined, name: str) -> None:
    make, expected = DRIFTS[name]
    endpoint = counted(answer, joined, make)
    assert found(endpoint) == expected
    plain = endpoint.tallies[Discrepancy(VALUE, VALUE, "$.v")]
    assert plain.control >= 0.9 * TRIPLES


NOISES: dict[str, Make] = {
    "times": lambda rng, _, __: moment(rng),
    "ids": lambda rng, _, __: uuid(rng),
    "short hex": lambda rng, _, __: f"{rng.getrandbits(32):08x}",
    "words of any length": lambda rng, _, __: "x" * int(rng.expovariate(0.05)),
    "numbers of any size": lambda rng, _, __: rng.choice([-1, 1]) * 10 ** rng.uniform(-3, 12),
    "small numbers": lambda rng, _, __: rng.randrange(3),
    "of any type": lambda rng, _, __: rng.choice([None, 1, "a", uuid(rng), "", 2.5, True]),
    # What differs by who answers: it is the same in every answer, or always larger on one side.
    "a process's id": lambda _, __, side: {"baseline": 998, "control": 997, "branch": 1002}[side],
    "a host": lambda _, __, side: {"baseline": "shop-1", "control": "shop-2", "branch": "shop-branch-of-jo"}[side],
    "a container": lambda _, __, side: {"baseline": "4f3a9c0b12de", "control": "03bd9c0b12fe"}.get(
        side, "123456789012"
    ),
    "requests served": lambda _, number, side: number + {"baseline": 990, "control": 500, "branch": 30}[side],
    "a counter in a text": lambda _, number, side: f"r-{number + {'baseline': 990, 'control': 500}.get(side, 30)}",
    "an uptime": lambda rng, number, side: number * 0.1
    + {"baseline": 9e4, "control": 7e3}.get(side, 2.0)
    + rng.random(),
}


@pytest.mark.parametrize("name", NOISES)
def test_noise_and_processes_are_no_drift(answer: Answer, joined: Joined, name: str) -> None:
    assert found(counted(answer, joined, NOISES[name])) == set()


def test_a_time_that_turns_null_once_in_a_hundred_answers_is_found(answer: Answer, joined: Joined) -> None:
    """Its value differs always, on the control as well; that it is null does so on the branch alone."""
    endpoint = counted(
        answer, joined, lambda rng, _, side: None if now_and_then(rng, side, 0.01) else moment(rng), triples=2_000
    )
    null = endpoint.tallies[Discrepancy(SHAPE, "type", "$.v", "string>null")]
    assert 10 <= null.branch_only <= 35
    assert (null.control_only, null.both) == (0, 0)
    assert found(endpoint) == {("type", "string>null")}


def test_each_process_shows_as_an_offset_and_random_numbers_do_not(answer: Answer, joined: Joined) -> None:
    shift = Discrepancy(VALUE, "shift", "$.v")
    assert counted(answer, joined, NOISES["requests served"]).is_offset(shift)
    random_numbers = counted(answer, joined, NOISES["numbers of any size"])
    assert not random_numbers.is_offset(shift)
    assert not random_numbers.is_offset(Discrepancy(VALUE, VALUE, "$.v"))


def test_a_clock_has_no_shift_and_no_magnitude(answer: Answer, joined: Joined) -> None:
    slow = counted(answer, joined, lambda _, number, side: 1_795_503_600 + number * 60 + 7 * (side != "baseline"))
    assert {discrepancy.kind for discrepancy in slow.tallies} == {"value"}


@pytest.mark.parametrize("branch", [{"v": None}, {"v": "7"}, {}, {"w": {"v": 7}}])
def test_what_is_no_number_has_not_shifted(answer: Answer, joined: Joined, branch: Any) -> None:
    aggregate = ServiceAggregate.empty()
    for number in range(20):
        aggregate.add(joined(answer({"v": number}), answer(branch), answer({"v": number + 1})))
        aggregate.add(joined(answer({"v": number}), answer({"v": 0}, status=500), answer({"v": number + 1})))
    (endpoint,) = aggregate.endpoints.values()
    assert "shift" not in {discrepancy.kind for discrepancy in endpoint.tallies}


def test_numbers_of_an_array_shift_together(answer: Answer, joined: Joined) -> None:
    def items(side: str, rng: random.Random) -> list[dict[str, float]]:
        return [{"id": at, "took": rng.gauss(100, 9) + 6 * (side == "branch")} for at in range(3)]

    assert found(counted(answer, joined, lambda rng, _, side: items(side, rng))) == {("shift", "")}


def test_the_form_of_a_header_and_of_a_page_is_compared_too(answer: Answer, joined: Joined) -> None:
    rng, aggregate = random.Random(1), ServiceAggregate.empty()

    def page(side: str) -> Exchange:
        token = uuid(rng) if side != "branch" else f"{rng.getrandbits(128):032x}"
        text = "<p>" + f"{rng.getrandbits(64):016x}" * (100 if side != "branch" else 4)
        return answer(text.encode(), headers=(("content-type", "text/html"), ("x-token", token)))

    for _ in range(60):
        aggregate.add(joined(page("baseline"), page("branch"), page("control")))
    (endpoint,) = aggregate.endpoints.values()
    assert found(endpoint) == {("format", "uuid>hex"), ("length_class", "")}
    assert endpoint.tallies[Discrepancy("header", "format", "x-token", "uuid>hex")].branch_only == 60


@pytest.mark.parametrize(
    ("make", "form", "formatted"),
    [
        (lambda rng: uuid(rng), "uuid>uuid", 30),
        (lambda rng: rng.randrange(1_700_000_000, 1_800_000_000), "epoch_s>epoch_s", 30),
        (lambda rng: f"user{rng.random()}@shop.test", "email>email", 0),
        (lambda rng: f"https://shop.test/{rng.random()}", "url>url", 0),
        (lambda rng: f"{rng.getrandbits(32) | 10:08x}a", "short_hex>short_hex", 0),
    ],
)
def test_without_a_control_formats_that_are_made_anew_are_noise(
    answer: Answer, joined: Joined, make: Callable[[random.Random], Any], form: str, formatted: int
) -> None:
    rng, aggregate = random.Random(3), ServiceAggregate.empty()
    for _ in range(30):
        aggregate.add(joined(answer({"v": make(rng)}), answer({"v": make(rng)})))
    (endpoint,) = aggregate.endpoints.values()
    tally = endpoint.tallies[Discrepancy(VALUE, VALUE, "$.v")]
    assert tally.forms == {form: 30}
    assert (tally.alone, tally.formatted) == (30, formatted)


def test_what_is_found_again_counts_and_what_vanished_does_not(answer: Answer, joined: Joined) -> None:
    aggregate = ServiceAggregate.empty()

    def differences(base: Any, branch: Any) -> Any:
        sides = aggregate.differences(joined(answer(base), answer(branch)))
        assert sides is not None
        return sides.branch

    first = differences({"a": "words", "b": 1, "c": []}, {"a": "", "b": 2, "c": [1]})
    again = differences({"a": "words", "b": 1, "c": []}, {"a": "other", "b": 1, "c": [1]})
    kept = persisting(first, again)
    endpoint = EndpointAggregate()
    endpoint.add(kept, None, pair="p", context=1, may_show=lambda *_: True)
    assert {(discrepancy.kind, discrepancy.place) for discrepancy in endpoint.tallies} == {
        ("value", "$.a"),
        ("length", "$.c"),
    }
