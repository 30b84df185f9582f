"""Races vanish and bugs stay, on real Envoys and processes; what was asked again is in no file."""

import http.client
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from microstax.api import methods
from microstax.model.exchange import Response
from microstax.model.record import decode_pair

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
ORDERS = 40
"""More than a finding needs: some may be missed between two polls."""
TOKEN = "planted-t0ken"
ANSWERED = "fresh-c00kie"
STOCK = f"""
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

version, log = sys.argv[1:]
seen = set()

class Stock(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        with open(log, "a") as lines:
            lines.write(f"{{self.command}} {{self.path}} {{self.headers['authorization'] is not None}}\\n")
        # The new version reads from a replica, which gets a write a moment later.
        is_late = version == "v2" and self.path not in seen and not self.path.startswith("/warm")
        seen.add(self.path)
        price = "12" if version == "v2" and self.path.startswith("/prices") else 12
        body = json.dumps({{"stock": 4 if is_late else 5, "price": price}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("set-cookie", "sid={ANSWERED}")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Stock).serve_forever()
"""


class User:
    """One user's connection to the baseline; every answer must be the baseline's."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.sent = 0
        self._connection = connection

    def ask(self, path: str, method: str = "GET") -> None:
        headers = {"authorization": f"Bearer {TOKEN}", "cookie": f"sid={TOKEN}"}
        self._connection.request(method, path, headers=headers)
        response = self._connection.getresponse()
        assert (response.status, json.loads(response.read())) == (200, {"stock": 5, "price": 12})
        self.sent += method == "GET"


def logged(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def settled(machine: Any, mirrored: int) -> Any:
    """Wait until all that was captured of the mirrored requests is counted, and return the report."""
    machine.until(lambda: machine.report()["coverage"]["mirrored"] >= mirrored)
    last, report = -1, machine.report()
    while report["coverage"]["paired"] > last:
        last = report["coverage"]["paired"]
        time.sleep(2.5)  # two polls and two deltas
        report = machine.report()
    coverage, rechecks = report["coverage"], report["rechecks"]
    assert coverage["mirrored"] == mirrored  # what is asked again is not mirrored again
    assert coverage["mirrored"] == coverage["paired"] + sum(coverage["not_compared"].values())
    assert rechecks["asked"] == rechecks["vanished"] + rechecks["persisted"] + rechecks["failed"]
    return report


def findings(report: Any) -> set[tuple[str, str]]:
    return {
        (endpoint["endpoint"].split("/")[1], one["path"])
        for endpoint in report["services"][0]["endpoints"]
        for one in (*endpoint["shape"], *endpoint["values"])
    }


def pairs_of(report: Any, name: str) -> int:
    endpoints = report["services"][0]["endpoints"]
    return sum(int(one["pairs"]) for one in endpoints if one["endpoint"].split("/")[1] == name)


def files(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes()


@pytest.fixture
def port(machine: Any) -> int:
    return int(machine.free_port())


@pytest.fixture
def user(port: int) -> Iterator[User]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        yield User(connection)


def test_races_vanish_and_bugs_stay(machine: Any, port: int, user: User) -> None:
    home = machine.folder.parent
    (home / "stock.py").write_text(STOCK)
    logs = {version: home / f"{version}.log" for version in ("v1", "v2")}
    command = {version: f"command: [{machine.python}, stock.py, {version}, {logs[version]}]" for version in logs}
    machine.baseline(f"services: [{{name: stock, {command['v1']}, port: {port}}}]")
    machine.overlay(f"services: [{{name: stock, {command['v2']}}}]")
    machine.shadow(control="copy", methods=["GET", "POST"], unsafe_methods=True, recheck_rps=100, keep_pairs=30)
    while not machine.paired():  # the first requests may come before the worker looks
        user.ask("/warm")
    warm = user.sent
    for number in range(40):
        user.ask(f"/stocks/{number}")
        user.ask(f"/prices/{number}")
    for number in range(ORDERS):
        user.ask(f"/orders/{number}", "POST")
    report = settled(machine, warm + 80 + ORDERS)
    races, bugs = pairs_of(report, "stocks"), pairs_of(report, "prices")
    assert min(races, bugs) >= 30  # Envoy keeps nothing between two polls, so some may be missed
    asked_again = races + bugs
    assert report["rechecks"] == {
        "asked": asked_again,
        "vanished": races,
        "persisted": bugs,
        "failed": 0,
        "over_budget": 0,
    }
    assert findings(report) == {("prices", "$.price"), ("orders", "$.stock")}
    asked = {version: Counter(line.split()[0] for line in logged(log)) for version, log in logs.items()}
    assert asked["v1"] == {"GET": 2 * (warm + 80 + asked_again), "POST": 2 * ORDERS}  # the baseline and its copy
    assert asked["v2"] == {"GET": warm + 80 + asked_again, "POST": ORDERS}
    assert {line.split()[-1] for log in logs.values() for line in logged(log)} == {"True"}  # credentials came along
    exported = [decode_pair(one.record).triple for one in machine.stream(methods.EXPORT_PAIRS, overlay="branch")]
    assert len(exported) >= 30
    assert all(isinstance(one.control and one.control.response, Response) for one in exported)
    pid = next(one.pid for one in machine.call(methods.LIST_OVERLAYS).overlays[0].services if one.pid)
    os.kill(pid, signal.SIGKILL)
    for number in range(100, 140):
        user.ask(f"/prices/{number}")
    settled(machine, warm + 120 + ORDERS)
    machine.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    for content in files(machine.folder):
        assert TOKEN.encode() not in content
        assert ANSWERED.encode() not in content
