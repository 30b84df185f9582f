"""`env diffs`: exit codes, waiting, watching, pairs."""

import asyncio
import copy
import fcntl
import json
import os
import pty
import struct
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microstax.api import methods
from microstax.errors import NotFoundError, UndecidedError
from microstax.generated.management.microstax.management import v1
from microstax.report.examples import pairs_shown

NEVER = UndecidedError("branch was never shadowed: start with 'microstax env shadow branch --enable'.")


def answer(document: Any) -> v1.GetReportResponse:
    return v1.GetReportResponse(document=json.dumps(document).encode())


def with_verdict(document: Any, verdict: str) -> Any:
    return {**copy.deepcopy(document), "verdict": verdict}


def without_traffic(document: Any) -> Any:
    empty = with_verdict(document, "undecided")
    empty.update(services=[], reasons=[], accuracy=None)
    empty["coverage"] = {"mirrored": 0, "paired": 0, "not_compared": {}, "skipped_methods": {}, "blocked_calls": 0}
    return empty


@pytest.mark.parametrize(
    ("verdict", "gate", "plain"),
    [("same", 0, 0), ("different", 1, 0), ("undecided", 3, 0), ("not comparable", 3, 0)],
)
async def test_the_exit_code_is_the_verdict_with_a_gate_only(
    cli: Any, management: Any, document: Any, verdict: str, gate: int, plain: int
) -> None:
    management.on(methods.GET_REPORT, answer(with_verdict(document, verdict)))
    gated, read = await asyncio.gather(cli("env", "diffs", "b", "--gate"), cli("env", "diffs", "b"))
    assert (gated.code, read.code) == (gate, plain)
    assert gated.out == read.out
    assert gated.err.startswith(f"gate: {'failed' if gate else 'passed'}: ")
    assert (gated.err.count("\n"), read.err) == (1, "")
    assert verdict.upper() in read.out.splitlines()[0]


async def test_filters_are_sent(cli: Any, management: Any, document: Any) -> None:
    management.on(methods.GET_REPORT, answer(document))
    words = ("--service", "catalog", "--endpoint", "GET /products/{id}", "--kind", "type", "--min-pairs", "7")
    assert (await cli("env", "diffs", "b", *words)).code == 0
    expected = v1.GetReportRequest(
        overlay="b", service="catalog", endpoint="GET /products/{id}", kind="type", min_pairs=7
    )
    assert management.requests == [expected]
    assert (await cli("env", "diffs", "b", "--alpha", "1%", "--tolerance", "0.5%")).code == 0
    assert management.requests[1:] == [v1.GetReportRequest(overlay="b", min_pairs=100, alpha=0.01, tolerance=0.005)]


async def test_no_traffic_says_what_it_waits_for(cli: Any, management: Any, document: Any) -> None:
    management.on(methods.GET_REPORT, answer(without_traffic(document)))
    ended = await cli("env", "diffs", "b")
    assert ended.code == 3
    assert "it waits for traffic on production-cluster-01" in ended.err
    assert "0 mirrored = 0 compared" in ended.out


async def test_no_traffic_prefers_the_control_planes_own_words(cli: Any, management: Any, document: Any) -> None:
    empty = {**without_traffic(document), "reasons": ["nobody called GET /products in the last 30 s."]}
    management.on(methods.GET_REPORT, answer(empty))
    assert (await cli("env", "diffs", "b", "-o", "json")).err == (
        "No verdict on shadow-test yet: nobody called GET /products in the last 30 s.\n"
    )


async def test_wait_polls_until_the_verdict(cli: Any, management: Any, document: Any) -> None:
    stages = iter([NEVER, answer(without_traffic(document)), answer(with_verdict(document, "undecided"))])
    management.on(methods.GET_REPORT, lambda _: next(stages, answer(with_verdict(document, "different"))))
    ended = await cli("env", "diffs", "b", "--gate", "--wait", "1m")
    assert (ended.code, len(management.requests)) == (1, 4)
    assert ended.err.startswith("gate: failed: different: ")


async def test_wait_goes_on_until_what_the_gate_fails_on_is_decided(cli: Any, management: Any, document: Any) -> None:
    """The latencies come after the verdict, and this gate is about them."""
    early, late = with_verdict(document, "same"), with_verdict(document, "same")
    for report, verdict in ((early, "undecided"), (late, "same")):
        for service in report["services"]:
            for endpoint in service["endpoints"]:
                endpoint["latency"].update(verdict=verdict, spikes_verdict="same")
    stages = iter([answer(early), answer(early)])
    management.on(methods.GET_REPORT, lambda _: next(stages, answer(late)))
    gate = ("env", "diffs", "b", "--gate", "--wait", "1m", "--fail-on")
    ended = await cli(*gate, "different,slower")
    assert (ended.code, len(management.requests)) == (0, 3)
    ended = await cli(*gate, "different")
    assert (ended.code, len(management.requests)) == (0, 4)


async def test_wait_ends_when_its_time_is_out(cli: Any, management: Any, document: Any) -> None:
    management.on(methods.GET_REPORT, answer(with_verdict(document, "undecided")))
    ended = await cli("env", "diffs", "b", "--gate", "--wait", "600ms")
    assert (ended.code, "UNDECIDED" in ended.out) == (3, True)
    assert len(management.requests) >= 2


async def test_wait_without_a_shadow_ends_with_the_sentence(cli: Any, management: Any) -> None:
    management.on(methods.GET_REPORT, NEVER)
    ended = await cli("env", "diffs", "b", "--wait", "100ms")
    assert (ended.code, ended.out, ended.err) == (3, "", f"Error: {NEVER.message}\n")


async def test_watch_in_a_pipe_prints_what_changed(
    cli: Any, management: Any, document: Any, interrupt: Callable[[Any], None]
) -> None:
    first, second = without_traffic(document), with_verdict(document, "different")
    stages = iter([answer(first), answer(first)])
    management.on(methods.GET_REPORT, lambda _: next(stages, answer(second)))
    process = await cli.start("env", "diffs", "b", "--watch", "-o", "json")
    seen = b""
    while b'"different"' not in seen or seen.count(b"\n}\n") < 2:
        seen += await asyncio.wait_for(process.stdout.read(65536), 20)
    interrupt(process)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out, err) == (0, b"", b"")
    one, two = (seen).decode().split("\n}\n\n{")
    assert json.loads(one + "}") == first
    assert json.loads("{" + two) == second


async def test_watch_on_a_terminal_redraws_and_gives_the_terminal_back(
    cli: Any, management: Any, document: Any, interrupt: Callable[[Any], None]
) -> None:
    stages = iter([NEVER])
    management.on(methods.GET_REPORT, lambda _: next(stages, answer(document)))
    async with Terminal(rows=12, columns=80) as terminal:
        process = await terminal.run(cli, "env", "diffs", "b", "--watch")
        await terminal.shows("was never shadowed")
        await terminal.shows("more lines")
        interrupt(process)
        seen = await terminal.rest()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert seen.startswith("\x1b[?1049h\x1b[?25l")
    assert seen.endswith("\x1b[?25h\x1b[?1049l")
    screen = seen[seen.rindex("\x1b[H") : seen.index("\x1b[J", seen.rindex("\x1b[H"))]
    assert screen.count("\r\n") == 11
    assert "\x1b[31m" in screen


async def test_colour_and_width_follow_the_terminal(cli: Any, management: Any, document: Any) -> None:
    management.on(methods.GET_REPORT, answer(document))
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        async with Terminal(rows=50, columns=150) as terminal:
            process = await terminal.run(cli, "env", "diffs", "b", **environment)
            seen = await terminal.rest()
            await process.wait()
        assert ("\x1b[" in seen) is coloured
        assert max(map(len, seen.replace("\r", "").splitlines())) > 100
    piped = await cli("env", "diffs", "b")
    assert "\x1b" not in piped.out
    assert max(map(len, piped.out.splitlines())) == 80
    assert max(map(len, (await cli("env", "diffs", "b", COLUMNS="132")).out.splitlines())) == 132


async def test_a_terminal_is_told_which_rules_are_used(cli: Any, management: Any, document: Any) -> None:
    management.on(methods.GET_REPORT, answer(document))
    Path(cli.state, "microstax.yaml").write_text("ignore: []\n")
    for words, told in (((), True), (("--no-rules",), False), (("--quiet",), False)):
        async with Terminal(rows=50, columns=150) as terminal:
            process = await terminal.run(cli, "env", "diffs", "b", *words)
            assert ("Rules: microstax.yaml" in await terminal.rest()) is told
            await process.wait()
    assert (await cli("env", "diffs", "b")).err == ""


async def test_progress_is_shown_on_a_terminal(cli: Any, management: Any) -> None:
    management.on(methods.DELETE_OVERLAY, [v1.Progress(message="stopping \x1b[2Jcatalog"), v1.Progress(done=True)])
    async with Terminal(rows=24, columns=80) as terminal:
        process = await terminal.run(cli, "overlay", "delete", "b")
        assert "stopping \\x1b[2Jcatalog" in await terminal.rest()
        assert await process.wait() == 0


async def test_a_pair_is_shown_side_by_side(cli: Any, management: Any, pair_record: Callable[..., bytes]) -> None:
    management.on(methods.GET_PAIR, v1.PairRecord(record=pair_record("p1")))
    ended = await cli("env", "diffs", "b", "--pair", "p1")
    assert (ended.code, ended.err) == (0, "")
    assert management.requests == [v1.GetPairRequest(overlay="b", pair_id="p1")]
    assert "GET /products/7" in ended.out
    assert "type $.price: number -> string" in ended.out
    assert '  "price": 1,                          |   "price": "1",' in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


async def test_a_pair_as_json(cli: Any, management: Any, pair_record: Callable[..., bytes]) -> None:
    management.on(methods.GET_PAIR, v1.PairRecord(record=pair_record("p1", control=False)))
    shown = json.loads((await cli("env", "diffs", "b", "--pair", "p1", "-o", "json")).out)
    assert {"kind": "type", "where": "$.price", "change": "number -> string", "noise": False} in shown["differences"]
    assert shown["responses"]["control"] is None
    assert shown["pair"] == "p1"


async def test_the_page_shows_the_pairs_that_are_kept_still(
    cli: Any, management: Any, document: Any, pair_record: Callable[..., bytes]
) -> None:
    asked: list[str] = []

    def pair(request: v1.GetPairRequest) -> Any:
        asked.append(request.pair_id)
        if len(asked) > 1:
            return NotFoundError(f"shadow-test has no pair {request.pair_id!r}.")
        return v1.PairRecord(record=pair_record(request.pair_id))

    management.on(methods.GET_REPORT, answer(document))
    management.on(methods.GET_PAIR, pair)
    ended = await cli("env", "diffs", "shadow-test", "-o", "html")
    assert (ended.code, ended.err) == (0, "")
    assert asked == pairs_shown(document)
    assert ended.out.count('<details class="pair"') == 1
    assert f"Example pair <code>{asked[0]}</code>" in ended.out
    asked.clear()
    assert "<details" in (await cli("env", "diffs", "shadow-test", "-o", "markdown")).out
    assert asked == []


class Terminal:
    """A pseudo-terminal of a size, with a program on it."""

    def __init__(self, *, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.seen = ""

    async def __aenter__(self) -> "Terminal":
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        os.close(self.master)

    async def run(self, cli: Any, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        terminal = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave}
        process = await cli.start(*arguments, **{"TERM": "xterm", **environment}, terminal=terminal)
        os.close(self.slave)
        return process

    async def shows(self, text: str) -> str:
        """Read until `text` was shown; return what was read."""
        while text not in self.seen:
            part = await asyncio.wait_for(asyncio.to_thread(os.read, self.master, 65536), 20)
            self.seen += part.decode(errors="replace")
        return self.seen

    async def rest(self) -> str:
        """Read until the program ends; return all that it showed."""
        while True:
            try:
                part = await asyncio.wait_for(asyncio.to_thread(os.read, self.master, 65536), 20)
            except OSError:  # Linux: nobody has the other end open any more
                return self.seen
            self.seen += part.decode(errors="replace")
