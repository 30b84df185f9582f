"""`microstax selftest`: on a file without a control plane, and what it asks a scripted one for and cleans up."""

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from microstax.api import methods
from microstax.generated.management.microstax.management import v1
from microstax.model.record import PairFileHeader, decode_pair, encode_header, encode_pair

SERVICES = [
    v1.ServiceInfo(name="catalog", url="http://127.0.0.1:18081", address="127.0.0.1:4001", command=["run"]),
    v1.ServiceInfo(name="pricing", url="http://127.0.0.1:18082", address="127.0.0.1:4002"),
]


def unchanged(pair_record: Callable[..., bytes], count: int) -> Iterator[bytes]:
    """Yield the records of pairs in which only a clock differs."""
    pair = decode_pair(pair_record("x"))
    for number in range(count):
        sides = {
            side: replace(
                exchange,
                response=replace(exchange.response, body=b'{"price": 1, "at": "10:%02d"}' % ((number * 3 + nth) % 60)),
            )
            for nth, side in enumerate(("baseline", "branch", "control"))
            if (exchange := getattr(pair.triple, side)) is not None
        }
        triple = replace(pair.triple, id=f"pair-{number}", **sides)
        yield encode_pair(replace(pair, triple=triple, captured_ms=pair.captured_ms + number))


@pytest.fixture
def file(tmp_path: Path, pair_record: Callable[..., bytes]) -> str:
    header = encode_header(PairFileHeader(overlay="shadow-test", baseline="prod", created_ms=1))
    path = tmp_path / "pairs.msgpack"
    path.write_bytes(header + b"".join(unchanged(pair_record, 60)))
    return str(path)


async def test_a_file_needs_no_control_plane(cli: Any, file: str) -> None:
    ended = await cli("selftest", "--file", file)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Without a fault: undecided, 60 pairs, no false findings.\n")
    assert "Detected" in ended.out
    assert "(100.0%)" in ended.out
    table = ended.out.partition("HIT: ")[0]
    assert max(map(len, table.splitlines())) <= 80


async def test_json_has_every_trial(cli: Any, file: str) -> None:
    ended = await cli("selftest", "--file", file, "-o", "json")
    result = json.loads(ended.out)
    assert (ended.code, result["pairs"], result["false_findings"]) == (0, 60, [])
    always = {trial["fault"]: trial for trial in result["trials"] if trial["rate"] == 1.0}
    assert always["number-as-text"]["verdict"] == "found"
    assert always["number-as-text"]["place"] == "$.price"
    assert always["array-order"]["verdict"] == "not applicable"


async def test_a_branch_that_differs_is_a_false_finding(
    cli: Any, tmp_path: Path, pair_record: Callable[..., bytes]
) -> None:
    header = encode_header(PairFileHeader(overlay="shadow-test", baseline="prod", created_ms=1))
    (tmp_path / "drift.msgpack").write_bytes(header + b"".join(pair_record(f"pair-{number}") for number in range(40)))
    ended = await cli("selftest", "--file", str(tmp_path / "drift.msgpack"))
    assert ended.code == 1
    assert "  false: catalog: GET /products/{id}: type $.price (pair pair-0)\n" in ended.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name a baseline to test it live, or --file with exported pairs"),
        (("prod", "--file", "x"), "Name a baseline to test it live, or --file with exported pairs"),
        (("--file", "x", "--keep"), "--keep says how to capture pairs and has no meaning with --file"),
        (("--file", "/nowhere.msgpack"), "/nowhere.msgpack: no such file"),
        (("prod", "--alpha", "2"), "--alpha"),
        (("prod", "--wait", "soon"), "is no duration"),
    ],
)
async def test_wrong_usage_is_one_sentence(cli: Any, words: tuple[str, ...], said: str) -> None:
    ended = await cli("selftest", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


def scripted(management: Any, document: dict[str, Any], records: list[bytes]) -> None:
    management.on(methods.GET_ENVIRONMENT, v1.EnvironmentInfo(name="prod", promoted=True, services=SERVICES))
    management.on(methods.CREATE_OVERLAY, [v1.Progress(message="nothing is changed", warning=True, done=True)])
    management.on(methods.SET_SHADOW, [v1.Progress(done=True)])
    management.on(methods.GET_REPORT, v1.GetReportResponse(document=json.dumps(document).encode()))
    management.on(methods.EXPORT_PAIRS, [v1.PairRecord(record=record) for record in records])
    management.on(methods.DELETE_OVERLAY, [v1.Progress(done=True)])


def asked(management: Any, kind: type) -> list[Any]:
    return [request for request in management.requests if isinstance(request, kind)]


@pytest.fixture
def clean(document: dict[str, Any]) -> dict[str, Any]:
    """Return a report with pairs and without a finding."""
    return {**document, "services": [], "coverage": {**document["coverage"], "paired": 60}}


async def test_the_overlay_is_the_unchanged_baseline_and_is_deleted(
    cli: Any, management: Any, clean: dict[str, Any], pair_record: Callable[..., bytes]
) -> None:
    scripted(management, clean, list(unchanged(pair_record, 60)))
    ended = await cli("selftest", "prod", "--pairs", "60", "-o", "json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["pairs"] == 60
    [made] = asked(management, v1.CreateOverlayRequest)
    assert json.loads(made.file.text) == {
        "services": [{"name": "catalog"}, {"name": "pricing", "url": "http://127.0.0.1:4002"}],
        "bridge": {"maxRps": 100_000, "maxConcurrent": 1_000},  # all traffic is mirrored, and none of it held up
    }
    [shadow] = asked(management, v1.SetShadowRequest)
    assert (shadow.keep_pairs, shadow.enable, shadow.control) == (60, True, "")
    assert [one.name for one in asked(management, v1.DeleteOverlayRequest)] == [made.name]
    assert made.name.startswith("selftest-")
    assert "Warning: pricing is a server that runs already, at 127.0.0.1:4002" in ended.err
    assert "nothing is changed" not in ended.err


async def test_what_the_live_report_finds_is_false_as_well(
    cli: Any, management: Any, document: dict[str, Any], pair_record: Callable[..., bytes]
) -> None:
    live = {**document, "coverage": {**document["coverage"], "paired": 60}}
    scripted(management, live, list(unchanged(pair_record, 60)))
    ended = await cli("selftest", "prod", "--pairs", "60", "--service", "catalog")
    assert ended.code == 1
    assert "  false: catalog: " in ended.out


async def test_keep_leaves_the_overlay_and_says_so(
    cli: Any, management: Any, clean: dict[str, Any], pair_record: Callable[..., bytes]
) -> None:
    scripted(management, clean, list(unchanged(pair_record, 60)))
    ended = await cli("selftest", "prod", "--pairs", "60", "--keep")
    assert asked(management, v1.DeleteOverlayRequest) == []
    assert "is kept: 'microstax overlay delete selftest-" in ended.err


async def test_ctrl_c_while_it_waits_deletes_the_overlay(
    cli: Any, management: Any, clean: dict[str, Any], hang: object
) -> None:
    scripted(management, clean, [])
    management.on(methods.SET_SHADOW, [hang])
    process = await cli.start("selftest", "prod")
    while not asked(management, v1.SetShadowRequest):  # noqa: ASYNC110  # the scripted server keeps a list
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 130
    assert len(asked(management, v1.DeleteOverlayRequest)) == 1


@pytest.mark.parametrize(
    ("promoted", "words", "said"),
    [
        (False, (), "prod is no baseline yet: promote it with 'microstax env promote prod'."),
        (True, ("--service", "cart"), "prod has no service 'cart': it has catalog, pricing."),
    ],
)
async def test_what_cannot_be_tested_is_refused_before_anything_starts(
    cli: Any, management: Any, *, promoted: bool, words: tuple[str, ...], said: str
) -> None:
    found = v1.EnvironmentInfo(name="prod", promoted=promoted, services=SERVICES)
    management.on(methods.GET_ENVIRONMENT, found)
    ended = await cli("selftest", "prod", *words)
    assert ended.code == 2
    assert said in ended.err
    assert asked(management, v1.CreateOverlayRequest) == []
