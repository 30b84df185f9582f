"""Processes that cannot connect to some ports, as far as the kernel can see to it."""

import asyncio
import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from microstax.errors import ServiceFailedError
from microstax.model.environment import LOOPBACK, Address, HealthCheck
from microstax.runtime import fenced, launch
from microstax.runtime.local import LocalRuntime
from microstax.runtime.marker import spec_digest
from microstax.runtime.port import ProcessKey, ProcessSpec

Make = Callable[..., ProcessSpec]
KEY = ProcessKey("branch", "catalog")
needs_landlock = pytest.mark.skipif(not fenced.can_deny_ports(), reason="this kernel cannot deny ports")

TRY = """
import json, os, socket, subprocess, sys
def attempt(port):
    with socket.socket() as one:
        try:
            one.connect(("127.0.0.1", port))
            return "connected"
        except OSError as error:
            return error.strerror
if len(sys.argv) > 1:
    print(attempt(int(sys.argv[1])))
    sys.exit()
denied, open_port = int(os.environ["DENIED"]), int(os.environ["OPEN"])
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0)); listener.listen()
    own = attempt(listener.getsockname()[1])
told = {
    "denied": attempt(denied), "open": attempt(open_port), "own": own,
    "child": subprocess.run(
        [sys.executable, os.environ["SCRIPT"], str(denied)], capture_output=True, text=True
    ).stdout.strip(),
    "marker": os.environ["MICROSTAX_KEY"],
}
with open(os.environ["TOLD"] + ".new", "w") as file:
    json.dump(told, file)
os.replace(os.environ["TOLD"] + ".new", os.environ["TOLD"])
import time; time.sleep(600)
"""


@contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        yield server.getsockname()[1]


async def text_in(path: Path) -> str:
    """Return what another process writes, once it is there."""
    async with asyncio.timeout(30):
        while not path.exists():  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.02)
    return path.read_text()


@needs_landlock
async def test_denied_ports_are_out_of_reach_for_a_process_and_all_that_it_starts(
    runtime: LocalRuntime, tmp_path: Path
) -> None:
    script, told = tmp_path / "try.py", tmp_path / "told"
    script.write_text(TRY)
    with listening() as denied, listening() as open_port:
        names = {"DENIED": str(denied), "OPEN": str(open_port), "SCRIPT": str(script), "TOLD": str(told)}
        spec = ProcessSpec(
            key=KEY, command=(sys.executable, str(script)), environ=names, denied_ports=frozenset({denied})
        )
        await runtime.start(spec)
        found = json.loads(await text_in(told))
    assert (found["denied"], found["child"]) == ("Permission denied", "Permission denied")
    assert (found["open"], found["own"]) == ("connected", "connected")
    assert found["marker"] == "branch/catalog"
    await runtime.stop(KEY)


@needs_landlock
async def test_a_program_gets_its_own_environment_and_no_signal_that_python_ignores(
    runtime: LocalRuntime, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    command = f"(grep SigIgn /proc/self/status; env) > {told}.new; mv {told}.new {told}; exec sleep 600"
    spec = ProcessSpec(key=KEY, command=("/bin/sh", "-c", command), environ={"LC_ALL": "POSIX"})
    lines = []
    for denied in (frozenset[int](), frozenset({1})):
        await runtime.start(replace(spec, denied_ports=denied))
        lines.append({line for line in (await text_in(told)).splitlines() if not line.startswith("MICROSTAX_SPEC")})
        await runtime.stop(KEY)
        told.unlink()
    assert lines[0] == lines[1]


@needs_landlock
async def test_what_cannot_be_started_says_so_in_its_log(runtime: LocalRuntime, tmp_path: Path) -> None:
    script = tmp_path / "no-interpreter"
    script.write_text("echo nothing says what reads this\n")
    script.chmod(0o755)
    spec = ProcessSpec(
        key=KEY, command=(str(script),), denied_ports=frozenset({1}), address=Address(LOOPBACK, runtime.free_port()),
        health=HealthCheck(interval_s=0.05),
    )  # fmt: skip
    await runtime.start(spec)
    with pytest.raises(ServiceFailedError, match=r"a script begins with '#!' and its interpreter"):
        await runtime.wait_ready(KEY, timeout_s=30)


async def test_where_the_kernel_cannot_the_program_is_started_as_it_is(
    runtime: LocalRuntime, server_spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "can_deny_ports", lambda: False)
    spec = replace(server_spec(), denied_ports=frozenset({1}))
    await runtime.start(spec)
    assert (await runtime.wait_ready(spec.key, timeout_s=20)).phase == "ready"


def test_another_fence_is_another_process_and_none_is_what_it_was_before() -> None:
    spec = ProcessSpec(key=KEY, command=("x",))
    assert spec_digest(replace(spec, denied_ports=frozenset({1}))) != spec_digest(spec)
    assert spec_digest(replace(spec, denied_ports=frozenset({1, 2}))) == spec_digest(
        replace(spec, denied_ports=frozenset({2, 1}))
    )
