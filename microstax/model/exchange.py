"""Captured traffic: an exchange is one request with its response, seen on one side."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Side(StrEnum):
    """Whose answer an exchange holds."""

    BASELINE = "baseline"
    BRANCH = "branch"
    CONTROL = "control"


Headers = tuple[tuple[str, str], ...]
"""Header names in lower case with their values, in the order of the wire; a name may stand more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The request as the side received it, pseudo-headers taken out of `headers`. `path` includes the query.

    `body`, `truncated` and `encoded` are as in Response.
    """

    method: str
    path: str
    authority: str
    headers: Headers
    body: bytes = b""
    truncated: bool = False
    encoded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer. `body` is decoded (no content-encoding left), at most the body limit; `trailers` as `headers`.

    `local_reason` is set where Envoy answered in place of the side, with Envoy's response flags
    (`UT` timeout, `UO` overflow, `UF` connect failure, `UC` reset, ...): then status and body are not the side's.
    `body_size` is the body's size in bytes as it was captured, before decoding. `encoded` is set where the body could
    not be decoded (an unknown content-encoding, or bytes that are not in it) and stands as it was on the wire.
    """

    status: int
    headers: Headers
    body: bytes = b""
    truncated: bool = False
    trailers: Headers = ()
    local_reason: str | None = None
    body_size: int | None = None
    encoded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One captured request and response. Times are Unix microseconds on one Envoy's clock; latency is their difference.

    `latency_us` runs from the request's headers to the response's headers (first byte), None where either is unknown.
    """

    id: str
    side: Side
    service: str
    overlay: str | None
    request: Request
    response: Response | None
    started_us: int | None = None
    latency_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Triple:
    """The exchanges of one request, joined by exchange id; `control` is None where no control was captured."""

    id: str
    service: str
    overlay: str
    baseline: Exchange
    branch: Exchange
    control: Exchange | None = None


class NotCompared(StrEnum):
    """Why a mirrored request did not become a compared pair (ARCHITECTURE, "Capture")."""

    BRANCH_TIMEOUT = "branch_timeout"
    BRANCH_OVERFLOW = "branch_overflow"
    BRANCH_ERROR = "branch_error"
    CAPTURE_GAP = "capture_gap"
    TRUNCATED = "truncated"
    UNDECODABLE = "undecodable"
    PENDING = "pending"


class Gap(StrEnum):
    """What is missing of a mirrored request that is a `capture_gap`."""

    UNSEEN = "unseen"
    """No trace of it came at all: it ended between two polls, or the worker that had it was killed."""
    COPY_MISSING = "copy_missing"
    BASELINE_MISSING = "baseline_missing"
    UNANSWERED = "unanswered"
    """The client hung up, or the baseline broke off, before there was an answer to compare with."""
    MISMATCHED = "mismatched"
    """The halves that were found for each other are two different requests, which must not happen."""


READ: Final = "read"
"""How a worker counts all traces that came to it, beside the strays among them."""


class Stray(StrEnum):
    """Traces that an account has no place for. They may belong to requests that are in it for another reason."""

    UNDECODABLE = "undecodable"
    UNMATCHED = "unmatched"
    """A baseline of a service of which nothing is known yet, and no copy of it came."""
    UNEXPLAINED = "unexplained"
    """A baseline without a copy where several overlays might have had one, counted for each of them."""
    LATE = "late"
    """What it belongs to had been told already."""
    REPEATED = "repeated"
