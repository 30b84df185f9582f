"""Faulty exchanges: a captured exchange with one change in its answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from microstax.diff.json_text import NotJsonError, compact, parse
from microstax.model.exchange import Exchange, Headers, Response
from microstax.selftest.edits import Edit, holders
from microstax.selftest.spots import Spot

Change = Callable[[Exchange, Spot], Exchange | None]
"""(the branch's exchange, the place): the faulty exchange, None where this one cannot have the fault there."""

ADDED_HEADER: Final = "x-added-by-selftest"
_PLAIN: Final = frozenset({dict, list, str, int, float, bool, type(None)})
_SERVER_ERROR: Final = 500
_SHORTEST: Final = 4
_LAST: Final = 99
_NEIGHBOURS: Final = {200: 203, 204: 202}
"""A 204 becomes one that could have a body, a 200 one that no proxy treats differently."""


def read(response: Response) -> Any | None:
    """Return the JSON object or array in a body; None for every other body, and for one with members that repeat."""
    if not response.body or response.encoded or response.truncated:
        return None
    try:
        document = parse(response.body)
    except NotJsonError:
        return None
    return document if isinstance(document, dict | list) and is_plain(document) else None


def is_plain(value: Any) -> bool:
    """Tell whether a parsed value is written again as it was read."""
    level = [value]
    while level:
        inner: list[Any] = []
        for one in level:
            if type(one) not in _PLAIN:
                return False
            inner += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        level = inner
    return True


def member_changed(edit: Edit) -> Change:
    """Return the change that makes an edit wherever the spot's member stands in the body."""

    def change(exchange: Exchange, spot: Spot) -> Exchange | None:
        if exchange.response is None:
            return None
        document = read(exchange.response)
        name = spot.steps[-1]
        if document is None or name is None:
            return None
        done = [edit(holder, name) for holder in holders(document, spot.steps)]
        return _with_body(exchange, compact(document)) if any(done) else None

    return change


def status_changed(after: Callable[[int], int]) -> Change:
    """Return the change of the status that the spot names."""

    def change(exchange: Exchange, spot: Spot) -> Exchange | None:
        response = exchange.response
        if response is None or str(response.status) != spot.name:
            return None
        return replace(exchange, response=replace(response, status=after(response.status)))

    return change


def server_error(status: int) -> int:
    """Return 500, or 503 for what was 500 before."""
    return _SERVER_ERROR if status != _SERVER_ERROR else _SERVER_ERROR + 3


def neighbour_status(status: int) -> int:
    """Return another status of the same class: 203 for 200, 405 for 404."""
    return _NEIGHBOURS.get(status, status - 1 if status % 100 == _LAST else status + 1)


def body_cut(exchange: Exchange, _spot: Spot) -> Exchange | None:
    """Keep the first half of the body."""
    response = exchange.response
    if response is None or len(response.body) < _SHORTEST:
        return None
    return _with_body(exchange, response.body[: len(response.body) // 2])


def body_emptied(exchange: Exchange, _spot: Spot) -> Exchange | None:
    """Take the body away."""
    if exchange.response is None or not exchange.response.body:
        return None
    return _with_body(exchange, b"")


def header_set(name: str, change: Callable[[str], str]) -> Change:
    """Return the change of the header `name`, or of the one that the spot names."""

    def changed(exchange: Exchange, spot: Spot) -> Exchange | None:
        if exchange.response is None:
            return None
        wanted, before = name or spot.name, exchange.response.headers
        after = tuple((one, change(value) if one == wanted else value) for one, value in before)
        return None if after == before else _with_headers(exchange, after)

    return changed


def header_removed(exchange: Exchange, spot: Spot) -> Exchange | None:
    """Take the spot's header away."""
    if exchange.response is None:
        return None
    before = exchange.response.headers
    after = tuple((name, value) for name, value in before if name != spot.name)
    return None if after == before else _with_headers(exchange, after)


def header_added(exchange: Exchange, _spot: Spot) -> Exchange | None:
    """Add a header."""
    if exchange.response is None:
        return None
    return _with_headers(exchange, (*exchange.response.headers, (ADDED_HEADER, "1")))


def latin(content_type: str) -> str:
    """Return the content type with another charset than it says, or than it means."""
    media = content_type.partition(";")[0]
    charset = "utf-16" if "iso-8859-1" in content_type.lower() else "iso-8859-1"
    return f"{media}; charset={charset}"


def slower(after: Callable[[int], int]) -> Change:
    """Return the change of the latency (microseconds)."""

    def change(exchange: Exchange, _spot: Spot) -> Exchange | None:
        if exchange.latency_us is None:
            return None
        return replace(exchange, latency_us=after(exchange.latency_us))

    return change


def _with_headers(exchange: Exchange, headers: Headers) -> Exchange | None:
    return (
        None if exchange.response is None else replace(exchange, response=replace(exchange.response, headers=headers))
    )


def _with_body(exchange: Exchange, body: bytes) -> Exchange | None:
    response = exchange.response
    if response is None:
        return None
    headers = tuple((name, str(len(body)) if name == "content-length" else value) for name, value in response.headers)
    return replace(exchange, response=replace(response, headers=headers, body=body, body_size=len(body)))
