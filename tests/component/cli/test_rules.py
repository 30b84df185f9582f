"""microstax.yaml on the command line: which file is used, what it does to a report, and where it comes from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microstax.api import methods
from microstax.blueprint.rules import parse_rules
from microstax.generated.management.microstax.management import v1
from microstax.model.record import PairFileHeader, encode_header

HEADER = encode_header(PairFileHeader(overlay="shadow-test", baseline="production", created_ms=1_700_000_300_000))
PAIRS = 400
CLOCK = "{path: $.at, kind: value, reason: a clock, owner: me, expires: 2999-01-01}"
PRICE = "{path: $.price, kind: type, reason: prices are strings, owner: me}"


@pytest.fixture
def pairs(cli: Any, pair_record: Callable[[str], bytes]) -> Path:
    """Return a file of pairs whose price became a string and whose clock is noise."""
    path = Path(cli.state, "pairs.msgpack")
    path.write_bytes(HEADER + b"".join(pair_record(f"p{index}") for index in range(PAIRS)))
    return path


@pytest.fixture
def write(cli: Any) -> Callable[..., Path]:
    """Write a file where the commands run."""

    def write(text: str, name: str = "microstax.yaml") -> Path:
        path = Path(cli.state, name)
        path.write_text(text)
        return path

    return write


async def test_the_file_of_the_folder_is_sent_unless_another_is_named(
    cli: Any, management: Any, document: Any, write: Callable[..., Path]
) -> None:
    management.on(methods.GET_REPORT, v1.GetReportResponse(document=json.dumps(document).encode()))
    assert (await cli("env", "diffs", "b")).code == 0
    write("ignore: []\n")
    write("expect: []\n", "other.yaml")
    for words in ((), ("--rules", "other.yaml"), ("--no-rules",)):
        assert (await cli("env", "diffs", "b", *words)).code == 0
    sent = [request.rules and (request.rules.name, request.rules.text) for request in management.requests]
    assert sent == [None, ("microstax.yaml", "ignore: []\n"), ("other.yaml", "expect: []\n"), None]


async def test_a_folder_of_that_name_is_no_file_of_rules(cli: Any, management: Any, document: Any) -> None:
    management.on(methods.GET_REPORT, v1.GetReportResponse(document=json.dumps(document).encode()))
    Path(cli.state, "microstax.yaml").mkdir()
    assert (await cli("env", "diffs", "b")).code == 0
    assert management.requests[0].rules is None


async def test_a_rule_hides_and_a_declared_change_lets_the_gate_pass(
    cli: Any, pairs: Path, write: Callable[..., Path]
) -> None:
    assert (await cli("diff", str(pairs), "--gate")).err.startswith(
        "gate: failed: different: catalog GET /products/{id} type $.price; evidence 10^"
    )
    write(f"ignore:\n- {CLOCK}\nexpect:\n- {PRICE}\n")
    ended = await cli("diff", str(pairs), "--gate", "-o", "json")
    report = json.loads(ended.out)
    assert (ended.code, report["verdict"]) == (0, "same")
    assert ended.err == f"gate: passed: same in {PAIRS} pairs beside 1 expected change, excess under 1%\n"
    [rule], [change] = report["ignored"], report["expected"]
    assert (rule["origin"], rule["findings"], rule["count"], rule["expired"]) == ("microstax.yaml:2", 1, PAIRS, False)
    assert len(rule["signature"]) == 1
    assert rule["signature"][0].startswith("value ")
    assert (change["origin"], change["verdict"], change["count"]) == ("microstax.yaml:4", "appeared", PAIRS)
    assert (await cli("diff", str(pairs), "--gate", "--no-rules")).code == 1


async def test_the_gate_fails_on_a_declared_change_that_did_not_come(
    cli: Any, pairs: Path, write: Callable[..., Path]
) -> None:
    write(f"expect:\n- {PRICE}\n- {{path: $.discount, kind: extra, reason: the feature, owner: me}}\n")
    ended = await cli("diff", str(pairs), "--gate")
    assert (ended.code, ended.err) == (
        1,
        "gate: failed: different: expected and missing: extra $.discount (microstax.yaml:3)\n",
    )


async def test_an_expired_rule_is_named_and_hides_nothing(cli: Any, pairs: Path, write: Callable[..., Path]) -> None:
    write(f"ignore:\n- {{path: $.price, kind: type, reason: w, owner: me, expires: 2020-01-01}}\n- {CLOCK}\n")
    ended = await cli("diff", str(pairs), "--gate")
    assert ended.code == 1
    assert "type $.price; evidence 10^" in ended.err
    assert ended.err.endswith("; expired: microstax.yaml:2 (type $.price, 2020-01-01)\n")


async def test_a_mistake_in_the_file_is_said_with_its_line(cli: Any, pairs: Path, write: Callable[..., Path]) -> None:
    write("ignore:\n- {path: $.at, reason: w, owner: me}\n")
    said = "ignore[0]: 'expires' is missing: the last day of this rule, like 2027-03-01, or never.\n"
    ended = await cli("diff", str(pairs))
    assert (ended.code, ended.out, ended.err) == (2, "", f"Error: microstax.yaml, line 2: {said}")


async def test_suggested_rules_hide_the_noise_and_not_the_drift(
    cli: Any, pairs: Path, write: Callable[..., Path]
) -> None:
    ended = await cli("ignore", "suggest", "--pairs-file", str(pairs), "--owner", "team", "--expires", "2999-01-01")
    assert (ended.code, ended.err) == (0, "")
    [rule] = parse_rules(ended.out, file="f").ignore
    assert (rule.service, rule.path, rule.kind, rule.owner) == ("catalog", "$.at", "value", "team")
    assert f"# seen {PAIRS} times in {PAIRS} pairs; noise rate 1; pair p" in ended.out
    write(ended.out)
    report = json.loads((await cli("diff", str(pairs), "-o", "json")).out)
    assert (report["verdict"], report["ignored"][0]["count"], report["ignored"][0]["news"]) == ("different", PAIRS, [])
    assert list(rule.signature) == report["ignored"][0]["signature"]
    again = await cli("ignore", "suggest", "--pairs-file", str(pairs), "-o", "json")
    assert (again.code, json.loads(again.out)) == (0, [])


async def test_suggesting_asks_once_more_with_the_rules_in_place(cli: Any, management: Any, document: Any) -> None:
    def report(request: v1.GetReportRequest) -> v1.GetReportResponse:
        rules = parse_rules(request.rules.text, file="f").ignore if request.rules else ()
        ignored = [{**document["ignored"][0], **where(rule), "signature": ["value number>number"]} for rule in rules]
        return v1.GetReportResponse(document=json.dumps({**document, "ignored": ignored}).encode())

    management.on(methods.GET_REPORT, report)
    ended = await cli("ignore", "suggest", "shadow-test", "-o", "json")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert found
    assert all(one["signature"] == ["value number>number"] for one in found)
    assert all(one["owner"] and one["expires"] and one["evidence"]["count"] for one in found)
    assert [request.rules is None for request in management.requests] == [True, False]


def where(rule: Any) -> dict[str, str]:
    return {name: getattr(rule, name) for name in ("service", "endpoint", "path", "kind")}


async def test_a_link_that_leads_nowhere_is_not_taken_for_no_rules(cli: Any, management: Any, document: Any) -> None:
    management.on(methods.GET_REPORT, v1.GetReportResponse(document=json.dumps(document).encode()))
    Path(cli.state, "microstax.yaml").symlink_to("microstax.yaml")
    ended = await cli("env", "diffs", "n")
    assert (ended.code, ended.out, management.requests) == (2, "", [])
    assert ended.err == "Error: microstax.yaml: cannot be read (Too many levels of symbolic links).\n"


async def test_no_suggestion_says_whether_that_may_change(cli: Any, management: Any, document: Any) -> None:
    for service in document["services"]:
        for report in service["endpoints"]:
            report.update(verdict="undecided", shape=[], values=[], headers=[])
    management.on(methods.GET_REPORT, v1.GetReportResponse(document=json.dumps(document).encode()))
    ended = await cli("ignore", "suggest", "n")
    assert parse_rules(ended.out, file="f").ignore == ()
    assert "undecided, and what may still turn out to differ is not hidden." in ended.err


@pytest.mark.parametrize("words", [("env", "diffs", "n", "--rules"), ("ignore", "suggest", "--pairs-file")])
async def test_shells_complete_the_files(cli: Any, words: tuple[str, ...]) -> None:
    asked = {"_MICROSTAX_COMPLETE": "bash_complete", "COMP_WORDS": f"microstax {' '.join(words)} mi"}
    assert (await cli(**asked, COMP_CWORD=str(len(words) + 1))).out.split() == ["file,mi"]
