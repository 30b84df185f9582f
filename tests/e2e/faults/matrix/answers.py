"""What the baseline answers: a pure function of the request, so that a client can tell every byte that is not its own.

The path says what is wanted: `/KIND/ID?size=N`. An answer carries a signature over status, headers and body.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs, urlsplit

Headers = list[tuple[str, str]]

SIGNATURE: Final = "x-signature"
EVENTS: Final = "events"
"""The kind of a path whose answer is a stream of server-sent events: `?count=N&pause=MS`."""
_UNSIGNED: Final = {"host", ":authority", "content-length", "transfer-encoding", "expect", "connection", "te"}
"""Request headers that hops may write in their own way."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a path asks for."""

    kind: str
    name: str
    size: int
    count: int
    pause_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `headers` have lower-case names and are complete but for what frames the body."""

    status: int
    headers: Headers
    body: bytes

    @property
    def digest(self) -> str:
        """Return a hash of the body."""
        return hashlib.sha256(self.body).hexdigest()


def wanted(path: str) -> Wanted:
    """Read a path. Raises ValueError for one that is none of ours."""
    parts = urlsplit(path)
    _, kind, name = parts.path.split("/", 2)
    query = {key: int(values[0]) for key, values in parse_qs(parts.query).items()}
    return Wanted(kind, name, query.get("size", 0), query.get("count", 1), query.get("pause", 0))


def request_digest(headers: Iterable[tuple[str, str]], body_digest: str) -> str:
    """Return a hash of what an application got: every header that no hop may touch, and the body."""
    kept = sorted((name.lower(), value) for name, value in headers if name.lower() not in _UNSIGNED)
    regular = [pair for pair in kept if not pair[0].startswith(":")]
    return hashlib.sha256(json.dumps([regular, body_digest]).encode()).hexdigest()


@lru_cache(maxsize=64)
def filler(name: str, size: int) -> bytes:
    """Return `size` bytes that only `name` has."""
    block = b"".join(hashlib.sha256(f"{name}/{nth}".encode()).digest() for nth in range(32))
    return (block * (size // len(block) + 1))[:size]


def event(name: str, nth: int) -> bytes:
    """Return one server-sent event."""
    return f"id: {nth}\nevent: tick\ndata: {filler(f'{name}.{nth}', 48).hex()}\n\n".encode()


def answer(method: str, path: str, digest: str, length: int) -> Answer:
    """Return the answer to a request; `digest` is its `request_digest`, `length` that of its body."""
    asked = wanted(path)
    if asked.kind == "missing":
        status, body = 404, json.dumps({"error": "no such thing", "name": asked.name}).encode()
    elif asked.size:
        status, body = 200, filler(asked.name, asked.size)
    else:
        told = {"name": asked.name, "method": method, "request": digest, "length": length, "price": len(asked.name)}
        status, body = 200, json.dumps(told).encode()
    kind = "application/octet-stream" if asked.size else "application/json"
    return Answer(status, signed(status, [("content-type", kind), ("x-kind", asked.kind)], body), body)


def signed(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Headers:
    """Return the headers with a signature over status, headers and body."""
    text = json.dumps([status, headers, hashlib.sha256(body).hexdigest()])
    return [*headers, (SIGNATURE, hashlib.sha256(text.encode()).hexdigest())]
