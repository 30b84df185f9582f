"""Turn a tap trace into a redacted Exchange. No I/O, and no exception: what cannot be used comes back as Unusable.

Pseudo-headers and our own headers are taken out, so that what is left is what the side itself received and answered.
"""

from typing import Any, Final

from google.protobuf.message import DecodeError

from microstax.capture.asked import RawAnswer
from microstax.capture.content_encoding import Decoded, decode
from microstax.capture.header_fields import CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderReader
from microstax.capture.redactor import Redactor
from microstax.capture.tap_trace import Trace, Unusable
from microstax.model.exchange import Exchange, Request, Response
from microstax.model.flags import NO_FLAGS

LOCAL_HEADER: Final = "x-microstax-local"
_NO_BODY_STATUSES: Final = frozenset({204, 304})
_STATUSES: Final = {str(status): status for status in range(100, 600)}
_LAST_SECOND: Final = 1 << 40


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

    def read_answer(self, answer: RawAnswer, method: str) -> Response | None:
        """Return an answer to a request of `method` that did not come through Envoy; None where it cannot be used."""
        message = answer.as_traced()
        try:
            return self._response(message, message.headers[:], method)
        except (DecodeError, _RefusedError):
            return None

    def _request(self, message: Any) -> Request:
        noted, headers = self._headers.read(message.headers[:])
        raw, cut = _raw_body(message)
        body, truncated, encoded = self._body(raw, noted, cut=cut) if raw else (raw, cut, False)
        return Request(
            method=noted.get(":method", "GET"),
            path=noted.get(":path", "/"),
            authority=noted.get(":authority", ""),
            headers=headers,
            body=body,
            truncated=truncated,
            encoded=encoded,
        )

    def _response(self, message: Any, answer: list[bytes], method: str) -> Response:
        """Return the response; raises _RefusedError and DecodeError."""
        noted, headers = self._headers.read(answer)
        status = _STATUSES.get(noted.get(":status", ""))
        if status is None:
            raise _RefusedError("an answer whose status is no HTTP status")
        raw, cut = _raw_body(message)
        if not cut and CONTENT_LENGTH in noted:
            _check_whole(len(raw), noted[CONTENT_LENGTH], method, status)
        body, truncated, encoded = self._body(raw, noted, cut=cut) if raw else (raw, cut, False)
        local, trailers = noted.get(LOCAL_HEADER, ""), message.trailers
        return Response(
            status=status,
            headers=headers,
            body=body,
            truncated=truncated,
            trailers=self._headers.read(trailers)[1] if trailers else (),
            local_reason=None if local in NO_FLAGS else local,
            body_size=len(raw),
            encoded=encoded,
        )

    def _body(self, raw: bytes, noted: dict[str, str], *, cut: bool) -> tuple[bytes, bool, bool]:
        """Return a body without its encodings and without secrets, if it is truncated, and if it is still encoded."""
        body, truncated, encoded = raw, cut, False
        if encodings := noted.get(CONTENT_ENCODING):
            decoded = Decoded(raw, encoded=True) if cut else decode(raw, encodings)
            body, truncated, encoded = decoded.body, cut or decoded.truncated, decoded.encoded
        if self.redactor.has_body_rules:
            body, encoded = self.redactor.body_or_hash(body, noted.get(CONTENT_TYPE, ""), encoded=encoded)
        return body, truncated, encoded


def _raw_body(message: Any) -> tuple[bytes, bool]:
    """Return a body as it was captured, and if the tap cut it."""
    body = message.body
    return body.as_bytes or body.as_string, body.truncated


def _check_whole(size: int, length: str, method: str, status: int) -> None:
    """Refuse an answer that has fewer bytes than its content-length promises."""
    promised = int(length) if length.isascii() and length.isdigit() else 0
    if size < promised and method != "HEAD" and status not in _NO_BODY_STATUSES:
        raise _RefusedError(f"the answer broke off after {size} of {promised} bytes", cut_short=True)


def _micros(message: Any) -> int | None:
    """Return when the headers arrived, in Unix microseconds."""
    stamp = message.headers_received_time
    seconds = stamp.seconds
    return seconds * 1_000_000 + stamp.nanos // 1_000 if 0 < seconds < _LAST_SECOND else None
