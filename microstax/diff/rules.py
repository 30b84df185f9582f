"""What is compared and what is not, and the limits that keep a hostile body from costing more than its size."""

from dataclasses import dataclass
from typing import Final

VOLATILE_HEADERS: Final = frozenset(
    {
        # Facts about this one answer, this one connection or this one server, by their definition.
        "date", "age", "server", "via", "connection", "keep-alive", "transfer-encoding", "trailer", "x-powered-by",
        "x-served-by", "x-backend-server", "x-runtime", "x-response-time", "server-timing", "x-cache", "x-cache-hits",
        "x-timer", "x-varnish", "alt-svc", "nel", "report-to",
        # Identifiers of one request.
        "x-request-id", "request-id", "x-correlation-id", "correlation-id", "x-trace-id", "traceparent", "tracestate",
        "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-amzn-trace-id", "x-amzn-requestid",
        "x-cloud-trace-context", "cf-ray", "x-microstax-exchange",
        # The body is compared itself.
        "content-length", "content-md5", "digest", "content-digest", "repr-digest",
        # Compared as the status of the call.
        "grpc-status",
    }
)  # fmt: skip
VOLATILE_PREFIXES: Final = ("x-envoy-", ":")
PRESENCE_HEADERS: Final = frozenset(
    {
        # Made from the body, a clock or a counter: that they are there is behaviour, what they say is not.
        "etag", "last-modified", "expires", "retry-after", "x-ratelimit-remaining", "x-ratelimit-reset",
        "ratelimit", "ratelimit-remaining", "ratelimit-reset",
    }
)  # fmt: skip
LIST_HEADERS: Final = frozenset(
    {
        "vary", "allow", "cache-control", "accept-ranges", "content-language", "access-control-allow-methods",
        "access-control-allow-headers", "access-control-expose-headers", "link",
    }
)  # fmt: skip
CONTEXT_HEADERS: Final = frozenset({"accept", "accept-language", "content-type", "range", "x-http-method-override"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How two answers are compared. Sizes in bytes, times in microseconds.

    `volatile_headers` (and `volatile_prefixes`) are not compared; of `presence_headers` only whether they are there;
    `list_headers` as a set of items. `context_headers` make two requests different inputs. A spike is a branch's
    latency of at least `spike_ratio` times the reference's and `spike_floor_us` more. Latencies of the first
    `cold_pairs` pairs of an endpoint that a worker sees after a shadow began are kept apart. A JSON body above
    `max_json_bytes`, or of more than `max_json_values`, is compared by size and hash, below `max_depth` levels as a
    whole, and so are the arrays for which `max_effort` (about microseconds for a pair of bodies) does not suffice; a
    pair yields at most `max_differences`.
    """

    volatile_headers: frozenset[str] = VOLATILE_HEADERS
    volatile_prefixes: tuple[str, ...] = VOLATILE_PREFIXES
    presence_headers: frozenset[str] = PRESENCE_HEADERS
    list_headers: frozenset[str] = LIST_HEADERS
    context_headers: frozenset[str] = CONTEXT_HEADERS
    spike_ratio: float = 3.0
    spike_floor_us: int = 50_000
    cold_pairs: int = 20
    max_json_bytes: int = 8 * 1024 * 1024
    max_json_values: int = 100_000
    max_depth: int = 64
    max_effort: int = 60_000
    max_differences: int = 200


DEFAULT_RULES: Final = Rules()
