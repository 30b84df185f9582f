"""The load generator as a process beside the demo: started, watched, stopped, and asked how it went."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from microstax.demo.load import DEFAULT_SEED
from microstax.demo.proof import Requests
from microstax.errors import FaultError

STOP_WITHIN_S: Final = 15.0


def load_command(urls: Mapping[str, str], *, rate: float, seed: int = DEFAULT_SEED) -> list[str]:
    """Return the command line of the load generator."""
    targets = [f"--at={service}={urls[service]}" for service in ("storefront", "catalog")]
    return [sys.executable, "-m", "microstax.demo.load", *targets, f"--rate={rate:g}", f"--seed={seed}"]


class Users:
    """The users of the shop, as a context: they come when it is entered and go when it is left."""

    def __init__(self, urls: Mapping[str, str], *, rate: float, seed: int = DEFAULT_SEED) -> None:
        self._command = load_command(urls, rate=rate, seed=seed)
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, name="load reader", daemon=True)
        self.requests = Requests()

    def __enter__(self) -> Self:
        # A session of its own: Ctrl-C reaches the demo alone, which then stops the rest in the right order.
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def stop(self) -> Requests:
        """Let the requests under way end, and return the final count. Raises FaultError if it died before."""
        self.check_alive()
        self._end()
        return self.requests

    def check_alive(self) -> None:
        """Raise FaultError if the load generator is gone."""
        if self._process is None or self._process.poll() is not None:
            raise FaultError("The load generator ended too early; its own words are above.")

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        process = self._process
        for line in process.stdout if process is not None and process.stdout is not None else ():
            told: dict[str, Any] = json.loads(line)
            self.requests = Requests(told["sent"], told["failed"], tuple(told["failures"]))
