"""Pairs on disk: the msgpack form of redacted triples, in the store and in files. PURE.

A file (`env export`) is a header and then records, one msgpack map after the other, nothing between them:

    file     header record*
    header   {"microstax": "pairs", "version": 1, "overlay": str, "baseline": str, "created_ms": int}
    record   {"v": 1, "id": str, "service": str, "overlay": str, "captured_ms": int,
              "baseline": side, "branch": side, "control": side or nil}
    side     {"started_us": int or nil, "latency_us": int or nil, "request": request, "response": response or nil}
    request  {"method": str, "path": str, "authority": str, "headers": [[name, value]*], "body": bin,
              "truncated": bool, "encoded": bool}
    response {"status": int, "headers": [[name, value]*], "body": bin, "truncated": bool, "encoded": bool,
              "trailers": [[name, value]*], "local_reason": str or nil, "body_size": int or nil}

`started_us` are Unix microseconds, `captured_ms` Unix milliseconds. Bodies are decoded, and secrets are hashes
already (microstax.capture.redaction). A reader ignores keys that it does not know; a change that an old reader would
misread gets a new version. A record names its version too, since the store keeps records without a file around them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgpack

from microstax.errors import InvalidFileError
from microstax.model.exchange import Exchange, Headers, Request, Response, Side, Triple

MAGIC: Final = "pairs"
VERSION: Final = 1
MAX_RECORD_BYTES: Final = 128 * 1024 * 1024
_OPTIONS: Final = {"raw": False, "strict_map_key": True}
_HEADER_PARTS: Final = 2
_STATUSES: Final = range(100, 600)  # what a tap's reader lets through (microstax.capture.trace_reader)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFileHeader:
    """What a file of pairs is about."""

    overlay: str
    baseline: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPair:
    """A pair that was kept, and when it was captured (Unix milliseconds)."""

    triple: Triple
    captured_ms: int


def encode_header(header: PairFileHeader) -> bytes:
    """Return the first bytes of a file of pairs."""
    fields = {"overlay": header.overlay, "baseline": header.baseline, "created_ms": header.created_ms}
    return _pack({"microstax": MAGIC, "version": VERSION, **fields})


def encode_pair(pair: StoredPair) -> bytes:
    """Return the record of one pair. The triple must be redacted."""
    triple = pair.triple
    return _pack(
        {
            "v": VERSION,
            "id": triple.id,
            "service": triple.service,
            "overlay": triple.overlay,
            "captured_ms": pair.captured_ms,
            "baseline": _side(triple.baseline),
            "branch": _side(triple.branch),
            "control": _side(triple.control) if triple.control is not None else None,
        }
    )


def decode_pair(data: bytes, *, file: str = "pair record") -> StoredPair:
    """Read one record; raises InvalidFileError that says at which byte it is wrong."""
    pairs = list(islice(_objects([data], file), 2))  # of garbage, each byte may be a record
    if len(pairs) != 1:
        raise InvalidFileError(f"holds {'more than one record' if pairs else 'no record'}.", file=file)
    return _read_pair(pairs[0][1], at=0, file=file)


def read_pair_file(chunks: Iterable[bytes], *, file: str) -> tuple[PairFileHeader, Iterator[StoredPair]]:
    """Read a file of pairs as it comes in `chunks` of any size; `file` is its name for errors.

    The header is read at once, the pairs as they are asked for. Raises InvalidFileError that says at which byte.
    """
    objects = _objects(chunks, file)
    first = next(objects, None)
    if first is None:
        raise InvalidFileError("is empty: a file of pairs comes from 'microstax env export'.", file=file)
    header = _read_header(first[1], file)
    return header, (_read_pair(value, at=at, file=file) for at, value in objects)


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def _side(exchange: Exchange) -> dict[str, object]:
    request, response = exchange.request, exchange.response
    return {
        "started_us": exchange.started_us,
        "latency_us": exchange.latency_us,
        "request": {
            "method": request.method,
            "path": request.path,
            "authority": request.authority,
            "headers": request.headers,
            "body": request.body,
            "truncated": request.truncated,
            "encoded": request.encoded,
        },
        "response": _answer(response) if response is not None else None,
    }


def _answer(response: Response) -> dict[str, object]:
    return {
        "status": response.status,
        "headers": response.headers,
        "body": response.body,
        "truncated": response.truncated,
        "encoded": response.encoded,
        "trailers": response.trailers,
        "local_reason": response.local_reason,
        "body_size": response.body_size,
    }


def _objects(chunks: Iterable[bytes], file: str) -> Iterator[tuple[int, Any]]:
    """Yield each msgpack object with the byte at which it begins."""
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_RECORD_BYTES, **_OPTIONS)
    fed = at = 0
    try:
        for chunk in chunks:
            unpacker.feed(chunk)
            fed += len(chunk)
            for value in unpacker:
                yield at, value
                at = unpacker.tell()
    except (ValueError, msgpack.UnpackException) as error:
        problem = "is larger than any record" if isinstance(error, msgpack.BufferFull) else "is no msgpack"
        raise InvalidFileError(f"what begins at byte {at} {problem}: the file is damaged.", file=file) from error
    if at < fed:
        raise InvalidFileError(
            f"ends at byte {fed} inside the record that begins at byte {at}: the file was cut off.", file=file
        )


class _Fields:
    """Reads typed fields of one map; every error names the byte, the key and what was expected."""

    def __init__(self, value: object, *, at: int, file: str, inside: str = "") -> None:
        self._at, self._file, self._inside = at, file, inside
        if not isinstance(value, Mapping):
            raise self._wrong("", "a map")
        self._map = value

    def get(self, key: str, kind: type, *, optional: bool = False) -> Any:
        value = self._map.get(key)
        # bool is an int to Python, and would pass for a status.
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        if value is None and optional:
            return None
        raise self._wrong(key, _KINDS[kind])

    def inner(self, key: str) -> "_Fields":
        return _Fields(self._map.get(key), at=self._at, file=self._file, inside=f"{self._inside}{key}.")

    def has(self, key: str) -> bool:
        return self._map.get(key) is not None

    def status(self, key: str) -> int:
        status: int = self.get(key, int)
        if status not in _STATUSES:
            raise self._wrong(key, "an HTTP status")
        return status

    def headers(self, key: str) -> Headers:
        pairs = self.get(key, list)
        if not all(
            isinstance(pair, list) and len(pair) == _HEADER_PARTS and all(isinstance(part, str) for part in pair)
            for pair in pairs
        ):
            raise self._wrong(key, "a list of name and value")
        return tuple((name, value) for name, value in pairs)

    def _wrong(self, key: str, expected: str) -> InvalidFileError:
        place = (self._inside + key).rstrip(".")
        where = f"'{place}' of " if place else ""
        return InvalidFileError(f"{where}the record at byte {self._at} is not {expected}.", file=self._file)


_KINDS: Final = {str: "a text", int: "a whole number", bytes: "bytes", bool: "true or false", list: "a list"}


def _read_header(value: object, file: str) -> PairFileHeader:
    if not isinstance(value, Mapping) or value.get("microstax") != MAGIC:
        raise InvalidFileError(
            "does not begin (at byte 0) as a file of pairs: such a file comes from 'microstax env export'.", file=file
        )
    fields = _Fields(value, at=0, file=file)
    _check_version(fields.get("version", int), at=0, file=file)
    return PairFileHeader(
        overlay=fields.get("overlay", str),
        baseline=fields.get("baseline", str),
        created_ms=fields.get("created_ms", int),
    )


def _check_version(version: int, *, at: int, file: str) -> None:
    if version != VERSION:
        raise InvalidFileError(
            f"the record at byte {at} is of version {version}, and this microstax reads version {VERSION}: "
            "use the microstax that wrote the file.",
            file=file,
        )


def _read_pair(value: object, *, at: int, file: str) -> StoredPair:
    fields = _Fields(value, at=at, file=file)
    _check_version(fields.get("v", int), at=at, file=file)
    identity, service, overlay = (fields.get(key, str) for key in ("id", "service", "overlay"))

    def side(which: Side) -> Exchange:
        return _read_side(fields.inner(which), identity=identity, side=which, service=service, overlay=overlay)

    triple = Triple(
        id=identity,
        service=service,
        overlay=overlay,
        baseline=side(Side.BASELINE),
        branch=side(Side.BRANCH),
        control=side(Side.CONTROL) if fields.has("control") else None,
    )
    return StoredPair(triple=triple, captured_ms=fields.get("captured_ms", int))


def _read_side(fields: _Fields, *, identity: str, side: Side, service: str, overlay: str) -> Exchange:
    return Exchange(
        id=identity,
        side=side,
        service=service,
        overlay=None if side is Side.BASELINE else overlay,
        request=_read_request(fields.inner("request")),
        response=_read_response(fields.inner("response")) if fields.has("response") else None,
        started_us=fields.get("started_us", int, optional=True),
        latency_us=fields.get("latency_us", int, optional=True),
    )


def _read_request(fields: _Fields) -> Request:
    return Request(
        method=fields.get("method", str),
        path=fields.get("path", str),
        authority=fields.get("authority", str),
        headers=fields.headers("headers"),
        body=fields.get("body", bytes),
        truncated=fields.get("truncated", bool),
        encoded=fields.get("encoded", bool),
    )


def _read_response(fields: _Fields) -> Response:
    return Response(
        status=fields.status("status"),
        headers=fields.headers("headers"),
        body=fields.get("body", bytes),
        truncated=fields.get("truncated", bool),
        encoded=fields.get("encoded", bool),
        trailers=fields.headers("trailers"),
        local_reason=fields.get("local_reason", str, optional=True),
        body_size=fields.get("body_size", int, optional=True),
    )
