"""The users of the shop ask the same for the same seed, ask for everything, and know right from wrong."""

import json
from collections import Counter
from itertools import islice

import pytest

from microstax.demo.load import Result, Tally, judge, main
from microstax.demo.planted import PLANTED, WITHOUT_DRIFT
from microstax.demo.traffic import Call, calls


def asked(seed: int, number: int) -> list[tuple[str, str, str, bytes | None]]:
    return [(call.service, call.method, call.path, call.body) for call in islice(calls(seed), number)]


def test_the_same_seed_asks_the_same() -> None:
    assert asked(7, 300) == asked(7, 300)
    assert asked(7, 300) != asked(8, 300)


def test_some_kinds_can_be_asked_for_more_often() -> None:
    plain, more = (
        Counter(call.path.partition("?")[0] for call in islice(calls(3, more=weights), 2000))["/feed"]
        for weights in ({}, {"feed": 100})
    )
    assert more > 3 * plain


@pytest.mark.parametrize("text", ["nothing=3", "feed", "feed=many"])
def test_a_kind_that_nobody_knows_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--at=storefront=http://127.0.0.1:1", "--at=catalog=http://127.0.0.1:1", f"--more={text}"])
    assert "feed=40" in capsys.readouterr().err


def test_every_endpoint_with_and_without_drift_is_asked_for_in_many_contexts() -> None:
    contexts: dict[str, set[str]] = {}
    for call in islice(calls(1), 3000):
        if call.service == "catalog" and call.method == "GET":
            path, _, _query = call.path.partition("?")
            template = "/".join("{id}" if part.isdigit() else part for part in path.split("/"))
            contexts.setdefault(f"GET {template}", set()).add(call.path)
    wanted = {finding.endpoint for finding in PLANTED} | {endpoint for _service, endpoint in WITHOUT_DRIFT}
    assert wanted <= set(contexts)
    assert all(len(contexts[endpoint]) >= 15 for endpoint in wanted)


def test_some_requests_change_something() -> None:
    methods = Counter(method for _service, method, _path, _body in asked(1, 2000))
    assert methods["POST"] > 50
    assert set(methods) == {"GET", "POST"}


@pytest.mark.parametrize(
    ("status", "body", "complaint"),
    [
        (200, b'{"id": 3}', None),
        (500, b"{}", "status 500, expected 200"),
        (200, b'{"id": 4}', "not the baseline's answer"),
        (200, b"<html>", "not the baseline's answer"),
        (200, b"{}", "not the baseline's answer"),
        (200, b"[]", "not the baseline's answer"),
    ],
)
def test_an_answer_is_right_only_if_it_is_the_baselines(status: int, body: bytes, complaint: str | None) -> None:
    call = Call(service="catalog", path="/a", right=lambda found: found["id"] == 3)
    problem = judge(call, status, body)
    assert problem is None if complaint is None else complaint in (problem or "")


def test_the_tally_keeps_the_first_failures_word_for_word() -> None:
    tally = Tally()
    for nth in range(50):
        problem = "no answer" if nth % 2 else None
        tally.add(Result(method="GET", service="s", path=f"/{nth}", status=None, took_ms=1.0, problem=problem))
    told = json.loads(tally.line())
    assert (told["sent"], told["failed"], len(told["failures"])) == (50, 25, 20)
    assert told["failures"][0] == "GET s /1: no answer"
