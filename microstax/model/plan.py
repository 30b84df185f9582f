"""What an Envoy is to do, before it is said in Envoy's words: the control plane makes a plan, the builders read it.

A plan is immutable and complete. Equal plans give equal resources, byte by byte.
"""

from dataclasses import dataclass

from microstax.model.environment import PREVIEW_HEADER, Address
from microstax.model.exchange import Side
from microstax.model.overlay import DEFAULT_MAX_CONCURRENT, DEFAULT_MAX_RPS
from microstax.model.shadow import DEFAULT_BRANCH_TIMEOUT_MS, DEFAULT_MAX_BODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """One destination of copies of a service's requests.

    `side` is BRANCH or CONTROL; `ppm` is the share of matching requests in parts per million, now; `methods` are the
    ones mirrored. A request with a body is mirrored only when its content-length is at most `max_body_bytes`. The
    copies lack `strip_headers`, names in lower case.
    """

    overlay: str
    side: Side
    address: Address
    ppm: int
    methods: tuple[str, ...]
    max_body_bytes: int = DEFAULT_MAX_BODY
    timeout_ms: int = DEFAULT_BRANCH_TIMEOUT_MS
    strip_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Requests that name `overlay` in the environment header go to `address` instead of the baseline, unmirrored."""

    overlay: str
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class TeeService:
    """One baseline service behind a tee: listens on `listen`, forwards to `upstream`; of `tcp` nothing is mirrored."""

    name: str
    listen: Address
    upstream: Address
    mirrors: tuple[Mirror, ...] = ()
    previews: tuple[Preview, ...] = ()
    tcp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TeePlan:
    """Everything one tee does. `environment_header` is the name of the preview header, lower case.

    At `mirrors_until_ms` (Unix milliseconds; 0: never) Envoy itself ends all mirroring, if it has not been given
    another plan until then.
    """

    node_id: str
    environment: str
    services: tuple[TeeService, ...]
    environment_header: str = PREVIEW_HEADER
    mirrors_until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeService:
    """One baseline service as an overlay sees it: safe methods and `allowed_methods` pass, the rest gets 403.

    A safe request with a body passes only with `bodies`. Of a `tcp` service connections pass only with `tcp_allowed`.
    At most `max_concurrent` calls (of TCP: connections) are under way, and `max_rps` new ones pass in a second.
    """

    name: str
    listen: Address
    upstream: Address
    allowed_methods: tuple[str, ...] = ()
    bodies: bool = False
    tcp: bool = False
    tcp_allowed: bool = False
    max_concurrent: int = DEFAULT_MAX_CONCURRENT
    max_rps: int = DEFAULT_MAX_RPS


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgePlan:
    """Everything one bridge does."""

    node_id: str
    overlay: str
    baseline: str
    services: tuple[BridgeService, ...]


EnvoyPlan = TeePlan | BridgePlan
