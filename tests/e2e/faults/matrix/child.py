"""A process of ours that is told what to do by lines of JSON, and ends when we do."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Final, Self

HERE: Final = Path(__file__).resolve().parents[1]
"""The folder that the package `matrix` stands in."""
_ANSWER_BYTES: Final = 64 * 1024 * 1024


def python_path() -> dict[str, str]:
    """Return our environment with the folder of `matrix` on the path."""
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


class Child:
    """Runs `python -m MODULE ARGUMENT...`."""

    def __init__(self, module: str, *arguments: object) -> None:
        self.words = (sys.executable, "-m", module, *map(str, arguments))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def start(self) -> None:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            *self.words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=python_path(),
            limit=_ANSWER_BYTES,
        )

    async def say(self, **wish: Any) -> dict[str, Any]:
        """Send a line and return what it answers. Raises RuntimeError where it is gone."""
        process = self.process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(wish).encode() + b"\n")
        await process.stdin.drain()
        return await self.heard()

    async def heard(self) -> dict[str, Any]:
        """Return the next line."""
        assert self.process.stdout
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.words)} ended")
        found: dict[str, Any] = json.loads(line)
        return found

    async def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        await self.process.wait()

    async def end(self) -> None:
        """Let it end."""
        if self._process is None or self._process.returncode is not None:
            return
        assert self._process.stdin
        self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The process, once started."""
        assert self._process
        return self._process
