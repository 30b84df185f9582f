"""The four operations on servers of one's own, and what kill -9 does to them."""

import os
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microstax.api import methods

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
UPDATES = r"(cds|lds|rds|runtime).*update_(success|rejected)"


def adds_up(report: Any) -> bool:
    coverage = report["coverage"]
    return bool(coverage["mirrored"] == coverage["paired"] + sum(coverage["not_compared"].values()))


def ask(url: str, *, data: bytes | None = None, **headers: str) -> bytes:
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        body: bytes = response.read()
    return body


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended may still wait for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.every_envoy
def test_two_servers_of_ones_own_differ_in_the_way_that_they_do(machine: Any, own_server: Callable[..., Any]) -> None:
    baseline = own_server({"price": 12, "tags": ["a", "b"], "name": "lamp"})
    branch = own_server({"price": "12", "tags": ["a", "b"], "name": "lamp"})
    port = machine.free_port()
    machine.baseline(f"services: [{{name: catalog, url: '{baseline.url}', port: {port}}}]")
    machine.overlay(f"services: [{{name: catalog, url: '{branch.url}'}}]")
    assert machine.report_refusal() == 3
    machine.shadow()
    assert "no request has reached catalog yet" in machine.report()["reasons"][0]
    asked = 0
    # One of twenty requests asks the baseline twice, and until one of these was answered nothing is called different.
    while (report := machine.report())["coverage"]["paired"] < 30 or report["verdict"] == "undecided":
        for number in range(10):
            ask(f"http://127.0.0.1:{port}/products/{number}")
        asked += 10
    ask(f"http://127.0.0.1:{port}/orders", data=b"{}")
    machine.until(lambda: machine.report()["coverage"]["skipped_methods"] == {"POST": 1})
    report = machine.report()
    assert adds_up(report)
    assert report["verdict"] == "different"
    endpoints = {one["endpoint"]: one for one in report["services"][0]["endpoints"]}
    shapes = [shape for one in endpoints.values() for shape in one["shape"]]
    assert {(one["kind"], one["path"]) for one in shapes} == {("type", "$.price")}
    assert report["coverage"]["mirrored"] == asked
    assert report["coverage"]["skipped_methods"] == {"POST": 1}
    assert {method for method, _ in branch.requests} == {"GET"}
    assert ("POST", "/orders") in baseline.requests
    # A preview goes to the branch, and is not mirrored.
    assert b'"12"' in ask(f"http://127.0.0.1:{port}/products/1", **{"x-msx-env": "branch"})
    machine.stream(methods.SET_SHADOW, overlay="branch", enable=False)
    mirrored = len(branch.requests)
    ask(f"http://127.0.0.1:{port}/products/1")
    assert len(branch.requests) == mirrored


def test_kill_9_of_everything_but_production_costs_no_request(machine: Any, load: Any) -> None:
    port = machine.free_port()
    machine.baseline(f"services: [{{name: shop, command: [{machine.python}, shop.py, v1], port: {port}}}]")
    machine.overlay(f"services: [{{name: shop, command: [{machine.python}, shop.py, v2]}}]")
    machine.shadow(control="copy", max_rps=10_000)
    with load(port) as users:
        users.wait_for(150)
        before = {node: machine.envoy_stats(node, UPDATES) for node in ("tee~prod", "bridge~branch")}
        os.kill(machine.status().pid, signal.SIGKILL)
        users.wait_for(150)
        machine.up()
        machine.until(lambda: all(envoy.applied for envoy in machine.status().envoys))
        users.wait_for(150)
        # Nothing unchanged is sent again: no Envoy took, or refused, any update.
        assert {node: machine.envoy_stats(node, UPDATES) for node in before} == before
        # What was captured while no control plane listened comes in, and comparing goes on after each of the kills.
        machine.until(lambda: machine.paired() > 200)
        # Its results may come in before it has asked again for what to look at.
        machine.until(lambda: machine.status().workers)
        worker = machine.status().workers[0]
        os.kill(worker.pid, signal.SIGKILL)
        machine.until(lambda: {one.pid for one in machine.status().workers} - {0, worker.pid} != set())
        paired = machine.paired()
        machine.until(lambda: machine.paired() > paired)
        branch = machine.call(methods.GET_OVERLAY, name="branch").services[0]
        os.kill(branch.pid, signal.SIGKILL)
        users.wait_for(150)
        machine.until(lambda: machine.call(methods.GET_OVERLAY, name="branch").services[0].phase == "ready")
        paired = machine.paired()
        machine.until(lambda: machine.paired() > paired)
    assert users.failures == []
    machine.until(lambda: machine.report()["coverage"]["mirrored"] >= users.ok)
    report = machine.report()
    assert adds_up(report)
    assert report["coverage"]["mirrored"] == users.ok
    assert report["verdict"] == "different"
    shapes = [one for one in report["services"][0]["endpoints"][0]["shape"] if one["verdict"] == "different"]
    assert [(one["kind"], one["path"]) for one in shapes] == [("type", "$.price")]


def test_a_tee_that_was_killed_comes_back_and_the_account_still_holds(machine: Any, load: Any) -> None:
    port = machine.free_port()
    machine.baseline(f"services: [{{name: shop, command: [{machine.python}, shop.py, v1], port: {port}}}]")
    machine.overlay(f"services: [{{name: shop, command: [{machine.python}, shop.py, v1]}}]")
    machine.shadow(control="none", max_rps=10_000)
    with load(port) as users:
        machine.until(lambda: machine.paired() > 50)
    first = users.ok
    # What Envoy has counted since its last reading is lost when it is killed.
    machine.until(lambda: machine.report()["coverage"]["envoy"]["copies"] == first)
    tee = next(envoy for envoy in machine.status().envoys if envoy.role == "tee")
    os.kill(tee.pid, signal.SIGKILL)
    machine.until(
        lambda: any(one.role == "tee" and one.applied and one.pid != tee.pid for one in machine.status().envoys)
    )
    paired = machine.paired()
    with load(port) as users:
        machine.until(lambda: machine.paired() > paired + 50)
    assert users.failures == []
    machine.until(lambda: machine.report()["coverage"]["mirrored"] >= first + users.ok)
    report = machine.report()
    assert adds_up(report)
    assert report["coverage"]["mirrored"] == first + users.ok


def test_a_second_up_changes_nothing_and_down_leaves_nothing(machine: Any) -> None:
    pid = machine.status().pid
    second = machine.run("up", "--detach")
    assert second.returncode == 2
    assert f"process {pid}" in second.stderr
    assert machine.status().pid == pid
    machine.baseline(
        f"services: [{{name: shop, command: [{machine.python}, shop.py, v1], port: {machine.free_port()}}}]"
    )
    pids = [pid, *(envoy.pid for envoy in machine.status().envoys)]
    assert machine.run("down").returncode == 0
    machine.until(lambda: not any(alive(one) for one in pids))
    assert list(machine.folder.glob("*.sock")) == []
    machine.up()
    machine.until(lambda: machine.call(methods.GET_ENVIRONMENT, name="prod").health == "healthy")


def test_ctrl_c_of_a_foreground_up_stops_all_that_it_started(machine: Any) -> None:
    machine.baseline(
        f"services: [{{name: shop, command: [{machine.python}, shop.py, v1], port: {machine.free_port()}}}]"
    )
    assert machine.run("down").returncode == 0
    with machine.start("up") as foreground:
        machine.until(lambda: machine.run("status").returncode == 0)
        machine.until(lambda: machine.call(methods.GET_ENVIRONMENT, name="prod").health == "healthy")
        pids = [one.pid for one in machine.call(methods.GET_ENVIRONMENT, name="prod").services]
        foreground.send_signal(signal.SIGINT)
        assert foreground.wait(30) == 0
        told = foreground.stderr.read()
    assert "Ctrl-C stops it" in told
    assert "Traceback" not in told
    assert not any(alive(one) for one in pids)
