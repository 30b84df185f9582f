"""Requests of the management API and of workers, through the handlers that serve them."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import grpc
from google.protobuf.message_factory import GetMessageClass

from hostile.choices import Choices
from hostile.messages import fill, spoil
from hostile.target import Target
from hostile.world import PAIR, Call, World
from hostile.yaml_target import ENV, PATCH, RULES
from microstax.api import methods as table
from microstax.api.methods import PACKAGE, Method
from microstax.control import server
from microstax.diff import ServiceAggregate
from microstax.testing import a_response, a_triple

_METHODS: Final[tuple[Method[Any, Any], ...]] = tuple(
    sorted((one for one in vars(table).values() if isinstance(one, Method)), key=lambda one: one.path)
)
_POOL: Final = server._descriptors()
_ANSWERS: Final = 8
_PATIENCE_S: Final = 5.0
_UNCHANGING: Final = frozenset(_METHODS) - {table.SUBMIT_DELTA, table.WATCH_TARGETS, table.SHUTDOWN}
"""What changes nothing but the state, which is looked at."""


def _aggregate() -> bytes:
    made = ServiceAggregate.empty()
    made.add(a_triple(a_response(b'{"a":1}'), a_response(b'{"a":2}')))
    return made.to_bytes()


_AGGREGATE: Final = _aggregate()
_WORDS: Final[dict[str, Any]] = {
    "name": ("prod", "branch", "spare", "catalog", "next", "", "A b", "x" * 300, "branch/..", "prod~"),
    "overlay": ("branch", "prod", "next", ""),
    "baseline": ("prod", "spare", "none", ""),
    "service": ("catalog", "pricing", "stock", "none", "", "catalog.control", "tee.envoy"),
    "services": ("catalog", "pricing", "none"),
    "text": (ENV, PATCH, RULES, "", "services: {a: {command: x, port: 18201}}", "[", "\x00"),
    "directory": ("/srv", "", "relative", "/srv/../x"),
    "methods": ("GET", "POST", "BREW", "*", ""),
    "control": ("copy", "self", "none", "", "both"),
    "worker_id": ("worker", "", "w2"),
    "node_id": ("tee~prod", "bridge~branch", "tee~none", "", "x"),
    "aggregate": (_AGGREGATE, b"", b"\x93", _AGGREGATE[:-1]),
    "examples": (PAIR, b"", PAIR[:-1], b"\xc0"),
    "kept": (PAIR, b"\xff"),
    "not_compared": ("branch_timeout", "pending", "none", "x" * 201),
    "rechecks": ("asked", "vanished", "none"),
    "counters": ("server.uptime", "cluster.copy/catalog/branch/branch.upstream_rq_total"),
    "sequence": (1, 2, 0),
    "paired": (0, 1, 17),
    "pending": (0, 1, 17),
    "value": (0, 1, 17),
    "generation": (0, 1, 2),
    "sample_ppm": (0, 1, 250_000, 1_000_000, 1_000_001),
    "path": ("$.a", "$.**.b", "x-*", "$[", "$.**.**.**.**.x", ""),
    "kind": ("value", "missing", "none", ""),
    "expires": ("2027-03-01", "never", "x", ""),
    "pair": ("id-1", "none", ""),
    "strip_headers": ("authorization", "x", ":path", "bad name", ""),
    "*": ("a", "", "branch", "catalog", "GET /a"),
}


class _AbortedError(Exception):
    """A call that ended with a status."""


class _Context:
    """What a handler may ask of gRPC."""

    async def abort(self, code: grpc.StatusCode, message: str, trailer: Any) -> None:
        """End the call."""
        assert code is not grpc.StatusCode.INTERNAL, f"a mistake of ours: {message}"
        assert message, "an error without a sentence"
        assert message.encode("utf-8", "strict"), "an error that cannot be sent"
        assert dict(trailer)[table.EXIT_CODE_TRAILER].isdigit(), "an error without an exit code"
        raise _AbortedError(message)


_WORLD: Final = World()


def check(data: bytes) -> None:
    """Make a few calls of one control plane; each is answered, or refused by an error that users can meet."""
    choices = Choices(data)

    chosen = [choices.pick(_METHODS) for _ in range(choices.number(1, 2))]

    async def play(calls: dict[Any, Call]) -> None:
        for method in chosen:
            await _call(method, calls[method], _request(method, choices))
            if not choices.left:
                break

    _WORLD.run(play, changing=not _UNCHANGING.issuperset(chosen))


def _request(method: Method[Any, Any], choices: Choices) -> bytes:
    if choices.chance(16):
        return choices.data(64)
    message = GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{method.request.__name__}"))()
    data: bytes = fill(message, choices, _WORDS).SerializeToString()
    return spoil(data, choices) if choices.chance(8) else data


async def _call(method: Method[Any, Any], call: Call, request: bytes) -> None:
    handler, answers = server._handler(method, call, _POOL), 0
    try:
        async with asyncio.timeout(_PATIENCE_S):
            if not method.streams:
                method.response.parse(await handler.unary_unary(request, _Context()))
                return
            stream = handler.unary_stream(request, _Context())
            try:
                async for answer in stream:
                    method.response.parse(answer)
                    answers += 1
                    if answers >= _ANSWERS:
                        break
            finally:
                await stream.aclose()
    except (_AbortedError, TimeoutError):
        return


def seeds() -> Iterator[bytes]:
    """Give decisions for each method."""
    for number in range(len(_METHODS)):
        for step in (1, 5):
            yield bytes([0, number]) + bytes((number + at * step) % 256 for at in range(100))


TARGET: Final = Target(check=check, seeds=seeds, tokens=(b"prod", b"branch", b"catalog"), longest=192)
