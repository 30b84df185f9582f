"""Lists and objects: tables as golden files, JSON that names every field, logs, exports, completion."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microstax.api import methods
from microstax.cli import failure
from microstax.errors import FaultError, RefusedError
from microstax.generated.management.microstax.management import v1
from microstax.model.record import read_pair_file

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "cli"
SINCE_MS = 1_700_000_000_000

SERVICES = [
    v1.ServiceInfo(
        name="catalog",
        phase="ready",
        url="http://127.0.0.1:8081",
        address="127.0.0.1:40001",
        pid=4711,
        restarts=2,
        command=["python", "catalog.py"],
        message="restarted after exit code 1",
    ),
    v1.ServiceInfo(name="billing", phase="ready", url="http://127.0.0.1:8082", address="127.0.0.1:9000"),
]
ENVIRONMENT = v1.EnvironmentInfo(
    name="production-cluster-01",
    runtime="local",
    promoted=True,
    promoted_ms=SINCE_MS,
    services=SERVICES,
    overlays=["shadow-test"],
    health="healthy",
)
OVERLAY = v1.OverlayInfo(
    name="shadow-test",
    baseline="production-cluster-01",
    services=[
        v1.ServiceInfo(name="catalog", phase="ready", address="127.0.0.1:40007", pid=4712, runs_in="overlay"),
        v1.ServiceInfo(name="billing", runs_in="bridge"),
    ],
    bridge_allow=[v1.BridgeAllowanceInfo(service="search", methods=["POST", "PUT"])],
    fence=[
        v1.FenceInfo(service="billing", protocol="http", max_concurrent=64, max_rps=1000),
        v1.FenceInfo(service="search", protocol="http", allowed="POST, PUT", max_concurrent=4, max_rps=50),
        v1.FenceInfo(service="db", protocol="tcp", max_concurrent=64, max_rps=1000),
        v1.FenceInfo(service="cache", protocol="tcp", allowed="TCP", max_concurrent=64, max_rps=1000),
    ],
    direct="open",
    shadowed=True,
    ends_ms=SINCE_MS + 86_400_000,
    created_ms=SINCE_MS,
    manifest_diff="--- catalog\n+++ catalog\n-command: v1\n+command: v2\x1b[2J\n",
)
RULES = [
    v1.IgnoreRule(id=1, path="$.generated_at", reason="a timestamp", created_ms=SINCE_MS),
    v1.IgnoreRule(
        id=2,
        overlay="shadow-test",
        service="catalog",
        endpoint="GET /products/{id}",
        kind="extra",
        owner="team-catalog",
        expires="2027-03-01",
    ),
]
STATUS = v1.GetStatusResponse(
    version="0.1.0",
    pid=4000,
    started_ms=SINCE_MS,
    state_dir="/home/dev/.local/state/microstax",
    envoys=[
        v1.EnvoyInfo(
            node_id="tee-production-cluster-01",
            role="tee",
            connected=True,
            applied=True,
            version="1.40.0",
            pid=4100,
            phase="ready",
            memory_bytes=80 << 20,
            memory_limit_bytes=336 << 20,
        ),
        v1.EnvoyInfo(
            node_id="bridge-shadow-test",
            role="bridge",
            connected=True,
            version="1.40.0",
            pid=4101,
            phase="ready",
            memory_bytes=65 << 20,
            types=[
                v1.EnvoyType(
                    type_url="type.googleapis.com/envoy.config.listener.v3.Listener",
                    sent_version="b2",
                    acked_version="a1",
                    nack_version="b2",
                    nack_error="cannot bind '127.0.0.1:8081': \x1b[31mAddress already in use",
                )
            ],
        ),
        v1.EnvoyInfo(node_id="tee-old", role="tee", phase="restarting"),
    ],
    shadows=[
        v1.ShadowInfo(
            overlay="shadow-test",
            baseline="production-cluster-01",
            enabled=True,
            control="copy",
            since_ms=SINCE_MS,
            recheck_rps=5,
            keep_pairs=5000,
            expires_ms=SINCE_MS + 86_400_000,
            strip_headers=["authorization", "cookie"],
            max_total_rps=1000,
            adjusted=["catalog: 25% of the 100% that were asked for: --max-rps holds it to 200 copies a second."],
            services=[
                v1.ShadowService(
                    service="catalog",
                    sample_ppm=1_000_000,
                    current_ppm=250_000,
                    mirrored=12345,
                    paired=12001,
                    state="mirroring",
                    kept=1200,
                ),
                v1.ShadowService(service="search", sample_ppm=50_000, current_ppm=50_000),
            ],
        ),
        v1.ShadowInfo(
            overlay="last-week",
            baseline="production-cluster-01",
            expires_ms=SINCE_MS + 3_600_000,
            services=[v1.ShadowService(service="catalog", sample_ppm=1_000_000, state="off")],
        ),
    ],
    workers=[
        v1.WorkerInfo(worker_id="w1", pid=4200, last_seen_ms=SINCE_MS, pairs=12001, lag_ms=1234, memory_bytes=101 << 20)
    ],
    problems=["bridge-shadow-test refused its listener: the address is in use."],
)
COMMANDS = [
    ("env-list", methods.LIST_ENVIRONMENTS, v1.ListEnvironmentsResponse(environments=[ENVIRONMENT]), "env list"),
    ("env-show", methods.GET_ENVIRONMENT, ENVIRONMENT, "env show production-cluster-01"),
    ("overlay-list", methods.LIST_OVERLAYS, v1.ListOverlaysResponse(overlays=[OVERLAY]), "overlay list"),
    ("overlay-show", methods.GET_OVERLAY, OVERLAY, "overlay show shadow-test"),
    ("ignore-list", methods.LIST_IGNORE_RULES, v1.ListIgnoreRulesResponse(rules=RULES), "ignore list"),
    ("ignore-add", methods.ADD_IGNORE_RULE, RULES[1], "ignore add --kind extra"),
    ("status", methods.GET_STATUS, STATUS, "status"),
]


@pytest.mark.parametrize(("name", "method", "answer", "line"), COMMANDS, ids=[command[0] for command in COMMANDS])
@pytest.mark.parametrize("output", ["table", "json"])
async def test_golden(
    cli: Any, management: Any, *, name: str, method: Any, answer: Any, line: str, output: str
) -> None:
    management.on(method, answer)
    ended = await cli(*line.split(), "-o", output, TZ="UTC")
    assert (ended.code, ended.err) == (0, "")
    assert "\x1b" not in ended.out
    path = GOLDEN / f"{name}.{'json' if output == 'json' else 'txt'}"
    if os.environ.get("MICROSTAX_UPDATE_GOLDEN"):
        path.write_text(ended.out)
    assert ended.out == path.read_text()


EMPTY = [
    (methods.LIST_ENVIRONMENTS, v1.ListEnvironmentsResponse(), "env list", "microstax env create NAME"),
    (methods.LIST_OVERLAYS, v1.ListOverlaysResponse(), "overlay list", "microstax overlay create"),
    (methods.LIST_IGNORE_RULES, v1.ListIgnoreRulesResponse(), "ignore list", "microstax ignore add"),
]


@pytest.mark.parametrize(("method", "answer", "line", "hint"), EMPTY, ids=[case[2] for case in EMPTY])
async def test_an_empty_list_says_how_to_fill_it(
    cli: Any, management: Any, method: Any, answer: Any, line: str, hint: str
) -> None:
    management.on(method, answer)
    table, as_json = await asyncio.gather(cli(*line.split()), cli(*line.split(), "-o", "json"))
    assert (table.code, table.out) == (0, "")
    assert hint in table.err
    assert (as_json.out, as_json.err) == ("[]\n", "")


async def test_logs_of_all_services_have_names_in_front(cli: Any, management: Any) -> None:
    """Chunks end where they end: lines of two services that arrive in pieces stay whole."""
    pieces = [("a", b"one\ntw"), ("b", b"eins\n"), ("a", b"o\nthree"), ("b", b"\xff\xfe\n")]
    management.on(methods.STREAM_LOGS, [v1.LogChunk(service=service, data=data) for service, data in pieces])
    process = await cli.start("env", "logs", "shop", "--tail", "7")
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert out == b"a | one\nb | eins\na | two\nb | \xff\xfe\na | three\n"
    assert (process.returncode, err) == (0, b"")
    assert management.requests == [v1.StreamLogsRequest(name="shop", tail_lines=7)]


async def test_logs_of_one_service_are_as_it_wrote_them(cli: Any, management: Any) -> None:
    management.on(methods.STREAM_LOGS, [v1.LogChunk(service="a", data=b"\x1b[32mone\x1b[0m\n")])
    assert (await cli("env", "logs", "shop", "a")).out == "\x1b[32mone\x1b[0m\n"
    assert management.requests == [v1.StreamLogsRequest(name="shop", service="a", tail_lines=200)]


async def test_shadow_sends_every_setting(cli: Any, management: Any) -> None:
    management.on(methods.SET_SHADOW, [v1.Progress(done=True)])
    line = (
        "env shadow b --enable --sample 25% --max-rps 50 --methods get,POST --unsafe-methods --control self "
        "--service catalog --service search --max-body 1MiB --recheck-rps 7 --keep-pairs 1000 --ttl 90m "
        "--strip-header Authorization --strip-header x-api-key --max-total-rps 300"
    )
    assert (await cli(*line.split())).code == 0
    assert management.requests == [
        v1.SetShadowRequest(
            overlay="b",
            enable=True,
            sample_ppm=250_000,
            max_rps=50,
            methods=["GET", "POST"],
            unsafe_methods=True,
            control="self",
            services=["catalog", "search"],
            max_body_bytes=1024 * 1024,
            recheck_rps=7,
            keep_pairs=1000,
            ttl_ms=90 * 60_000,
            strip_headers=["authorization", "x-api-key"],
            max_total_rps=300,
        )
    ]


@pytest.mark.parametrize(
    ("words", "rps"), [("--recheck", 5), ("--recheck --recheck-rps 9", 9), ("--recheck-rps 0", 0), ("", None)]
)
async def test_asking_again_has_a_usual_budget(cli: Any, management: Any, words: str, rps: int | None) -> None:
    management.on(methods.SET_SHADOW, [v1.Progress(done=True)])
    assert (await cli(*f"env shadow b --enable {words}".split())).code == 0
    assert management.requests == [v1.SetShadowRequest(overlay="b", enable=True, recheck_rps=rps)]


@pytest.mark.parametrize(("words", "ttl_ms"), [("never", 0), ("0", 0), ("2d", 172_800_000), ("30", 30_000)])
async def test_a_shadow_may_end_soon_or_never(cli: Any, management: Any, words: str, ttl_ms: int) -> None:
    management.on(methods.SET_SHADOW, [v1.Progress(done=True)])
    assert (await cli("env", "shadow", "b", "--enable", "--ttl", words)).code == 0
    assert management.requests == [v1.SetShadowRequest(overlay="b", enable=True, ttl_ms=ttl_ms)]


async def test_headers_can_be_left_in_copies_again(cli: Any, management: Any) -> None:
    management.on(methods.SET_SHADOW, [v1.Progress(done=True)])
    assert (await cli(*"env shadow b --enable --no-strip-headers".split())).code == 0
    assert management.requests == [v1.SetShadowRequest(overlay="b", enable=True, strip_nothing=True)]


async def test_the_kill_switch_is_one_call(cli: Any, management: Any) -> None:
    told = v1.Progress(message="Switched off 1 shadow (b).", object_json='{"switched_off": ["b"]}', done=True)
    management.on(methods.DISABLE_SHADOWS, [told])
    ended = await cli("env", "shadow", "--disable-all")
    assert (ended.code, ended.out, ended.err) == (0, "", "")  # messages are for terminals
    ended = await cli("env", "shadow", "--disable-all", "-o", "json")
    assert json.loads(ended.out) == {"switched_off": ["b"]}
    assert management.requests == [v1.DisableShadowsRequest()] * 2


async def test_a_kill_switch_that_could_not_be_stored_says_so(cli: Any, management: Any) -> None:
    management.on(methods.DISABLE_SHADOWS, FaultError("Nothing is mirrored any more. That cannot be stored: full."))
    ended = await cli("env", "shadow", "--disable-all")
    assert (ended.code, "cannot be stored: full." in ended.err) == (4, True)


async def test_without_a_control_plane_the_kill_switch_says_what_holds_and_what_to_do(cli: Any) -> None:
    ended = await cli("env", "shadow", "--disable-all")
    assert ended.code == 4
    assert "No control plane answers at" in ended.err
    assert "each stops mirroring by itself when the --ttl of the first of its shadows is over" in ended.err
    assert "'microstax up --detach', then this command again" in ended.err


async def test_a_control_plane_that_hangs_does_not_hang_the_kill_switch(
    cli: Any, management: Any, hang: object, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("microstax.cli.shadow.ALL_TIMEOUT_S", 0.3)
    monkeypatch.setenv("MICROSTAX_STATE", str(cli.state))
    management.on(methods.DISABLE_SHADOWS, [hang])
    assert await asyncio.to_thread(failure.run, ["env", "shadow", "--disable-all"]) == 4
    told = capfd.readouterr().err
    assert "did not answer in time: it is very busy, or it hangs." in told
    assert "end a control plane that hangs with 'kill -9'" in told


async def test_asking_again_within_no_budget_is_refused(cli: Any) -> None:
    ended = await cli(*"env shadow b --enable --recheck --recheck-rps 0".split())
    assert ended.code == 2
    assert ended.err == "Error: --recheck and --recheck-rps 0 contradict each other: leave one of them out.\n"


async def test_promote_may_bring_its_file(cli: Any, management: Any) -> None:
    management.on(methods.PROMOTE_ENVIRONMENT, [v1.Progress(done=True)])
    assert (await cli("env", "promote", "shop", "--file", "-", stdin="# ü\n".encode())).code == 0
    assert management.requests[0].file.text == "# ü\n"


async def test_promote_leaves_it_to_the_control_plane_what_a_context_means(cli: Any, management: Any) -> None:
    refusal = RefusedError("--context and --namespace are about a Kubernetes cluster: leave them out.")
    management.on(methods.PROMOTE_ENVIRONMENT, refusal)
    ended = await cli("env", "promote", "shop", "--context", "kind", "--namespace", "n")
    assert (ended.code, ended.err) == (2, f"Error: {refusal.message}\n")
    assert management.requests == [v1.PromoteEnvironmentRequest(name="shop", context="kind", namespace="n")]


async def test_ignore_sends_the_rule(cli: Any, management: Any) -> None:
    management.on(methods.ADD_IGNORE_RULE, RULES[0])
    management.on(methods.REMOVE_IGNORE_RULE, v1.RemoveIgnoreRuleResponse())
    words = ("--overlay", "b", "--service", "s", "--endpoint", "GET /", "--path", "$.a", "--kind", "value")
    words = (*words, "--reason", "a clock", "--owner", "me", "--expires", "2027-03-01")
    assert (await cli("ignore", "add", *words)).code == 0
    assert (await cli("ignore", "remove", "1")).code == 0
    assert (await cli("ignore", "list", "--overlay", "b")).code == 4  # not scripted: the server fails
    assert management.requests == [
        v1.IgnoreRule(
            overlay="b",
            service="s",
            endpoint="GET /",
            path="$.a",
            kind="value",
            reason="a clock",
            owner="me",
            expires="2027-03-01",
        ),
        v1.RemoveIgnoreRuleRequest(id=1),
        v1.ListIgnoreRulesRequest(overlay="b"),
    ]


async def test_export_writes_a_file_that_reads_back(
    cli: Any, management: Any, pair_record: Callable[[str], bytes]
) -> None:
    management.on(methods.GET_OVERLAY, OVERLAY)
    records = [v1.PairRecord(record=pair_record(name)) for name in ("p1", "p2")]
    management.on(methods.EXPORT_PAIRS, records)
    assert (await cli("env", "export", "shadow-test", "--file", "pairs.msgpack")).code == 0
    header, pairs = read_pair_file([Path(cli.state, "pairs.msgpack").read_bytes()], file="pairs.msgpack")
    assert (header.overlay, header.baseline) == ("shadow-test", "production-cluster-01")
    assert [pair.triple.id for pair in pairs] == ["p1", "p2"]
    assert sorted(path.name for path in cli.state.iterdir() if path.is_file()) == ["pairs.msgpack"]


async def test_an_export_that_fails_leaves_the_old_file(cli: Any, management: Any) -> None:
    target = Path(cli.state, "pairs.msgpack")
    target.write_bytes(b"old")
    management.on(methods.GET_OVERLAY, OVERLAY)
    assert (await cli("env", "export", "shadow-test", "--file", "pairs.msgpack")).code == 4
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in cli.state.iterdir() if path.is_file()) == ["pairs.msgpack"]


async def test_export_to_a_place_that_cannot_be_written(cli: Any, management: Any) -> None:
    management.on(methods.GET_OVERLAY, OVERLAY)
    management.on(methods.EXPORT_PAIRS, [])
    ended = await cli("env", "export", "shadow-test", "--file", "nowhere/pairs.msgpack")
    assert (ended.code, ended.err) == (
        4,
        "Error: nowhere/pairs.msgpack cannot be written (No such file or directory); name another file with --file.\n",
    )


@pytest.mark.parametrize(("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --no-")])
async def test_completion_prints_a_script(cli: Any, shell: str, mark: str) -> None:
    ended = await cli("completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert mark in ended.out


async def test_completion_completes(cli: Any) -> None:
    words = {"_MICROSTAX_COMPLETE": "bash_complete", "COMP_WORDS": "microstax env sh", "COMP_CWORD": "2"}
    ended = await cli(**words)
    assert ended.out.split() == ["plain,show", "plain,shadow"]


@pytest.mark.parametrize(
    ("words", "index"),
    [
        ("microstax env create n --file", 5),
        ("microstax env promote n --file", 5),
        ("microstax overlay create --file", 4),
        ("microstax env export n --file", 5),
        ("microstax diff", 2),
    ],
)
async def test_completion_completes_names_of_files(cli: Any, words: str, index: int) -> None:
    """The shell does that itself when it is told that a file is meant."""
    asked = {"_MICROSTAX_COMPLETE": "bash_complete", "COMP_WORDS": f"{words} pa", "COMP_CWORD": str(index)}
    ended = await cli(**asked)
    assert ended.out.split() == ["file,pa"]


async def test_a_folder_that_is_named_wins_over_the_variable(cli: Any, management: Any) -> None:
    """Also in front of the command, where the command's own option finds only the variable."""
    management.on(methods.LIST_OVERLAYS, v1.ListOverlaysResponse())
    named = str(cli.state)
    for words in (("--state", named, "overlay", "list"), ("overlay", "list", "--state", named)):
        ended = await cli(*words, MICROSTAX_STATE="/nonexistent")
        assert (ended.code, ended.err.partition(":")[0]) == (0, "No overlay yet")
    ended = await cli("overlay", "list", MICROSTAX_STATE="/nonexistent")
    assert "unix:/nonexistent/" in ended.err
