"""A headless Chromium and one page of it, driven through DevTools (https://chromedevtools.github.io/devtools-protocol/).

What waits for the browser waits for a limited time, and says what it waited for: `StalledError`. That is never what a
page does wrong, which shows in what the tests assert.
"""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from subprocess import STDOUT, Popen, TimeoutExpired
from time import monotonic, sleep
from typing import Any

import aiohttp

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-service-autorun",
    # Nothing of its own to do beside the tests.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-features=AutofillServerCommunication,MediaRouter,OptimizationHints,Translate",
    "--disable-sync",
    "--metrics-recording-only",
    "--password-store=basic",
    # A window that nobody sees is a background to Chromium: its keys, timers and frames would be served late.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-ipc-flooding-protection",
    "--disable-hang-monitor",
    "--remote-debugging-port=0",
)
START_S = 60.0
ANSWER_S = 30.0
"""What a browser gets for one answer; it takes 5 ms, and seconds where other processes have both cores."""
ATTACH_S = 60.0


class StalledError(Exception):
    """The browser, and not the page, failed: it died, or did not answer in time."""


class Browser:
    """The process, which is started when it is needed, and again after it was given up."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process: Popen[bytes] | None = None
        self._folder = Path()
        self._address = ""

    @property
    def address(self) -> str:
        """Where its DevTools are. Raises StalledError if it does not start."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        if self._process is None:
            self._start()
        return self._address

    @property
    def pid(self) -> int:
        """The process, which leads a group with all of its helpers; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="msx-browser-"))
        command = [self._program, *FLAGS, f"--user-data-dir={self._folder}/profile", "about:blank"]
        with (self._folder / "log").open("wb") as log:
            # A group of its own, so that its helper processes end with it; its temporary files go with the folder.
            environ = {**os.environ, "TMPDIR": str(self._folder)}
            self._process = Popen(command, stdout=log, stderr=STDOUT, env=environ, start_new_session=True)
        self._address = f"http://127.0.0.1:{self._port()}"

    def _port(self) -> int:
        """Return the port that the browser chose, once it listens."""
        deadline = monotonic() + START_S
        file = self._folder / "profile" / "DevToolsActivePort"
        while monotonic() < deadline:
            if file.exists() and "\n" in (text := file.read_text()):
                return int(text.splitlines()[0])
            if self._process is None or self._process.poll() is not None:
                raise StalledError(f"Chromium ended before it listened: {self._log()}")
            sleep(0.05)
        raise StalledError(f"Chromium did not listen within {START_S:.0f} s: {self._log()}")

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """End it with all of its helpers, and take its folder away."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(TimeoutExpired):
                process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    @asynccontextmanager
    async def page(self) -> AsyncIterator["Page"]:
        """Open a page for as long as the block lasts."""
        devtools = self.address
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ATTACH_S)) as session:
            with _told("Chromium opened no page"):
                async with session.put(f"{devtools}/json/new?about:blank") as response:
                    target = await response.json(content_type=None)
                url = target["webSocketDebuggerUrl"]
                socket = await asyncio.wait_for(session.ws_connect(url, max_msg_size=0), ATTACH_S)
            page = Page(socket)
            reader = asyncio.get_running_loop().create_task(page.read())
            try:
                await page.prepare()
                yield page
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
                with suppress(TimeoutError, aiohttp.ClientError):  # the next test has a page of its own
                    await asyncio.wait_for(socket.close(), ANSWER_S)
                    async with session.get(f"{devtools}/json/close/{target['id']}"):
                        pass


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what could not be had of the browser, and why."""
    try:
        yield
    except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
        raise StalledError(f"{what}: {error!r}") from error


class Page:
    """One page: sends commands, waits for answers, and keeps what the page logged and asked the network for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loads: dict[str, asyncio.Event] = {}
        self._gone = ""
        self._numbers = count(1)
        self.problems: list[str] = []
        self.requests: list[str] = []

    async def prepare(self) -> None:
        """Have the browser tell what happens in the page."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.setLifecycleEventsEnabled", enabled=True)
        await self.call("Page.bringToFront")
        await self.resize(1280)

    async def read(self) -> None:
        """Take in what the browser says, until it hangs up."""
        try:
            async for message in self._socket:
                said = json.loads(message.data)
                if "id" in said:
                    answer = self._answers.pop(said["id"], None)
                    if answer is not None and not answer.done():
                        answer.set_result(said)
                else:
                    self._note(said["method"], said["params"])
        finally:
            self._gone = "Chromium hung up"
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(StalledError(self._gone))

    def _note(self, method: str, given: Any) -> None:
        if method == "Page.lifecycleEvent" and given["name"] == "load":
            self._load(given["loaderId"]).set()
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
        elif method == "Inspector.targetCrashed":
            self._gone = "the page crashed"

    def _load(self, loader: str) -> asyncio.Event:
        return self._loads.setdefault(loader, asyncio.Event())

    async def call(self, method: str, **given: Any) -> Any:
        """Send a command; return its result. Raises StalledError where the browser has none in time."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            said = await self._in_time(self._ask(number, method, given, answer), f"an answer to {method} {given}")
        finally:
            self._answers.pop(number, None)
        assert "error" not in said, said
        return said["result"]

    async def _ask(self, number: int, method: str, given: Any, answer: "asyncio.Future[Any]") -> Any:
        await self._socket.send_json({"id": number, "method": method, "params": given})
        return await answer

    async def _in_time(self, waiting: Coroutine[Any, Any, Any], what: str) -> Any:
        try:
            return await asyncio.wait_for(waiting, ANSWER_S)
        except TimeoutError as error:
            raise StalledError(f"no {what[3:]} within {ANSWER_S:.0f} s{self._gone and f': {self._gone}'}") from error
        except (StalledError, ConnectionError, aiohttp.ClientError) as error:
            raise StalledError(f"{what}: {error}") from error

    async def open(self, url: str) -> None:
        """Load the address."""
        for address in ("about:blank", url):  # from one place to another in a page would load nothing
            self.requests.clear()
            # By its own id: the load of a document before may be told of late.
            loader = (await self.call("Page.navigate", url=address))["loaderId"]
            await self._in_time(self._load(loader).wait(), f"an end of loading {address}")

    async def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true; that it does not become so is the page's fault."""
        deadline = monotonic() + ANSWER_S
        while not await self.run(expression):
            assert monotonic() < deadline, f"not within {ANSWER_S:.0f} s: {expression}"
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
