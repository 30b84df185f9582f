"""`microstax selftest` on the server of README.md, which microstax did not start and of which there is only one."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from loopback_ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def port(shop: Any) -> Iterator[int]:
    """Start README.md's server and promote it as a baseline `mine`; return the port that users call."""
    found = re.search(r"^`server.py`\n\n```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found
    (shop.home / "server.py").write_text(found[1], encoding="utf-8")
    own, listening = free_port(), free_port()
    environment = {"services": [{"name": "users", "url": f"http://127.0.0.1:{own}", "port": listening}]}
    (shop.home / "mine.yaml").write_text(json.dumps(environment), encoding="utf-8")
    with subprocess.Popen([sys.executable, str(shop.home / "server.py"), str(own), "1"]) as server:
        shop.must("env", "create", "mine", "--file", "mine.yaml")
        shop.must("env", "promote", "mine")
        yield listening
        shop.must("env", "delete", "mine")
        server.terminate()


def test_a_single_server_is_compared_with_itself(shop: Any, port: int) -> None:
    enough = threading.Event()
    caller = threading.Thread(target=_call, args=(port, enough))
    caller.start()
    try:
        done = shop.run("selftest", "mine", "--pairs", "250", "--wait", "60s", "-o", "json", timeout=240)
    finally:
        enough.set()
        caller.join()
    result = json.loads(done.stdout)
    assert "users is a server that runs already" in done.stderr
    assert (result["calibrated"], result["false_findings"]) == (True, [])
    wrong = [trial for trial in result["trials"] if trial["verdict"] in {"missed", "found and more"}]
    assert wrong == []
    found = {trial["fault"] for trial in result["trials"] if trial["verdict"] == "found" and trial["rate"] == 1.0}
    assert found >= {"status-500", "member-missing", "number-as-text", "text-cut", "spike"}
    assert done.returncode == 0, done.stderr


def _call(port: int, enough: threading.Event) -> None:
    number = 0
    while not enough.wait(0.01):
        number += 1
        with urlopen(f"http://127.0.0.1:{port}/users/{number % 300}", timeout=10) as answer:
            answer.read()
