"""Turn a tap trace into a redacted Exchange. No I/O, and no exception: what cannot be used comes back as Unusable.

Pseudo-headers and our own headers are taken out, so that what is left is what the side itself received and answered.
"""

from typing import Any, Final

from google.protobuf.message import DecodeError

from microstax.capture.content_encoding import Decoded, decode
from microstax.capture.header_fields import CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, Fields, HeaderReader
from microstax.capture.redactor import Redactor
from microstax.capture.tap_trace import Trace, Unusable
from microstax.model.exchange import Exchange, Request, Response

LOCAL_HEADER: Final = "x-microstax-local"
_NO_FLAGS: Final = frozenset({"", "-"})
_NO_BODY_STATUSES: Final = frozenset({204, 304})
_STATUSES: Final = range(100, 600)
_LAST_SECOND: Final = 1 << 40
_NOTHING: Final = Decoded(b"")


class _RefusedError(Exception):
    """An answer that cannot be used. `cut_short` is as in Unusable."""

    def __init__(self, problem: str, *, cut_short: bool = False) -> None:
        super().__init__(problem)
        self.cut_short = cut_short


class TraceReader:
    """Reads traces whose identity is known, by the rules of one `redactor`."""

    __slots__ = ("_headers", "redactor")

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self._headers = HeaderReader(redactor.header)

    def read(self, trace: Trace) -> Exchange | Unusable:
        """Return the exchange of a trace."""
        whose, message = trace.identity, trace.message
        if whose is None:
            return Unusable(problem="a trace of nobody", foreign=True)
        started, answered = _micros(message.request), _micros(message.response)
        try:
            request = self._request(message.request)
            response = self._response(message.response, trace.answer, request.method) if trace.answer else None
        except (DecodeError, _RefusedError) as error:
            refused = error if isinstance(error, _RefusedError) else None
            return Unusable(
                problem=str(refused or "not a tap trace"),
                id=whose.id,
                side=whose.side,
                service=whose.service,
                overlay=whose.overlay,
                cut_short=refused is not None and refused.cut_short,
                started_us=started,
            )
        return Exchange(
            id=whose.id,
            side=whose.side,
            service=whose.service,
            overlay=whose.overlay,
            request=request,
            response=response,
            started_us=started,
            latency_us=answered - started if started is not None and answered is not None else None,
        )

    def _request(self, message: Any) -> Request:
        noted, headers = self._headers.read(message.headers[:])
        body = message.body
        raw, cut = body.as_bytes or body.as_string, body.truncated
        decoded = self._decoded(raw, noted, cut=cut) if raw else _NOTHING
        return Request(
            method=noted.get(":method", "GET"),
            path=noted.get(":path", "/"),
            authority=noted.get(":authority", ""),
            headers=headers,
            body=decoded.body,
            truncated=cut or decoded.truncated,
            encoded=decoded.encoded,
        )

    def _response(self, message: Any, answer: list[bytes], method: str) -> Response:
        """Return the response; raises _RefusedError and DecodeError."""
        noted, headers = fields = self._headers.read(answer)
        status = _status(fields)
        body = message.body
        raw, cut = body.as_bytes or body.as_string, body.truncated
        if not cut:
            _check_whole(len(raw), fields, method, status)
        decoded = self._decoded(raw, noted, cut=cut) if raw else _NOTHING
        local = noted.get(LOCAL_HEADER, "")
        trailers = message.trailers
        return Response(
            status=status,
            headers=headers,
            body=decoded.body,
            truncated=cut or decoded.truncated,
            trailers=self._headers.read(trailers)[1] if trailers else (),
            local_reason=None if local in _NO_FLAGS else local,
            body_size=len(raw),
            encoded=decoded.encoded,
        )

    def _decoded(self, raw: bytes, noted: dict[str, str], *, cut: bool) -> Decoded:
        """Return a body without its encodings and without secrets."""
        encodings = noted.get(CONTENT_ENCODING)
        if not encodings:
            decoded = Decoded(raw)
        elif cut:
            decoded = Decoded(raw, encoded=True)
        else:
            decoded = decode(raw, encodings)
        if not self.redactor.has_body_rules:
            return decoded
        body = self.redactor.body(decoded.body, noted.get(CONTENT_TYPE, ""), encoded=decoded.encoded)
        return Decoded(body, encoded=decoded.encoded, truncated=decoded.truncated)


def _status(answer: Fields) -> int:
    text = answer[0].get(":status", "")
    if not (text.isascii() and text.isdigit() and int(text) in _STATUSES):
        raise _RefusedError("an answer whose status is no HTTP status")
    return int(text)


def _check_whole(size: int, answer: Fields, method: str, status: int) -> None:
    """Refuse an answer that has fewer bytes than its headers promise, where they promise any."""
    length = answer[0].get(CONTENT_LENGTH, "")
    promised = int(length) if length.isascii() and length.isdigit() else 0
    if size < promised and method != "HEAD" and status not in _NO_BODY_STATUSES:
        raise _RefusedError(f"the answer broke off after {size} of {promised} bytes", cut_short=True)


def _micros(message: Any) -> int | None:
    """Return when the headers arrived, in Unix microseconds."""
    stamp = message.headers_received_time
    seconds = stamp.seconds
    return seconds * 1_000_000 + stamp.nanos // 1_000 if 0 < seconds < _LAST_SECOND else None
