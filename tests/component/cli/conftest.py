"""A scripted management server on a unix socket, and the real command line as a process against it."""

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import report_documents

from microstax.api import methods
from microstax.api.address import management_address, prepare_folders, remove_sockets
from microstax.api.methods import EXIT_CODE_TRAILER, MANAGEMENT, Method
from microstax.errors import MicrostaxError
from microstax.model.exchange import Exchange, Request, Response, Side, Triple
from microstax.model.record import StoredPair, encode_pair

METHODS = [value for value in vars(methods).values() if isinstance(value, Method) and value.service == MANAGEMENT]


@dataclass(slots=True)
class ScriptedManagement:
    """Answers a method with what `answers` holds: a message, a list, an error, or a function of the request."""

    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[Any] = field(default_factory=list)

    def on(self, method: Method[Any, Any], answer: Any) -> None:
        self.answers[method.name] = answer

    async def handle(self, method: Method[Any, Any], request: Any, context: Any) -> list[Any]:
        self.requests.append(request)
        answer = self.answers.get(method.name)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, MicrostaxError):
            context.set_trailing_metadata(((EXIT_CODE_TRAILER, str(answer.exit_code)),))
            await context.abort(grpc.StatusCode[answer.grpc_status], answer.message)
        return list(answer) if isinstance(answer, Iterable) else [answer]

    def handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(MANAGEMENT, {one.name: self._handler(one) for one in METHODS})

    def _handler(self, method: Method[Any, Any]) -> Any:
        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            for message in await self.handle(method, request, context):
                if message is HANG:
                    await asyncio.sleep(3600)
                yield message

        async def unary(request: Any, context: Any) -> Any:
            return (await self.handle(method, request, context))[0]

        make = grpc.unary_stream_rpc_method_handler if method.streams else grpc.unary_unary_rpc_method_handler
        behaviour: Callable[..., Any] = stream if method.streams else unary
        return make(behaviour, request_deserializer=method.request.parse, response_serializer=bytes)


HANG = object()
"""In a list of answers: the stream stays open and says nothing more."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Cli:
    """Runs `microstax` as a process with this state folder."""

    state: Path

    @property
    def program(self) -> str:
        return shlex.join([sys.executable, "-m", "microstax"])

    async def __call__(self, *arguments: str, stdin: bytes = b"", **environment: str) -> Ended:
        process = await self.start(*arguments, **environment)
        out, err = await asyncio.wait_for(process.communicate(stdin), 30)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def start(
        self, *arguments: str, terminal: dict[str, int] | None = None, **environment: str
    ) -> asyncio.subprocess.Process:
        """Start the command, on pipes or on these file descriptors, and return at once."""
        pipe = asyncio.subprocess.PIPE
        streams = terminal or {"stdin": pipe, "stdout": pipe, "stderr": pipe}
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "microstax", *arguments),
            **streams,
            env={**inherited, "MICROSTAX_STATE": str(self.state), **environment},
            cwd=self.state,
        )


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return Cli(state)


@pytest.fixture
async def management(cli: Cli) -> AsyncIterator[ScriptedManagement]:
    scripted = ScriptedManagement()
    prepare_folders(cli.state)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((scripted.handlers(),))
    server.add_insecure_port(management_address(cli.state))
    await server.start()
    yield scripted
    await server.stop(None)
    remove_sockets(cli.state)


@pytest.fixture
def interrupt() -> Callable[[asyncio.subprocess.Process], None]:
    """Press Ctrl-C."""
    return lambda process: process.send_signal(signal.SIGINT)


@pytest.fixture
def hang() -> object:
    """Return what keeps a stream open when it stands in a list of answers."""
    return HANG


@pytest.fixture
def document() -> Any:
    """Return the report document that the golden files show, too."""
    return json.loads(json.dumps(report_documents.full()))


def _pair_record(identity: str, *, control: bool = True) -> bytes:
    def side(side: Side, body: bytes) -> Exchange:
        request = Request(method="GET", path="/products/7", authority="shop", headers=(("accept", "*/*"),))
        response = Response(status=200, headers=(("content-type", "application/json"),), body=body)
        overlay = None if side is Side.BASELINE else "shadow-test"
        return Exchange(
            id=identity,
            side=side,
            service="catalog",
            overlay=overlay,
            request=request,
            response=response,
            started_us=1_700_000_000_000_000,
            latency_us=3000,
        )

    triple = Triple(
        id=identity,
        service="catalog",
        overlay="shadow-test",
        baseline=side(Side.BASELINE, b'{"price": 1, "at": "10:00"}'),
        branch=side(Side.BRANCH, b'{"price": "1", "at": "10:01"}'),
        control=side(Side.CONTROL, b'{"price": 1, "at": "10:02"}') if control else None,
    )
    return encode_pair(StoredPair(triple=triple, captured_ms=1_700_000_000_000))


@pytest.fixture
def pair_record() -> Callable[..., bytes]:
    """Return a maker of pair records: a price that turned into a string, and a clock."""
    return _pair_record
