"""The load of the benchmarks and the server that it compares against: every fault of the server shows in the counts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from programs import load, server

from microstax.demo.workspace import free_ports


@contextmanager
def running(**options: object) -> Iterator[int]:
    [port] = free_ports(1)
    with server(port, **options):  # type: ignore[arg-type]
        yield port


def test_every_request_of_an_open_loop_is_sent_and_answered() -> None:
    with running() as port:
        found = load(port, rate=200, seconds=1, connections=4, grace=20)
    assert (found["due"], found["answered"], found["failed"], found["changed"]) == (200, 200, 0, 0)


def test_uploads_arrive_whole() -> None:
    with running() as port:
        found = load(port, requests=20, upload=300_000, seconds=30, connections=4, grace=0)
    assert (found["answered"], found["changed"]) == (20, 0)


def test_what_waits_for_a_server_that_hangs_counts_with_the_time_that_it_waited() -> None:
    with running(fault="hang") as port:
        found = load(port, rate=100, seconds=1, connections=4, grace=0.5)
    assert found["answered"] == 0
    assert found["unanswered"] == found["due"] == 100
    # The first was due when the load began and has waited since; half of them have for a second or more.
    assert found["p50_ms"] > 500


@pytest.mark.parametrize("fault", ["reset", "crash"])
def test_connections_that_break_are_failures(fault: str) -> None:
    with running(fault=fault) as port:
        found = load(port, rate=300, seconds=1, connections=4, grace=20)
    assert found["failed"] > 0
    assert found["failed"] + found["answered"] == found["sent"]
    assert any("receiving" in problem or "closed" in problem for problem in found["problems"])


def test_an_answer_that_is_not_the_expected_one_is_told() -> None:
    with running(fault="large") as port:
        found = load(port, requests=2, seconds=60, connections=1, grace=0)
    assert (found["answered"], found["changed"]) == (2, 2)
    assert found["problems"][0].startswith("changed: ")


def test_a_delay_is_in_every_latency() -> None:
    with running(delay_ms=30) as port:
        found = load(port, rate=50, seconds=1, connections=8, grace=20)
    assert found["answered"] == 50
    assert found["p50_ms"] >= 30
    json.dumps(found)
