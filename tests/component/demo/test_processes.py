"""The shop's services and its users as processes: they start, end on SIGTERM, and say in a sentence what they lack."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from microstax.demo.users import Users
from microstax.demo.workspace import free_ports
from microstax.errors import FaultError


def start(*words: str, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_SERVICE_HOST", "_SERVICE_PORT"))}
    return subprocess.Popen(
        [sys.executable, "-m", "microstax.demo.shop", *words],
        env={**kept, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(port: int) -> Iterator[subprocess.Popen[str]]:
    with start("reviews", environ={"PORT": str(port)}) as process:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not answers(port):
                assert process.poll() is None
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except URLError:
        return False


def test_a_service_answers_at_its_port_and_ends_well_on_sigterm() -> None:
    [port] = free_ports(1)
    with running(port) as process:
        assert answers(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert not answers(port)


def test_a_taken_port_is_one_sentence() -> None:
    [port] = free_ports(1)
    with running(port), start("reviews", environ={"PORT": str(port)}) as second:
        _out, err = second.communicate(timeout=20)
        assert second.returncode == 4
        assert f"cannot listen on 127.0.0.1:{port}" in err
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "environ", "sentence"),
    [
        (["catalog"], {"PORT": "1"}, "PRICING_SERVICE_HOST and PRICING_SERVICE_PORT must say where pricing is"),
        (["catalog"], {"PORT": ""}, "the variable PORT must say where to listen"),
        (["reviews", "--v2"], {"PORT": "1"}, "--v2 exists for catalog only"),
        (["reveiws"], {"PORT": "1"}, "invalid choice"),
    ],
)
def test_what_is_missing_is_one_sentence(words: list[str], environ: dict[str, str], sentence: str) -> None:
    with start(*words, environ=environ) as process:
        _out, err = process.communicate(timeout=20)
        assert process.returncode == 2
        assert sentence in err
        assert "Traceback" not in err


def test_users_that_find_nobody_are_counted_and_go_home() -> None:
    urls = dict.fromkeys(("storefront", "catalog"), "http://127.0.0.1:9")
    with Users(urls, rate=100) as users:
        deadline = time.monotonic() + 20
        while not users.requests.sent and time.monotonic() < deadline:
            time.sleep(0.05)
        requests = users.stop()
    assert requests.sent == requests.failed > 0
    with pytest.raises(FaultError, match="ended too early"):
        users.check_alive()
