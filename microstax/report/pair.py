"""One pair side by side: the request, the answers of baseline and branch (and control), what differs.

The differences are found by the caller and only shown here. Bodies are pretty-printed where they are JSON.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from microstax.model.difference import (
    BodyDifference,
    Difference,
    HeaderDifference,
    ShapeDifference,
    StatusDifference,
)
from microstax.model.exchange import Exchange, Headers, Request, Response, Triple
from microstax.report.figures import milliseconds, number
from microstax.report.sides import side_by_side
from microstax.report.text import visible, wrap

_SHOWN_BINARY: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPair:
    """A pair with what was found: `noise` are those differences that the control shows at the same place.

    `not_compared` is the reason why the pair (or only its bodies) could not be compared.
    """

    triple: Triple
    differences: tuple[Difference, ...]
    noise: tuple[Difference, ...] = ()
    not_compared: str | None = None


def render_pair(pair: ComparedPair, *, width: int = 80, colour: bool = False) -> str:
    """Return the pair as text of `width` columns."""
    triple = pair.triple
    lines = [*wrap(visible(f"pair {triple.id} of {triple.service} in {triple.overlay}"), width), ""]
    lines += [piece for line in request_lines(triple.baseline.request) for piece in wrap(visible(line), width)]
    lines += ["", *_found(pair, width)]
    for name, other in (("branch", triple.branch), ("control", triple.control)):
        if other is not None:
            lines += ["", *_both(triple.baseline, other, name, width=width, colour=colour)]
    return "\n".join(lines) + "\n"


def pair_document(pair: ComparedPair) -> Any:
    """Return the same as JSON types: bodies as text where they are UTF-8, else as hexadecimal."""
    triple = pair.triple
    sides = {"baseline": triple.baseline, "branch": triple.branch, "control": triple.control}
    return {
        "pair": triple.id,
        "service": triple.service,
        "overlay": triple.overlay,
        "not_compared": pair.not_compared,
        "request": _request_document(triple.baseline.request),
        "differences": [
            {"kind": kind, "where": where, "change": change, "noise": difference in pair.noise}
            for difference in pair.differences
            for kind, where, change in [described(difference)]
        ],
        "responses": {name: _side_document(side) if side else None for name, side in sides.items()},
    }


def described(difference: Difference) -> tuple[str, str, str]:
    """Return kind, place and change of a difference, as the report names them."""
    change = f"{_or_none(difference.baseline)} -> {_or_none(difference.branch)}"
    if isinstance(difference, StatusDifference):
        return "grpc status" if difference.grpc else "status", "", change
    if isinstance(difference, ShapeDifference):
        return difference.kind.value, difference.path, change
    if isinstance(difference, HeaderDifference):
        return f"header {difference.kind.value}", difference.name, change
    if isinstance(difference, BodyDifference):
        return f"body {difference.kind.value}", "$", change
    return "value", difference.path, change


def request_lines(request: Request) -> list[str]:
    """Return the request as it would stand in an HTTP/1.1 message."""
    lines = [f"{request.method} {request.path}", *_header_lines((("host", request.authority), *request.headers))]
    if request.body:
        lines += ["", *body_lines(request.body, request.headers)]
    return lines + (["(body cut at the limit)"] if request.truncated else [])


def response_lines(response: Response | None) -> list[str]:
    """Return the response as lines; says so where there is none or where Envoy answered in the side's place."""
    if response is None:
        return ["(no answer was captured)"]
    lines = [f"status {response.status}"]
    if response.local_reason:
        lines.append(f"(answered by Envoy: {response.local_reason})")
    # The order of different headers means nothing (RFC 9110, 5.3), so both sides are sorted and line up.
    lines += sorted(_header_lines(response.headers))
    if response.body:
        lines += ["", *body_lines(response.body, response.headers)]
    if response.truncated:
        size = f" of {number(response.body_size)} bytes" if response.body_size else ""
        lines.append(f"(body{size} cut at the limit)")
    if response.trailers:
        lines += ["", *sorted(_header_lines(response.trailers))]
    return lines


def body_lines(body: bytes, headers: Headers) -> list[str]:
    """Return a body as lines: JSON indented, text as it is, anything else as hexadecimal."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        shown = body[:_SHOWN_BINARY].hex(" ", 2)
        more = f" ... {number(len(body))} bytes" if len(body) > _SHOWN_BINARY else ""
        return [f"(binary) {shown}{more}"]
    declared = next((value for name, value in headers if name == "content-type"), "")
    if "json" in declared or text.lstrip()[:1] in {"{", "["}:
        return _json_lines(text)
    return text.splitlines() or [""]


def _json_lines(text: str) -> list[str]:
    try:
        # As pairs: a duplicate key is shown as often as it stands there.
        value = json.loads(text, object_pairs_hook=_Members, parse_float=_Raw, parse_int=_Raw)
    except (ValueError, RecursionError):
        return text.splitlines() or [""]
    return list(_indented(value, "", ""))


class _Members(list[Any]):
    """The members of a JSON object, in order."""


class _Raw(str):
    """A JSON number as it was written: 64 bits and more, 1.0 and 1 stay apart."""

    __slots__ = ()


def _indented(value: Any, indent: str, lead: str, tail: str = "") -> Iterator[str]:
    if isinstance(value, _Raw):
        yield f"{indent}{lead}{value!s}{tail}"
        return
    if not isinstance(value, list) or not value:
        empty = "{}" if isinstance(value, _Members) else json.dumps(value, ensure_ascii=False)
        yield f"{indent}{lead}{empty}{tail}"
        return
    opening, closing = "{}" if isinstance(value, _Members) else "[]"
    yield f"{indent}{lead}{opening}"
    for index, item in enumerate(value, start=1):
        comma = "," if index < len(value) else ""
        inner, name = (item[1], f"{json.dumps(item[0], ensure_ascii=False)}: ") if opening == "{" else (item, "")
        yield from _indented(inner, f"{indent}  ", name, comma)
    yield f"{indent}{closing}{tail}"


def _found(pair: ComparedPair, width: int) -> Iterator[str]:
    if pair.not_compared:
        yield f"Not compared: {visible(pair.not_compared)}."
    count = len(pair.differences)
    if count or not pair.not_compared:
        yield f"{number(count)} {'difference' if count == 1 else 'differences'}:" if count else "No difference."
    for difference in pair.differences:
        kind, where, change = described(difference)
        aside = " (the control differs too: noise)" if difference in pair.noise else ""
        first, *rest = wrap(visible(f"{f'{kind} {where}'.strip()}: {change}{aside}"), width - 4)
        yield f"  {first}"
        yield from (f"    {line}" for line in rest)


def _both(baseline: Exchange, other: Exchange, name: str, *, width: int, colour: bool) -> list[str]:
    titles = side_by_side([_timed("baseline", baseline)], [_timed(name, other)], width=width)
    heading = [line.replace(" | ", "   ", 1) for line in titles]
    left, right = response_lines(baseline.response), response_lines(other.response)
    return [*heading, "-" * width, *side_by_side(left, right, width=width, colour=colour)]


def _timed(name: str, exchange: Exchange) -> str:
    if exchange.latency_us is None:
        return name.upper()
    return f"{name.upper()} {milliseconds(exchange.latency_us / 1000)} ms"


def _header_lines(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers]


def _or_none(value: object) -> str:
    return "(none)" if value is None else str(value)


def _body_text(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"hex": body.hex()}


def _request_document(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "authority": request.authority,
        "headers": [list(pair) for pair in request.headers],
        "body": _body_text(request.body),
        "truncated": request.truncated,
    }


def _side_document(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response
    latency = None if exchange.latency_us is None else exchange.latency_us / 1000
    if response is None:
        return {"latency_ms": latency, "status": None}
    return {
        "latency_ms": latency,
        "status": response.status,
        "answered_by_envoy": response.local_reason,
        "headers": [list(pair) for pair in response.headers],
        "body": _body_text(response.body),
        "truncated": response.truncated,
        "trailers": [list(pair) for pair in response.trailers],
    }
