"""The four commands of the guide against real Envoy, and everything that one does with what they find."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import microstax.report

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SCHEMA = json.loads((Path(microstax.report.__file__).parent / "report.schema.json").read_text())
REQUESTS = 160
RULES = """\
expect:
  - {path: $.price, kind: type, reason: prices are strings now, owner: team-catalog}
ignore:
  - {path: $.price, reason: over since long ago, owner: team-catalog, expires: 2020-01-01}
"""
SERVER = """
import http.server, json, os, sys, uuid

class Catalog(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        price = "12.50" if "--v2" in sys.argv else 12.5
        body = json.dumps({"id": 7, "price": price, "request": str(uuid.uuid4())}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        print("served", self.path, flush=True)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Catalog).serve_forever()
"""


@contextmanager
def watching(microstax: Any, overlay: str) -> Iterator[subprocess.Popen[str]]:
    """Run `env diffs --watch` beside the test."""
    with microstax.start("env", "diffs", overlay, "--watch") as process:
        try:
            yield process
        finally:
            process.kill()


def _rules(microstax: Any) -> None:
    """Hide the drift by a rule that the control plane keeps, then declare it in microstax.yaml."""
    microstax.must("ignore", "add", "--path", "$.price", "--reason", "prices are strings now")
    ignored = json.loads(microstax.must("env", "diffs", "shadow-test", "-o", "json"))
    assert ignored["services"][0]["endpoints"][0]["shape"] == []
    assert ignored["ignored"][0]["reason"] == "prices are strings now"
    microstax.must("ignore", "remove", "1")

    microstax.write("microstax.yaml", RULES)
    declared = json.loads(microstax.must("env", "diffs", "shadow-test", "-o", "json"))
    assert [change["verdict"] for change in declared["expected"]] == ["appeared"]
    assert [rule["expired"] for rule in declared["ignored"]] == [True]
    gate = microstax("env", "diffs", "shadow-test", "--gate", "--fail-on", "different")
    assert gate.returncode == 0
    assert gate.stderr.endswith("; expired: microstax.yaml:4 ($.price, 2020-01-01)\n")


def test_the_guide(microstax: Any, free_port: Callable[[], int]) -> None:
    """Each step is what the guide prints; the report is decided, true, and the same in every form that it takes."""
    port = free_port()
    microstax.write("catalog.py", SERVER)
    command = f"command: [{sys.executable}, catalog.py"
    microstax.write("env.yaml", f"services:\n  - name: catalog\n    {command}]\n    port: {port}\n")
    microstax.write("patch.yaml", f"services:\n  - name: catalog\n    {command}, --v2]\n")
    microstax.must("env", "create", "production-cluster-01", "--file", "env.yaml")

    microstax.must("env", "promote", "production-cluster-01")
    microstax.must(
        *("overlay", "create", "--baseline", "production-cluster-01", "--file", "./patch.yaml", "--name", "shadow-test")
    )
    microstax.must("env", "shadow", "shadow-test", "--enable")
    with watching(microstax, "shadow-test") as watch:
        for number in range(REQUESTS):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/products/{number}", timeout=10) as answer:
                assert json.loads(answer.read())["price"] == 12.5
        gate = microstax("env", "diffs", "shadow-test", "--gate", "--wait", "30s", "-o", "json")
        assert gate.returncode == 1
        assert gate.stderr.startswith("gate: failed: different: catalog GET /products/{id} type $.price; evidence 10^")
        time.sleep(1)  # two polls of --watch
        watch.send_signal(signal.SIGINT)
        shown, complaint = watch.communicate(timeout=20)
    assert (watch.returncode, complaint) == (0, "")
    assert "DIFFERENT" in shown

    report = json.loads(gate.stdout)
    jsonschema.validate(report, SCHEMA)
    assert (report["overlay"], report["baseline"]) == ("shadow-test", "production-cluster-01")
    coverage = report["coverage"]
    assert coverage["mirrored"] == coverage["paired"] + sum(coverage["not_compared"].values())
    [endpoint] = report["services"][0]["endpoints"]
    assert endpoint["endpoint"] == "GET /products/{id}"
    [finding] = endpoint["shape"]
    assert (finding["kind"], finding["path"], finding["baseline"], finding["branch"]) == (
        "type",
        "$.price",
        "number",
        "string",
    )
    assert {value["verdict"] for value in endpoint["values"]} <= {"same", "undecided"}

    pair = microstax.must("env", "diffs", "shadow-test", "--pair", finding["pair"])
    assert "type $.price: number -> string" in pair
    assert "CONTROL" in pair
    assert max(map(len, pair.splitlines())) <= 80

    microstax.must("env", "export", "shadow-test", "--file", "pairs.msgpack")
    offline = json.loads(microstax.must("diff", "pairs.msgpack", "-o", "json"))
    assert [found["path"] for found in offline["services"][0]["endpoints"][0]["shape"]] == ["$.price"]

    _rules(microstax)
    assert "served /products/7" in microstax.must("env", "logs", "production-cluster-01", "catalog")
    status = json.loads(microstax.must("status", "-o", "json"))
    assert {envoy["applied"] for envoy in status["envoys"]} == {True}
    assert status["shadows"][0]["services"][0]["mirrored"] == REQUESTS
    microstax.must("env", "shadow", "shadow-test", "--disable")
    microstax.must("overlay", "delete", "shadow-test")
    microstax.must("env", "delete", "production-cluster-01")
    assert json.loads(microstax.must("env", "list", "-o", "json")) == []
