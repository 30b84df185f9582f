"""One Chromium for all tests of pages, and a page of its own for each.

It is found by MICROSTAX_CHROMIUM or on PATH. Where the browser itself fails (it dies, or answers nothing for half a
minute), it is started anew and the test runs once more; what a page does wrong is never tried again.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from devtools import Browser, Page, StalledError

NAMES = ("chromium", "chromium-browser", "google-chrome")
STALLS = pytest.StashKey[list[str]]()
BROWSER = pytest.StashKey[Browser]()

# The tests read this variable too: where it stays unset, all of them are skipped in one line.
if (_found := next((path for path in map(shutil.which, NAMES) if path), None)) is not None:
    os.environ.setdefault("MICROSTAX_CHROMIUM", _found)


@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Give the browser, which runs from its first page to the end of the session."""
    made = pytestconfig.stash[BROWSER] = Browser(os.environ["MICROSTAX_CHROMIUM"])
    yield made
    made.stop()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """Return a page of the browser, new for each test."""
    async with browser.page() as page:
        yield page


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """Note where it was the browser that failed a test."""
    if call.excinfo is not None and isinstance(call.excinfo.value, StalledError):
        item.stash.setdefault(STALLS, []).append(str(call.excinfo.value))
    return (yield)


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test; once more, with a new browser, if the browser failed it."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    stalls = item.stash.get(STALLS, [])
    if stalls:
        item.config.stash[BROWSER].stop()
        item._initrequest()  # type: ignore[attr-defined]  # fixtures anew, as pytest itself does for a first run
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            report.sections.append(("browser", f"the first run was given up: {stalls[0]}"))
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
