"""A control plane as far as a worker sees it, and the worker as a process."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import grpc.aio

from microstax.api.methods import SUBMIT_DELTA, WATCH_TARGETS
from microstax.generated.management.microstax.management.v1 import (
    Delta,
    DeltaAck,
    Target,
    TargetList,
    WatchTargetsRequest,
)


async def until(condition: Callable[[], bool], *, seconds: float = 15) -> None:
    """Wait until `condition` holds, which other processes bring about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        await asyncio.sleep(0.02)


class ControlPlane:
    """Serves the two methods of `Workers`; what a worker sends stands in `deltas`, each once."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix:{path}"
        self.targets = TargetList()
        self.deltas: list[Delta] = []
        self.greetings: list[WatchTargetsRequest] = []
        self.submitted = 0
        self.refusals: list[grpc.StatusCode] = []
        self.lose_acks = 0
        self._news = asyncio.Event()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        handlers = {
            WATCH_TARGETS.name: grpc.unary_stream_rpc_method_handler(
                self._watch, request_deserializer=WatchTargetsRequest.parse, response_serializer=bytes
            ),
            SUBMIT_DELTA.name: grpc.unary_unary_rpc_method_handler(
                self._submit, request_deserializer=Delta.parse, response_serializer=bytes
            ),
        }
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(WATCH_TARGETS.service, handlers)])
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def aim(self, *targets: Target) -> None:
        self.targets = TargetList(targets=list(targets))
        self._news.set()

    @property
    def paired(self) -> int:
        return sum(service.paired for delta in self.deltas for service in delta.services)

    @property
    def not_compared(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for delta in self.deltas:
            for service in delta.services:
                for reason, count in service.not_compared.items():
                    found[reason] = found.get(reason, 0) + count
        return found

    async def until_paired(self, count: int) -> None:
        await until(lambda: self.paired >= count)
        assert self.paired == count

    async def _watch(self, request: WatchTargetsRequest, _: object) -> AsyncIterator[TargetList]:
        self.greetings.append(request)
        while True:
            self._news.clear()
            yield self.targets
            await self._news.wait()

    async def _submit(self, delta: Delta, context: grpc.aio.ServicerContext) -> DeltaAck:
        self.submitted += 1
        if self.refusals:
            code = self.refusals.pop(0)
            trailer = (("microstax-exit-code", "2" if code is grpc.StatusCode.INVALID_ARGUMENT else "4"),)
            await context.abort(code, "refused by the test", trailer)
        known = any((one.worker_id, one.sequence) == (delta.worker_id, delta.sequence) for one in self.deltas)
        if not known:
            self.deltas.append(delta)
        if self.lose_acks:
            self.lose_acks -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the acknowledgement is lost")
        return DeltaAck(sequence=delta.sequence, duplicate=known)


class WorkerProcess:
    """A worker started as the control plane starts it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log = ""
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log += line.decode()

    async def until_log(self, text: str) -> None:
        await until(lambda: text in self.log or self.process.returncode is not None)
        assert text in self.log

    async def end(self) -> int:
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(15):
            code = await self.process.wait()
            await self._reader
        return code

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reader


StartWorker = Callable[[], Awaitable[WorkerProcess]]


async def start_worker(address: str) -> WorkerProcess:
    command = (sys.executable, "-m", "microstax.worker", "--control", address, "--id", "worker")
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    return WorkerProcess(process)
