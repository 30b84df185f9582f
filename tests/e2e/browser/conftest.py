"""A real headless Chromium, driven through its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).

Found by MICROSTAX_CHROMIUM or on PATH. One process serves all tests; each test gets a page of its own.
"""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from time import monotonic, sleep
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--remote-debugging-port=0",
)
START_S = 40
ANSWER_S = 20


# The tests read this variable too: where it stays unset, all of them are skipped in one line.
if (_found := next((path for path in map(shutil.which, NAMES) if path), None)) is not None:
    os.environ.setdefault("MICROSTAX_CHROMIUM", _found)


@pytest.fixture(scope="session")
def browser() -> Iterator[str]:
    """Start the browser; return the address of its DevTools."""
    folder = Path(tempfile.mkdtemp(prefix="msx-reports-browser-"))
    command = [os.environ["MICROSTAX_CHROMIUM"], *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    # A group of its own, so that its helper processes end with it.
    process = Popen(command, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{_port(process, folder)}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _port(process: "Popen[bytes]", folder: Path) -> int:
    """Return the port that the browser chose, once it listens."""
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        assert process.poll() is None, "Chromium ended before it listened"
        file = folder / "DevToolsActivePort"
        if file.exists() and (text := file.read_text()):
            return int(text.splitlines()[0])
        sleep(0.05)
    raise AssertionError(f"Chromium did not listen within {START_S} s")


class Page:
    """One page: sends commands, waits for answers, and keeps what the page logged and asked the network for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self._numbers = count(1)
        self.problems: list[str] = []
        self.requests: list[str] = []

    async def read(self) -> None:
        """Take in what the browser says, until it hangs up."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            else:
                self._note(said["method"], said["params"])

    def _note(self, method: str, given: Any) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(given["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.problems.append(given["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.problems.append(json.dumps(given["args"]))
        elif method == "Page.javascriptDialogOpening":
            self.problems.append(f"dialog: {given['message']}")

    async def call(self, method: str, **given: Any) -> Any:
        """Send a command; return its result."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        answer = self._answers[number]
        await self._socket.send_json({"id": number, "method": method, "params": given})
        said = await asyncio.wait_for(answer, ANSWER_S)
        assert "error" not in said, said
        return said["result"]

    async def open(self, url: str) -> None:
        """Load the address."""
        for address in ("about:blank", url):  # from one place to another in a page would load nothing
            self._loaded.clear()
            self.requests.clear()
            await self.call("Page.navigate", url=address)
            await asyncio.wait_for(self._loaded.wait(), ANSWER_S)

    async def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        async with asyncio.timeout(ANSWER_S):
            while not await self.run(expression):  # noqa: ASYNC110  # the other side is a browser
                await asyncio.sleep(0.02)

    async def press(self, key: str, *, text: str | None = None, shift: bool = False) -> None:
        """Press and release a key; `text` is what it types, where it is no single character."""
        typed = text if text is not None else key if len(key) == 1 else ""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowUp": 38, "ArrowDown": 40}
        pressed = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0), "modifiers": 8 if shift else 0}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **pressed, **({"text": typed} if typed else {}))
        await self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def resize(self, width: int, height: int = 900) -> None:
        """Make the window that big."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def prefer(self, scheme: str) -> None:
        """Prefer `light` or `dark`, as the system would."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)


@asynccontextmanager
async def _connected(devtools: str) -> AsyncIterator[Page]:
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{devtools}/json/new?about:blank") as response:
            target = await response.json(content_type=None)
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Page(socket)
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(page.read())
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.call(f"{domain}.enable")
                await page.resize(1280)
                yield page
                reader.cancel()
        async with session.get(f"{devtools}/json/close/{target['id']}"):
            pass


@pytest.fixture
async def page(browser: str) -> AsyncIterator[Page]:
    """Return a page of the browser, new for each test."""
    async with _connected(browser) as page:
        yield page
