"""The demo's shop behind a real Envoy, its users, and overlays of its catalog, with or without a fault."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import ENDS_WITHIN_S, CommandLine

from microstax.api import methods
from microstax.api.address import management_address
from microstax.api.client import Client
from microstax.demo.users import load_command
from microstax.demo.workspace import ENV_FILE, Workspace, write_files
from microstax.errors import EXIT_UNDECIDED, MicrostaxError
from microstax.generated.management.microstax.management import v1
from microstax.selftest.reading import findings

BASELINE = "production"
MAX_RPS = 100_000


class Shop:
    """A control plane with the shop as a baseline."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.line = CommandLine(home)
        self.workspace: Workspace = write_files(home, sys.executable)
        self.client = Client(management_address(self.line.state))

    def run(self, *words: str, timeout: float = ENDS_WITHIN_S) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        return self.line(*words, timeout=timeout)

    def must(self, *words: str) -> str:
        """Run a command that has to succeed; return its stdout."""
        return self.line.must(*words)

    @contextmanager
    def users(self, *, rate: float, seed: int, clients: int = 8, more: Sequence[str] = ()) -> Iterator["Users"]:
        """Let users in until the block ends; all of them have to get the baseline's answers."""
        urls = {name: self.workspace.url(name) for name in self.workspace.ports}
        words = [
            *load_command(urls, rate=rate, seed=seed),
            f"--clients={clients}",
            *(f"--more={one}" for one in more),
        ]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=self.line.environ)
        users = Users(process)
        try:
            yield users
        finally:
            process.terminate()
            users.end()

    def overlay(self, name: str, env: dict[str, str]) -> None:
        """Make an overlay of the catalog, unchanged but for variables, and mirror everything into it."""
        patch = json.dumps({"services": [{"name": "catalog", **({"env": env} if env else {})}]})
        file = v1.SourceFile(name="patch.yaml", text=patch, directory=str(self.home))
        self._stream(methods.CREATE_OVERLAY, name=name, baseline=BASELINE, file=file)
        self._stream(methods.SET_SHADOW, overlay=name, enable=True, max_rps=MAX_RPS)

    def delete(self, name: str) -> None:
        """Take the overlay away."""
        self._stream(methods.DELETE_OVERLAY, name=name)

    def report(self, name: str) -> Any:
        """Return the report of now, None while there is none."""
        try:
            return json.loads(self.client.call(methods.GET_REPORT, methods.GET_REPORT.request(overlay=name)).document)
        except MicrostaxError as error:
            if error.exit_code != EXIT_UNDECIDED:
                raise
            return None

    def reports(self, names: Sequence[str], *, pairs: int, within_s: float) -> dict[str, Any]:
        """Return the reports once all have so many pairs, or after so many seconds."""
        ends = time.monotonic() + within_s
        while True:
            found = {name: self.report(name) for name in names}
            done = all(one and one["coverage"]["paired"] >= pairs for one in found.values())
            if done or time.monotonic() >= ends:
                return found
            time.sleep(0.5)

    def together(self, function: Any, calls: Sequence[tuple[Any, ...]]) -> None:
        """Call the function once with each of the arguments, all at the same time."""
        with ThreadPoolExecutor(max(len(calls), 1)) as pool:
            for future in [pool.submit(function, *arguments) for arguments in calls]:
                future.result()

    def _stream(self, method: Any, **fields: Any) -> None:
        list(self.client.stream(method, method.request(**fields)))


class Users:
    """The users' process; its last line says how they fared."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.tally: dict[str, Any] = {}

    @property
    def are_here(self) -> bool:
        """Whether they still send."""
        return self._process.poll() is None

    def end(self) -> None:
        """Read what they say to their end."""
        out, _ = self._process.communicate(timeout=30)
        self.tally = json.loads(out.strip().splitlines()[-1])
        assert self.tally["failed"] == 0, self.tally["failures"]


def told(document: Any) -> list[str]:
    """Return everything that a report calls different, slower or faster."""
    return [str(finding) for finding in sorted(findings(document))]


@pytest.fixture(scope="package")
def shop() -> Iterator[Shop]:
    """Start a control plane and the shop; leave no process behind."""
    home = Path(tempfile.mkdtemp(prefix="msx-verdicts-"))
    made = Shop(home)
    made.must("up", "--detach")
    try:
        made.must("env", "create", BASELINE, "--file", ENV_FILE)
        made.must("env", "promote", BASELINE)
        yield made
    finally:
        made.client.close()
        assert made.run("down").returncode == 0
        shutil.rmtree(home)
