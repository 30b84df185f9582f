"""No planted secret is found anywhere but in memory, whatever it came in, and whatever went wrong meanwhile.

The search itself is proven by a value that no rule names: that one is found in the database, the files and the pages.
"""

import http.client
import json
import os
import resource
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from command_line import CommandLine
from loopback_ports import free_port
from secret_hunt import files, held_by, holds, needles

from microstax.api import methods
from microstax.api.address import management_address
from microstax.api.client import Client
from microstax.control import layout
from microstax.errors import MicrostaxError
from microstax.generated.management.microstax.management import v1
from microstax.runtime import core_dumps

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

STEM, CONTROL = f"cnry{secrets.token_hex(6)}", f"plain{secrets.token_hex(6)}"
KINDS = ("json", "gzip", "notgzip", "escaped", "utf16", "malformed", "lines", "long", "moved", "error", "trace",
         "broken", "gone")  # fmt: skip
BODIES = ("answer", "gzip", "notgzip", "utf16", "malformed", "lines", "long", "trace", "broken")
NAMES = (
    *(f"{name}{part}" for name in BODIES for part in ("", "-card", "-pattern")),
    *("escaped", "escaped-pattern", "location", "error", "answerform", "setcookie", "answersession", "answerheader"),
    *("bridge-query", "bridge-pattern", "bridge-body", "bridge-authorization", "bridge-cookie", "bridge-agent"),
    *("bridge-session", "authorization", "cookie", "apikey", "proxy", "session", "referer", "header", "query"),
    *("query-pattern", "form", "upload", "order", "order-card", "delta", "query-escaped", "upload-token"),
)
CANARIES = {**{name: f"{STEM}{number:02}{name.replace('-', '')}" for number, name in enumerate(NAMES)},
            "control": CONTROL}  # fmt: skip
REDACT = {
    "headers": ["x-session"],
    "jsonPaths": ["$.user.email", "$.items[].card", "$.user2"],
    "parameters": ["token"],
    "patterns": ["pw-[A-Za-z0-9]+"],
}
ROUNDS = 5
FORMATS = ("table", "json", "html", "junit", "markdown")


class Stage:
    """The product with a service that knows all secrets, its branch, and everything that was printed."""

    def __init__(self, home: Path) -> None:
        self.line = CommandLine(home)
        self.home, self.port, self.asked = home, free_port(), 0
        self.printed: dict[str, bytes] = {}

    def run(self, *words: str) -> str:
        """Run a command; keep what it says, and return what it says on stdout."""
        done = self.line(*words)
        self.printed[" ".join(words)] = (done.stdout + "\n" + done.stderr).encode()
        assert "Traceback" not in done.stderr
        return done.stdout

    def document(self, *words: str) -> Any:
        return json.loads(self.run(*words, "-o", "json"))

    def up(self) -> None:
        """Start everything, and mirror all methods into a branch; mismatches are asked again, and pairs are kept."""
        here = Path(__file__).parent
        shutil.copy(here / "vault.py", self.home)
        (self.home / "canaries.json").write_text(json.dumps(CANARIES))
        command = [sys.executable, "vault.py", "v1", "canaries.json"]
        shop = {"command": command, "port": self.port, "dependsOn": ["pricing"]}
        services = {"pricing": {"command": command, "port": free_port()}, "vault": shop}
        self.line.write("env.yaml", json.dumps({"services": services, "redact": REDACT}))
        branch = {"vault": {"command": [sys.executable, "vault.py", "v2", "canaries.json"]}}
        self.line.write("patch.yaml", json.dumps({"services": branch}))
        self.line.must("up", "--detach")
        self.line.must("env", "create", "prod", "--file", "env.yaml")
        self.line.must("env", "promote", "prod")
        self.line.must("overlay", "create", "--baseline", "prod", "--file", "patch.yaml", "--name", "branch")
        self.shadow()

    def shadow(self) -> None:
        words = ("--methods", "GET,POST", "--unsafe-methods", "--recheck", "--keep-pairs", "200", "--max-body", "4KiB")
        self.run("env", "shadow", "branch", "--enable", *words)

    def ask(self, rounds: int) -> None:
        """Ask as users do, each kind so many times, with secrets wherever a request can have them."""
        c = CANARIES
        headers = {
            "authorization": f"Bearer {c['authorization']}",
            "cookie": f"sid={c['cookie']}; theme=dark",
            "x-api-key": c["apikey"],
            "proxy-authorization": f"Basic {c['proxy']}",
            "x-session": c["session"],
            "referer": f"http://shop/?token={c['referer']}",
            "x-note": f"pw-{c['header']}",
        }
        query = urlencode({"token": c["query"], "note": f"pw-{c['query-pattern']}", "name": CONTROL})
        query += f"&at=p%77%2D{c['query-escaped']}"
        form = urlencode({"token": c["form"], "name": CONTROL})
        order = json.dumps({"user": {"email": c["order"]}, "items": [{"card": c["order-card"]}]})
        upload = f'--b\r\ncontent-disposition: form-data; name="note"\r\n\r\npw-{c["upload"]}\r\n'
        upload += f'--b\r\ncontent-disposition: form-data; name="token"\r\n\r\n{c["upload-token"]}\r\n--b--\r\n'
        posts = {
            "form": ("application/x-www-form-urlencoded", form),
            "orders": ("application/json", order),
            "upload": ("multipart/form-data; boundary=b", upload),
        }
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as users:
            for _ in range(rounds):
                for kind in (*KINDS, *posts):
                    self.asked += 1
                    content_type, body = posts.get(kind, ("", ""))
                    more = {"content-type": content_type} if body else {}
                    method = "POST" if body else "GET"
                    users.request(method, f"/{kind}/{self.asked}?{query}", body or None, {**headers, **more})
                    answer = users.getresponse()
                    answer.read()
                    assert answer.status < 400

    def report(self) -> Any:
        with Client(management_address(self.line.state)) as client:
            return json.loads(client.call(methods.GET_REPORT, v1.GetReportRequest(overlay="branch")).document)

    def counted(self) -> dict[str, Any]:
        """Return the report once all that was captured is counted."""
        last: tuple[int, ...] = ()
        quiet = time.monotonic()
        while time.monotonic() < quiet + 2.5:  # two polls and two deltas
            report = self.report()
            coverage, rechecks = report["coverage"], report["rechecks"]
            now = (coverage["mirrored"], coverage["paired"], *rechecks.values())
            if now != last or coverage["paired"] == 0:
                last, quiet = now, time.monotonic()
            time.sleep(0.2)
        return report

    def processes(self) -> dict[int, str]:
        """Return our own processes: the control plane, its workers and Envoys."""
        status = self.document("status")
        ours = {one["pid"]: "Envoy" for one in status["envoys"]} | {one["pid"]: "worker" for one in status["workers"]}
        return {status["pid"]: "control plane", **ours}

    def envoy_says(self, node: str) -> Iterator[tuple[str, bytes]]:
        """Yield what an Envoy tells on its admin socket."""
        for path in ("/stats", "/stats/prometheus", "/clusters", "/listeners", "/config_dump", "/certs", "/runtime"):
            with closing(_Admin(self.line.state / layout.admin_socket(node))) as admin:
                admin.request("GET", path)
                yield f"{path} of {node}", admin.getresponse().read()


class _Admin(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give the product, running; leave nothing of it."""
    home = Path(tempfile.mkdtemp(prefix="msx-secrets-"))
    made = Stage(home)
    try:
        made.up()
        yield made
    finally:
        made.line("down")
        shutil.rmtree(home, ignore_errors=True)


def wrong_delta(state: Path) -> bytes:
    """Send results that no worker would, with a secret in them; return the words of the refusal."""
    services = [v1.ServiceDelta(overlay="branch", service="vault", generation=1, aggregate=CANARIES["delta"].encode())]
    delta = v1.Delta(worker_id="stranger", sequence=1, at_ms=1, services=services)
    with Client(management_address(state)) as client, pytest.raises(MicrostaxError) as refused:
        client.call(methods.SUBMIT_DELTA, delta)
    return refused.value.message.encode()


def everything(stage: Stage) -> dict[str, bytes]:
    """Return all that our processes wrote, printed, hold open or tell, by where it is."""
    found = dict(stage.printed)
    for pid in stage.processes():
        found |= held_by(pid)
    for envoy in stage.document("status")["envoys"]:
        found |= stage.envoy_says(envoy["node_id"])
    found |= {f"state/{name}": data for name, data in files(stage.line.state)}
    written = {name: data for name, data in files(stage.home) if not name.startswith("state/")}
    # What the test itself wrote down has them, of course.
    return found | {name: data for name, data in written.items() if name not in {"canaries.json", "vault.py"}}


def test_no_secret_is_written_down_anywhere(stage: Stage) -> None:
    stage.ask(ROUNDS)
    first = stage.counted()
    assert first["coverage"]["paired"] > 0
    worker = next(pid for pid, role in stage.processes().items() if role == "worker")
    stage.ask(1)
    os.kill(worker, signal.SIGKILL)  # with pairs in hand
    stage.ask(1)
    while worker in stage.processes() or "worker" not in stage.processes().values():
        time.sleep(0.2)
    stage.ask(ROUNDS)
    refusal = wrong_delta(stage.line.state)
    report = stage.counted()
    assert report["rechecks"]["persisted"] > 0, "mismatches were asked again"
    assert report["coverage"]["blocked_calls"] > 0, "the bridge refused calls"
    assert report["coverage"]["paired"] > first["coverage"]["paired"], "the second worker went on"
    endpoints = {one["endpoint"].split("/")[1] for one in report["services"][0]["endpoints"]}
    assert endpoints >= set(KINDS) - {"broken", "gone"}, "every kind of answer was looked at"

    for kind in set(FORMATS) - {"html"}:
        stage.run("env", "diffs", "branch", "-o", kind)
    (stage.home / "report.html").write_text(stage.run("env", "diffs", "branch", "-o", "html"))
    stage.run("env", "export", "branch", "--file", "pairs.msgpack")
    for kind in ("table", "html"):
        stage.run("diff", "pairs.msgpack", "-o", kind)
    shown = {entry["pair"] for endpoint in report["services"][0]["endpoints"] for entry in entries(endpoint)}
    for pair in sorted(shown)[:4]:
        stage.run("env", "diffs", "branch", "--pair", pair)
    for words in (
        ("ignore", "suggest", "branch"), ("overlay", "show", "branch"), ("env", "show", "prod"), ("status",),
        ("env", "logs", "prod", "vault"), ("env", "diffs", "branch", "--pair", "nobody"),
    ):  # fmt: skip
        stage.run(*words)

    found = everything(stage)
    found["the refusal of a delta"] = refusal
    wanted = {name: needles(value) for name, value in CANARIES.items()}
    leaks = [f"{name} in {place}" for place, data in found.items() if holds(data, needles(STEM))
             for name in wanted if name != "control" and holds(data, wanted[name])]  # fmt: skip
    assert leaks == []
    # The same search finds what nobody called a secret.
    seen = {place for place, data in found.items() if holds(data, wanted["control"])}
    assert seen >= {"state/state.db (values)", "pairs.msgpack", "report.html", "env diffs branch -o html"}
    assert any(place.startswith("env diffs branch --pair") for place in seen)

    for pid, role in stage.processes().items():
        assert resource.prlimit(pid, resource.RLIMIT_CORE)[0] == core_dumps.WITHHELD, f"no core dump of the {role}"


def entries(endpoint: Any) -> Iterator[Any]:
    """Yield what a report says of an endpoint with a pair to look at."""
    for part in ("status", "shape", "values", "headers"):
        yield from (one for one in endpoint[part] if one.get("pair"))
