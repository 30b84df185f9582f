"""`microstax selftest` on real traffic: no false finding, every fault that can be decided, nothing left behind."""

import json
import signal
import time
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RATE = 150.0


def overlays(shop: Any) -> list[str]:
    return [one["name"] for one in json.loads(shop.must("overlay", "list", "-o", "json"))]


def test_the_shop_proves_the_verdicts(shop: Any) -> None:
    words = ("selftest", "production", "--service", "catalog", "--pairs", "1200", "--wait", "90s", "-o", "json")
    with shop.users(rate=RATE, seed=5):
        done = shop.run(*words, timeout=200)
    result = json.loads(done.stdout)
    assert [trial for trial in result["trials"] if trial["verdict"] in {"missed", "found and more"}] == []
    assert done.returncode == 0, done.stderr
    assert result["pairs"] >= 1200
    assert result["calibrated"]
    assert result["false_findings"] == []
    assert result["detected_share"] == 1.0
    always = [trial for trial in result["trials"] if trial["rate"] == 1.0]
    assert len({trial["fault"] for trial in always if trial["verdict"] == "found"}) >= 15
    assert {trial["verdict"] for trial in always} <= {"found", "undecided", "not applicable"}
    assert overlays(shop) == []


def test_without_traffic_it_says_what_it_waits_for_and_leaves_nothing(shop: Any) -> None:
    done = shop.run("selftest", "production", "--service", "catalog", "--pairs", "10", "--wait", "1s")
    assert done.returncode == 3, done.stderr
    assert "send traffic to catalog at http://127.0.0.1:" in done.stderr
    assert overlays(shop) == []


@pytest.mark.parametrize(("number", "moment_s"), [(signal.SIGINT, 0.0), (signal.SIGTERM, 4.0)])
def test_an_interrupted_selftest_takes_its_overlay_away(shop: Any, number: signal.Signals, moment_s: float) -> None:
    """Whether it is just being made, or waits for traffic."""
    with shop.line.start("selftest", "production", "--service", "catalog", "--wait", "60s") as process:
        while not overlays(shop):
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(moment_s)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert overlays(shop) == []
