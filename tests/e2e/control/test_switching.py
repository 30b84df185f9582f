"""Switching a shadow off under load: the copies under way come to their end, and all that Envoy counts is accounted."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from microstax.api import methods

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
SLOWLY_S = 0.15


class Slow(BaseHTTPRequestHandler):
    """A branch with some copies under way at any time."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:  # noqa: N802  # the library's name
        time.sleep(SLOWLY_S)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def check(machine: Any, what: str) -> Any:
    checks = machine.report()["coverage"]["cross_checks"]
    return next((one for one in checks if one["what"] == what), {"envoy": 0})


def test_switching_off_resets_no_copy_and_envoy_agrees(machine: Any, own_server: Any, load: Any) -> None:
    baseline = own_server({"price": 12})
    branch = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=branch.serve_forever, daemon=True).start()
    try:
        port = machine.free_port()
        machine.baseline(f"services: [{{name: catalog, url: '{baseline.url}', port: {port}}}]")
        machine.overlay(f"services: [{{name: catalog, url: 'http://127.0.0.1:{branch.server_address[1]}'}}]")
        machine.shadow(control="none", max_rps=10_000)
        with load(port) as users:
            users.wait_for(150)
            # What came to the tee is counted from the second reading on.
            machine.until(lambda: check(machine, "requests")["envoy"] > 0)
            machine.stream(methods.SET_SHADOW, overlay="branch", enable=False)
            users.wait_for(50)
        assert users.failures == []

        def is_over() -> bool:
            found = machine.report()["coverage"]
            return bool(found["mirrored"] and "pending" not in found["not_compared"])

        machine.until(is_over)
        found = machine.report()["coverage"]
        assert set(found["not_compared"]) <= {"capture_gap"}  # a busy machine loses what ends between two polls
        assert found["mirrored"] == found["paired"] + sum(found["not_compared"].values())
        assert found["envoy"]["failed"] == 0
        assert {one["what"]: one["unexplained"] for one in found["cross_checks"] if one["unexplained"]} == {}
        status = machine.status()
        assert [problem for problem in status.problems if "add up" in problem] == []
    finally:
        branch.shutdown()
        branch.server_close()


def test_a_shadow_of_a_busy_service_begins_within_its_budget(machine: Any, own_server: Any, load: Any) -> None:
    baseline, branch = own_server({"price": 12}), own_server({"price": 12})
    port = machine.free_port()
    machine.baseline(f"services: [{{name: catalog, url: '{baseline.url}', port: {port}}}]")
    machine.overlay(f"services: [{{name: catalog, url: '{branch.url}'}}]")
    with load(port) as users:
        users.wait_for(50)
        machine.shadow(control="none", max_rps=5)
        users.wait_for(100)
        copies = len(branch.requests)
        assert copies < 50, "it began with all of them"
        assert machine.status().shadows[0].services[0].current_ppm < 500_000
        machine.until(lambda: len(branch.requests) > copies)
    assert users.failures == []
