"""Whatever becomes of the worker or the control plane: users notice nothing, and every copy is accounted for."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from blobs import copies, place, shadow, start, users, worker_pid

from microstax.api.address import socket_path
from microstax.control import layout
from microstax.envoy import tap_request

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def port(machine: Any) -> int:
    return place(machine)


def adds_up(machine: Any) -> dict[str, Any]:
    """Return the coverage, which adds up at every moment."""
    found: dict[str, Any] = machine.report()["coverage"]
    assert found["mirrored"] == found["paired"] + sum(found["not_compared"].values())
    return found


@contextmanager
def slowed(pid: int, *, run_s: float, stop_s: float) -> Iterator[None]:
    """Let a process run for a short time only, again and again."""
    ended = threading.Event()

    def brake() -> None:
        while not ended.is_set():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(stop_s)
            os.kill(pid, signal.SIGCONT)
            time.sleep(run_s)

    thread = threading.Thread(target=brake)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_worker_that_is_killed_costs_pairs_and_stops_nothing(machine: Any, port: int) -> None:
    start(machine, port, max_rps=1000)
    with users(port, 2_000) as asking:
        for _ in range(3):
            paired = machine.paired()
            machine.until(lambda paired=paired: machine.paired() > paired + 20)
            pid = worker_pid(machine)
            os.kill(pid, signal.SIGKILL)
            machine.until(lambda pid=pid: any(one.pid != pid for one in machine.status().workers))
            assert not shadow(machine).paused
            adds_up(machine)
        assert asking.answered


def test_a_worker_that_is_much_too_slow_gets_less(machine: Any, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told that it gets less, and why; what is lost on the way is counted."""
    start(machine, port, max_rps=2000, max_total_rps=2000, max_body_bytes=65_536)
    with users(port, 60_000, count=8, pause_s=0.001) as asking:
        machine.until(lambda: machine.paired() > 50)
        with slowed(worker_pid(machine), run_s=0.01, stop_s=0.4):
            machine.until(lambda: bool(shadow(machine).adjusted or shadow(machine).paused))
            found = shadow(machine)
            machine.until(lambda: machine.status().workers)
            workers = machine.status().workers
        asked = asking.answered
        with capsys.disabled():
            print(f"\nslow worker: {found.adjusted or found.paused}; {workers[0].lag_ms} ms behind, {asked} answers")
        assert "s behind" in (found.paused or found.adjusted[0])
        machine.until(lambda: all(one.lag_ms < 500 for one in machine.status().workers))
        adds_up(machine)


def test_a_second_client_of_the_tap_is_told_and_waited_for(machine: Any, port: int) -> None:
    start(machine, port)
    path = socket_path(machine.folder, layout.admin_socket("tee~prod"))
    body = tap_request(1_000, 60_000, 100)
    with users(port, 200):
        machine.until(lambda: machine.paired() > 10)
        pid = worker_pid(machine)
        os.kill(pid, signal.SIGSTOP)  # else it would have its next poll with Envoy before anybody else
        thief = socket.socket(socket.AF_UNIX)
        try:
            machine.until(lambda: steal(thief, str(path), body))
        finally:
            os.kill(pid, signal.SIGCONT)
        with thief:
            machine.until(lambda: any("another client polls its tap" in one for one in machine.status().problems))
            adds_up(machine)
        machine.until(lambda: not any("cannot be looked at" in one for one in machine.status().problems))
        paired = machine.paired()
        machine.until(lambda: machine.paired() > paired + 10)
    adds_up(machine)


def steal(thief: socket.socket, path: str, body: bytes) -> bool:
    """Ask for the tap on a connection of one's own; tell whether it was given."""
    probe = socket.socket(socket.AF_UNIX)
    probe.connect(path)
    probe.sendall(b"POST /tap HTTP/1.1\r\nHost: envoy\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    probe.settimeout(10)
    if b" 200 " not in probe.recv(4096).split(b"\r\n")[0]:
        probe.close()
        return False
    os.dup2(probe.detach(), thief.fileno())
    return True


def test_a_control_plane_that_was_stopped_blames_nobody(machine: Any, port: int) -> None:
    """Longer than any silence that is borne: when it runs again, nothing is paused, and results come in."""
    start(machine, port)
    with users(port, 200) as asking:
        machine.until(lambda: machine.paired() > 10)
        pid = machine.status().pid
        os.kill(pid, signal.SIGSTOP)
        try:
            before, made = asking.answered, copies(machine)
            end = time.monotonic() + 7
            machine.until(lambda: time.monotonic() > end)
            assert asking.answered > before
            assert copies(machine) > made
        finally:
            os.kill(pid, signal.SIGCONT)
        paired = machine.paired()
        machine.until(lambda: machine.paired() > paired + 20)
        assert not shadow(machine).paused
        adds_up(machine)
