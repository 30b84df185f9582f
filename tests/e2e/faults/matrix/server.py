"""The baseline, or the branch, as a process: `python -m matrix.server PORT`.

Reads a JSON object a line on stdin, answers each with one on stdout, ends when stdin does. `{"mode": M}` changes what
it does from now on, and resets the connections that there are; `{"call": PORT}` is where mode `calls` calls.
`{}` asks for the figures alone. An answer holds how many requests came, and how many had a mark of the tee on them.
"""

import asyncio
import json
import socket
import struct
import sys
from contextlib import suppress
from typing import Any, Final

import h2.exceptions
import h11

from matrix import modes
from matrix.h1_server import H1
from matrix.h2_server import H2, PREFACE

_BACKLOG: Final = 1024
_FLAP_S: Final = 0.3
_FIRST: Final = 64 * 1024
_LIMIT: Final = 1024 * 1024
_ENDS: Final = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, OSError)
"""How connections end that somebody else ended."""
_RESET: Final = struct.pack("ii", 1, 0)


class Server:
    """Listens on a port of 127.0.0.1 and behaves as `mode` says."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.mode = modes.HEALTHY
        self.requests = 0
        self.marked = 0
        self.call_port = 0
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._flapping: asyncio.Task[None] | None = None
        self._fillers: list[socket.socket] = []
        self._open: dict[asyncio.Task[None], socket.socket] = {}

    def saw(self, headers: list[tuple[str, str]]) -> None:
        """Count a request, and what a tee should have taken off it."""
        self.requests += 1
        self.marked += any(
            name.lower().startswith("x-microstax") or (name.lower() in {"host", ":authority"} and "-shadow" in value)
            for name, value in headers
        )

    async def call(self, name: str) -> None:
        """Ask another service, as an application does: one safe call, one that the fence refuses."""
        for method in ("GET", "POST"):
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.call_port)
                    try:
                        head = f"{method} /small/{name} HTTP/1.1\r\nhost: pricing\r\nconnection: close\r\n"
                        writer.write(f"{head}content-length: 0\r\n\r\n".encode())
                        await reader.read()
                    finally:
                        writer.close()

    async def change(self, mode: str) -> None:
        """Behave in another way."""
        if mode not in modes.ALL:
            raise ValueError(f"no such mode: {mode}")
        if self._flapping:
            self._flapping.cancel()
            self._flapping = None
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        await self._close()
        self.mode = mode
        if mode == modes.NO_ACCEPT:
            self._listen(_BACKLOG, accept=False)
        elif mode == modes.BLACK_HOLE:
            self._listen(0, accept=False)
            await self._fill()
        else:
            self._listen(_BACKLOG, accept=True)
        if mode == modes.FLAPS:
            self._flapping = asyncio.get_running_loop().create_task(self._flap())

    def _listen(self, backlog: int, *, accept: bool) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setblocking(False)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(backlog)
        self._listening = listening
        if accept:
            self._accepting = asyncio.get_running_loop().create_task(self._accept(listening))

    async def _close(self) -> None:
        """Stop listening and reset whoever is connected."""
        if self._accepting:
            self._accepting.cancel()
            await asyncio.wait({self._accepting})
            self._accepting = None
        if self._listening:
            self._listening.close()
            self._listening = None
        gone = list(self._open)
        for task, connection in list(self._open.items()):
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            task.cancel()
        if gone:
            await asyncio.wait(gone)

    async def _fill(self) -> None:
        """Fill the kernel's queue: further attempts to connect get no answer at all."""
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            self._fillers.append(filler)
            with suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
        await asyncio.sleep(0.05)

    async def _flap(self) -> None:
        while True:
            await asyncio.sleep(_FLAP_S)
            await self._close()
            await asyncio.sleep(_FLAP_S)
            self._listen(_BACKLOG, accept=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listening)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(self._serve(connection))
            self._open[task] = connection
            task.add_done_callback(lambda task: self._open.pop(task, None))

    async def _serve(self, connection: socket.socket) -> None:
        try:
            if self.mode in modes.OF_CONNECTION:
                await self._mistreat(connection)
            else:
                await self._speak(connection)
        except _ENDS:
            pass
        except h11.RemoteProtocolError:
            pass  # a client that went away in the middle
        except (h11.ProtocolError, h2.exceptions.ProtocolError) as error:
            if self.mode == modes.HEALTHY:  # else it is what the mode does to a HEAD, or to a stream that is gone
                print(f"server {self.port}: {error!r}", file=sys.stderr, flush=True)

    async def _speak(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            first = await reader.read(_FIRST)
            handler = H2 if first.startswith(PREFACE) else H1
            if first:
                await handler(self, reader, writer).serve(first)
        except asyncio.CancelledError:
            transport.abort()
            raise
        finally:
            writer.close()

    async def _mistreat(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            await self._be_rude(loop, connection)

    async def _be_rude(self, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        match self.mode:
            case modes.NEVER_READS:
                await asyncio.Event().wait()
            case modes.READS_SLOWLY:
                while await loop.sock_recv(connection, 1):  # noqa: ASYNC110  # a byte a second is what it does
                    await asyncio.sleep(1)
            case modes.RESETS:
                await loop.sock_recv(connection, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            case modes.CLOSES:
                await loop.sock_recv(connection, _FIRST)
            case modes.GARBAGE:
                await loop.sock_recv(connection, _FIRST)
                await loop.sock_sendall(connection, bytes(range(256)) * 16)


async def main(port: int) -> None:
    """Serve until stdin ends."""
    server = Server(port)
    await server.change(modes.HEALTHY)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"ready": True}), flush=True)
    while line := await reader.readline():
        wish: dict[str, Any] = json.loads(line)
        server.call_port = wish.get("call", server.call_port)
        if "mode" in wish:
            await server.change(wish["mode"])
        print(json.dumps({"requests": server.requests, "marked": server.marked}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
