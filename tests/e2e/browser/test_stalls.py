"""A browser that fails costs no test: it is started anew, and what it failed runs once more."""

import os
import signal
from typing import Any

import pytest

if not os.environ.get("MICROSTAX_CHROMIUM"):
    pytest.skip("no Chromium: set MICROSTAX_CHROMIUM, or install the package chromium", allow_module_level=True)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
KILLED: list[int] = []


async def test_a_browser_that_dies_is_started_once_more(browser: Any, page: Any) -> None:
    pid = browser.pid
    if not KILLED:
        KILLED.append(pid)
        os.killpg(pid, signal.SIGKILL)
    assert await page.run("6 * 7") == 42  # the first run ends here
    assert pid not in KILLED
    KILLED.clear()
