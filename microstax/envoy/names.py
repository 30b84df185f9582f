"""Every name that Envoy gets from us, made by one function or constant each.

A cluster's, virtual host's or route's name is also part of the names of its statistics, which microstax.envoy.stats
reads back: change both together. Services and overlays are DNS labels (microstax.model.names), so neither `.` nor `/`
stands in one, and `/` can part what we join.
"""

from collections.abc import Iterable
from typing import Final

from microstax.model.exchange import Side

COPY_HEADER: Final = "x-microstax-copy"
"""Response header of a copy as the tap sees it: `<service>;<side>;<overlay>;<id>;<client>;<from>;<until>`.

`id` is shared by the copies of one request. The baseline's own trace carries no header of ours: it is the one from the
connection of `client` (address:port) whose request's headers were received at or after `from` and at or before `until`
(nanoseconds since the epoch, Envoy's clock). See microstax.envoy.mutation.
"""

EXCHANGE_HEADER: Final = "x-microstax-exchange"
"""Request header inside the tee: `<id>;<client>;<from>`."""

UNTIL_HEADER: Final = "x-microstax-until"
"""Request header inside the tee: the end of the window in which the baseline's tap saw the request."""

SIDE_HEADER: Final = "x-microstax-side"
"""Request header inside the tee: `<service>;<side>;<overlay>`, which tells the copies of one request apart."""

LOCAL_HEADER: Final = "x-microstax-local"
"""Response header as the tap sees it: Envoy's response flags, where Envoy answered in place of the side."""

PROTOCOL_HEADER: Final = "x-microstax-protocol"
"""Request header between the tee's listener and its copies: the client's protocol, `HTTP/1.1` or `HTTP/2`."""

CHUNKED_HEADER: Final = "x-microstax-chunked"
"""Request header inside the tee: the client's transfer-encoding, which Envoy takes away before it looks for a route."""

PROTO_HEADER: Final = "x-microstax-proto"
"""Request header inside the tee: the client's x-forwarded-proto, since Envoy sets one where there is none."""

FORWARDED_HEADER: Final = "x-microstax-forwarded"
"""Request header inside the tee: the client's x-forwarded-for, since Envoy's mirroring appends its own address."""

PREFIX: Final = "x-microstax-"
"""What all our headers begin with; none of them leaves the tee."""

TAP_CONFIG_ID: Final = "microstax"
"""The admin tap's id that all tap filters share (one client at a time has the whole of it)."""

RUNTIME_LAYER: Final = "microstax"
"""The runtime layer that RTDS serves; also the name of the Runtime resource."""

ADS_CLUSTER: Final = "microstax_ads"
"""The one static cluster: the control plane."""

EXCHANGE_FILTER: Final = "microstax.exchange"
UNTIL_FILTER: Final = "microstax.until"
COPY_FILTER: Final = "microstax.copy"
KEEP_FILTER: Final = "microstax.keep"
COPY_STATE: Final = "microstax.copy"
STRIP_FILTER: Final = "microstax.strip"
SIDE_FILTER: Final = "microstax.side"
TAP_FILTER: Final = "microstax.tap"
BUFFER_FILTER: Final = "microstax.buffer"
RBAC_FILTER: Final = "microstax.rbac"
BODY_FILTER: Final = "microstax.body"
RATE_FILTER: Final = "microstax.rate"
EARLY_EXTENSION: Final = "microstax.early"

UPGRADE: Final = "upgrade"
"""How a counter names requests that ask for an upgrade of the connection."""

SIZE: Final = "size"
"""How a counter names requests whose body is too large or of unknown size."""

SAMPLING: Final = "sampling"
"""How a counter names requests that were left out by the sampling fraction."""

PREVIEW: Final = "preview"
"""How a counter names requests that were led into an overlay instead of the baseline."""

OVERRIDE: Final = "override"
"""How a counter names requests that ask for another method than their own, by a header or a parameter."""

BODY: Final = "body"
"""How a counter names safe requests with a body."""

TCP: Final = "tcp"
"""How a counter names connections to a TCP service."""

OTHER: Final = "other"
"""How a counter names every method without a counter of its own."""

H1: Final = "h1"
H2: Final = "h2"


def tee_listener(service: str) -> str:
    """Name the listener that users of a service call; also its route table, virtual host and statistics prefix."""
    return f"tee/{service}"


def copies_listener(service: str) -> str:
    """Name the internal listener of a service's copies; also its route table, virtual host and statistics prefix."""
    return f"copies/{service}"


def bridge_listener(service: str) -> str:
    """Name a bridge's listener for one service; also its route table, virtual host and statistics prefix."""
    return f"bridge/{service}"


def baseline_cluster(service: str) -> str:
    """Name the cluster of a service's own processes."""
    return f"baseline/{service}"


def copy_cluster(service: str, side: Side, overlay: str) -> str:
    """Name the cluster that a mirror policy names: its endpoint is the service's internal listener."""
    return f"copy/{service}/{side}/{overlay}"


def branch_cluster(service: str, side: Side, overlay: str, *, protocol: str) -> str:
    """Name the cluster of a mirror's destination; `protocol` is H1 or H2."""
    return f"branch/{service}/{side}/{overlay}/{protocol}"


def preview_cluster(service: str, overlay: str) -> str:
    """Name the cluster that previews of an overlay go to."""
    return f"preview/{service}/{overlay}"


def bridge_cluster(service: str) -> str:
    """Name the cluster of a baseline service as a bridge reaches it."""
    return f"bridge/{service}"


def bridge_tcp_cluster(service: str) -> str:
    """Name the cluster of a baseline's TCP service as a bridge reaches it."""
    return f"bridge/{service}/tcp"


def passed(method: str) -> str:
    """Name the counter of a bridge's requests that went on to the baseline (a method, or OTHER)."""
    return f"passed/{method}"


def calls_log(service: str) -> str:
    """Name the log of a service's calls that a bridge refused."""
    return f"bridge/{service}"


def logged_service(log_name: str) -> str:
    """Return the service of a log that `calls_log` named; empty for any other."""
    return log_name.removeprefix("bridge/") if log_name.startswith("bridge/") else ""


def refused(service: str) -> str:
    """Name the counters of connections to a TCP service that a bridge refuses."""
    return f"bridge/{service}/refused"


def fraction_key(service: str, side: Side, overlay: str) -> str:
    """Name the runtime key that holds a mirror's share of the matching requests."""
    return f"microstax.mirror.{service}.{side}.{overlay}"


def mirrored(overlays: Iterable[str]) -> str:
    """Name the counter of requests that were to be copied into these overlays and no others."""
    return f"mirrored/{'+'.join(sorted(overlays))}"


def skipped(reason: str) -> str:
    """Name the counter of requests that no mirror took for `reason` (UPGRADE, SIZE, SAMPLING or PREVIEW)."""
    return f"skipped/{reason}"


def skipped_method(method: str) -> str:
    """Name the counter of requests that no mirror took because of their method (a method, or OTHER)."""
    return f"skipped/method/{method}"


def side_value(service: str, side: Side, overlay: str) -> str:
    """Return the value of SIDE_HEADER."""
    return f"{service};{side};{overlay}"
