"""The fence around a branch, with the product as a user runs it: what is refused is counted, listed and kept."""

import json
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from microstax.runtime.fenced import can_deny_ports

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
# A branch that tries, whenever it is asked to, to reach the baseline's orders and databases: by the addresses that it
# was given, and by the ports that it should not know.
BRANCH = """
import json, os, socket, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def at(name):
    return os.environ[name + "_SERVICE_HOST"], int(os.environ[name + "_SERVICE_PORT"])

def connect(host, port):
    try:
        with socket.create_connection((host, port), timeout=5) as one:
            return one.recv(100).decode() or "closed"
    except OSError as error:
        return error.strerror or "failed"

def call(method, path, data=None):
    host, port = at("ORDERS")
    request = urllib.request.Request(f"http://{host}:{port}{path}", data=data, method=method)
    request.add_header("User-Agent", "branch/2 token=secret-agent")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        told = {}
        if "probe" in self.path:
            told = {
                "get": call("GET", "/orders/1"), "post": call("POST", "/orders/17?token=secret-query", b"{}"),
                "db": connect(*at("DB")), "cache": connect(*at("CACHE")),
                "past": [connect("127.0.0.1", int(port)) for port in os.environ.get("PAST", "").split(",") if port],
            }
        body = json.dumps({"path": self.path, **told}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shop).serve_forever()
"""


@pytest.fixture
def database() -> Iterator[Callable[[str], tuple[int, list[int]]]]:
    """Return what starts a server that greets; it gives the port and a list that grows with its connections."""
    sockets: list[socket.socket] = []

    def start(greeting: str) -> tuple[int, list[int]]:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)
        seen: list[int] = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    one, _ = server.accept()
                    with one, suppress(OSError):
                        seen.append(1)
                        one.sendall(greeting.encode())

        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1], seen

    yield start
    for one in sockets:
        one.close()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.loads(answer.read())


def stored_count(folder: Path) -> int:
    """Return how many refused calls are listed in the store (connections are counted only)."""
    with closing(sqlite3.connect(f"file:{folder}/state.db?mode=ro", uri=True)) as db:
        row = db.execute("SELECT body FROM refused").fetchone()
    return sum(noted["count"] for _, noted in json.loads(row[0])) if row else 0


def settled(machine: Any, refused: int) -> Any:
    """Return the bridge's part of the report once so many refused calls are counted and listed."""

    def found() -> Any:
        bridge = machine.report()["bridge"]
        listed = sum(call["count"] for call in bridge["calls"])
        return bridge if bridge["refused"] == refused == listed + bridge["unlisted"] - bridge["limited"] else None

    while (bridge := found()) is None:
        time.sleep(0.2)
    return bridge


def test_what_a_branch_tries_is_refused_counted_listed_and_kept(
    machine: Any, own_server: Callable[..., Any], database: Callable[[str], tuple[int, list[int]]]
) -> None:
    orders = own_server({})
    (db_port, _), (cache_port, _) = database("db"), database("cache")
    (machine.folder.parent / "branch.py").write_text(BRANCH)
    catalog, tees = machine.free_port(), [machine.free_port() for _ in range(3)]
    machine.baseline(
        f"""
redact: {{parameters: [token], patterns: ["token=(\\\\S+)"]}}
services:
  catalog: {{command: [{machine.python}, shop.py, v1], port: {catalog}}}
  orders: {{url: "{orders.url}", port: {tees[0]}}}
  db: {{url: "tcp://127.0.0.1:{db_port}", port: {tees[1]}}}
  cache: {{url: "tcp://127.0.0.1:{cache_port}", port: {tees[2]}}}
"""
    )
    past = [db_port, tees[0], tees[1], int(orders.url.rpartition(":")[2])]
    machine.overlay(
        f"""
services:
  catalog: {{command: [{machine.python}, branch.py], env: {{PAST: "{",".join(map(str, past))}"}}}}
bridge: {{allow: [{{service: cache, tcp: true}}]}}
"""
    )
    shown = machine.run("overlay", "show", "branch")
    assert "connections are closed" in shown.stdout
    machine.shadow(control="none")
    branch = next(one for one in json.loads(machine.run("overlay", "show", "branch", "-o", "json").stdout)["services"])
    for told in [get(f"{branch['url']}/probe") for _ in range(3)]:
        assert (told["get"], told["post"], told["db"], told["cache"]) == (200, 403, "closed", "cache")
        assert told["past"] == ["Permission denied"] * len(past) or not can_deny_ports()
    assert {method for method, _ in orders.requests} == {"GET"}
    bridge = settled(machine, refused=6)
    assert bridge["unsafe_passed"] == 3
    assert bridge["direct"] == ("refused" if can_deny_ports() else "open")
    kinds = {(call["service"], call["method"], call["path"], call["reason"]): call for call in bridge["calls"]}
    post = kinds["orders", "POST", "/orders/{id}", "method"]
    assert (post["count"], kinds["db", "tcp", "", "tcp"]["count"]) == (3, 3)
    assert post["example"].startswith("POST /orders/17?token=redacted:")
    assert "secret" not in json.dumps(bridge)
    report = machine.run("env", "diffs", "branch").stdout
    assert "3 unsafe calls left the branch as patch.yaml allows (tcp cache 3); 6 were refused" in " ".join(
        report.split()
    )
    machine.until(lambda: stored_count(machine.folder) == 3)
    pid = machine.status().pid
    subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(pid)], check=True)
    machine.up()
    assert settled(machine, refused=6)["calls"] == bridge["calls"]


def test_a_database_is_no_thing_to_shadow(
    machine: Any, database: Callable[[str], tuple[int, list[int]]], own_server: Callable[..., Any]
) -> None:
    (db_port, _), (own_port, own_seen) = database("db"), database("own")
    tee = machine.free_port()
    machine.baseline(f"services: {{db: {{url: 'tcp://127.0.0.1:{db_port}', port: {tee}}}}}")
    with socket.create_connection(("127.0.0.1", tee), timeout=20) as one:
        assert one.recv(10) == b"db"
    listed = machine.run("env", "show", "prod")
    assert f"tcp://127.0.0.1:{tee}" in listed.stdout
    machine.overlay(f"services: {{db: {{url: 'tcp://127.0.0.1:{own_port}'}}}}")
    refused = machine.run("env", "shadow", "branch", "--enable")
    assert (refused.returncode, "runs TCP services only" in refused.stderr) == (2, True)
    refused = machine.run("env", "shadow", "branch", "--enable", "--service", "db")
    assert "db is a TCP service" in refused.stderr
    tested = machine.run("selftest", "prod", "--wait", "1s")
    assert "TCP services only" in tested.stderr
    assert own_seen  # the branch's own database is asked for its health
