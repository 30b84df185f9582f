"""`microstax diff`: the same report from a file, without a control plane."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import microstax.report
from microstax.model.record import PairFileHeader, encode_header

SCHEMA = json.loads((Path(microstax.report.__file__).parent / "report.schema.json").read_text())
HEADER = encode_header(
    PairFileHeader(overlay="shadow-test", baseline="production-cluster-01", created_ms=1_700_000_300_000)
)
PAIRS = 400


@pytest.fixture
def file(cli: Any, pair_record: Callable[[str], bytes]) -> Path:
    """Return a file of pairs whose price became a string and whose clock is noise."""
    path = Path(cli.state, "pairs.msgpack")
    path.write_bytes(HEADER + b"".join(pair_record(f"p{index}") for index in range(PAIRS)))
    return path


async def test_the_report_finds_the_drift_and_leaves_the_noise(cli: Any, file: Path) -> None:
    ended = await cli("diff", str(file), "-o", "json")
    assert (ended.code, ended.err) == (0, "")
    report = json.loads(ended.out)
    jsonschema.validate(report, SCHEMA)
    assert (report["overlay"], report["baseline"]) == ("shadow-test", "production-cluster-01")
    assert report["since"].startswith("2023-11-14T22:13:20")
    assert (report["coverage"]["mirrored"], report["coverage"]["paired"]) == (PAIRS, PAIRS)
    [service] = report["services"]
    [endpoint] = service["endpoints"]
    [shape] = endpoint["shape"]
    assert (shape["kind"], shape["path"], shape["verdict"], shape["count"]) == ("type", "$.price", "different", PAIRS)
    assert [value["verdict"] for value in endpoint["values"]] == ["same"]


async def test_the_gate_and_the_formats(cli: Any, file: Path) -> None:
    assert (await cli("diff", str(file), "--gate")).code == 1
    assert "DIFFERENT" in (await cli("diff", "pairs.msgpack")).out
    assert (await cli("diff", str(file), "-o", "junit")).out.startswith("<?xml")
    assert (await cli("diff", str(file), "--gate", "--kind", "value")).code == 0
    assert (await cli("diff", str(file), "--gate", "--kind", "value", "--min-pairs", "1000")).code == 3


async def test_the_page_shows_an_example(cli: Any, file: Path) -> None:
    page = (await cli("diff", str(file), "-o", "html")).out
    assert "Example pair <code>p" in page
    assert page.count('<details class="pair"') == 1


async def test_filters(cli: Any, file: Path) -> None:
    report = json.loads((await cli("diff", str(file), "-o", "json", "--kind", "value")).out)
    [endpoint] = report["services"][0]["endpoints"]
    assert (endpoint["shape"], len(endpoint["values"])) == ([], 1)
    assert json.loads((await cli("diff", str(file), "-o", "json", "--service", "search")).out)["services"] == []


async def test_one_pair(cli: Any, file: Path) -> None:
    ended = await cli("diff", str(file), "--pair", "p7")
    assert (ended.code, "type $.price: number -> string" in ended.out) == (0, True)
    missing = await cli("diff", str(file), "--pair", "q")
    assert (missing.code, missing.err) == (
        2,
        f"Error: {file} has no pair 'q': the report names the pairs that it shows.\n",
    )


async def test_a_file_without_pairs_is_undecided(cli: Any, file: Path) -> None:
    file.write_bytes(HEADER)
    ended = await cli("diff", str(file))
    assert ended.code == 3
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty: a file of pairs comes from 'microstax env export'."),
        (b"services: []\n", "does not begin (at byte 0) as a file of pairs"),
        (HEADER + b"\x88\xa1v", "the file was cut off."),
        (HEADER + b"\xc1", "is no msgpack: the file is damaged."),
    ],
    ids=["empty", "yaml", "cut", "damaged"],
)
async def test_what_is_no_file_of_pairs(cli: Any, file: Path, content: bytes, sentence: str) -> None:
    file.write_bytes(content)
    ended = await cli("diff", "pairs.msgpack")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Error: pairs.msgpack: ")
    assert sentence in ended.err
    assert ended.err.count("\n") == 1


async def test_a_file_that_is_not_there(cli: Any) -> None:
    ended = await cli("diff", "pairs.msgpack")
    assert (ended.code, ended.err) == (
        2,
        "Error: pairs.msgpack: no such file; 'microstax env export' writes one.\n",
    )
    assert "Is a directory" in (await cli("diff", ".")).err
