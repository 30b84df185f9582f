"""How an Envoy starts: where its control plane and its admin socket are, and how to call the binary."""

import json
from typing import Any, Final

from microstax.envoy import names
from microstax.errors import UsageError
from microstax.model.environment import Address
from microstax.model.plan import BridgePlan, EnvoyPlan, TeePlan

Place = Address | str
"""A TCP address, or the absolute path of a unix socket."""

HEAP_LIMIT: Final = 1024 * 1024 * 1024
"""Bytes of heap near which Envoy gives memory back to the system. It never refuses a request for it."""

CONCURRENCY: Final = {TeePlan: 2, BridgePlan: 1}
"""Worker threads by the plan's type: production's way has two, a branch's calls one."""

MAX_SOCKET_PATH: Final = 107
"""Bytes in the path of a unix socket (sockaddr_un on Linux, without the closing zero)."""

_TYPE: Final = "type.googleapis.com/"
_OWNER_ONLY: Final = 0o600
_FEATURES: Final = ("xds.config.supports-resource-ttl", "xds.config.supports-resource-in-sotw")
"""What Envoy has to be told to say of itself: that a share may have an end, in either form of the protocol."""
_BACK_OFF: Final = {"base_interval": "0.1s", "max_interval": "1s"}


def bootstrap(
    *, node_id: str, cluster: str, ads: Place, admin: Place, delta: bool = True, heap_limit: int = HEAP_LIMIT
) -> str:
    """Return a bootstrap (JSON, which Envoy also reads as YAML) for one node.

    `cluster` is the node's group (the environment's or the overlay's name). `ads` is where the control plane listens,
    `admin` where Envoy's admin interface shall: a unix socket gets mode 0600, since that interface shows bodies and can
    stop Envoy. `delta` picks incremental xDS, else state of the world. Raises UsageError for a socket path that is
    too long.
    """
    config = {
        "node": {"id": node_id, "cluster": cluster, "client_features": list(_FEATURES)},
        "admin": {"address": _address(admin, mode=_OWNER_ONLY)},
        "dynamic_resources": {
            "ads_config": _ads(delta=delta),
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {"clusters": [_control_plane(ads)]},
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {"@type": f"{_TYPE}envoy.extensions.bootstrap.internal_listener.v3.InternalListener"},
            }
        ],
        "layered_runtime": {"layers": _layers()},
        "overload_manager": _overload(heap_limit),
        # Our statistics have their meaning in their names; extracting tags would cost a regular expression per name.
        "stats_config": {"use_all_default_tags": False},
        # Nothing is pushed anywhere: bring the counters up to date when they are read.
        "stats_flush_on_admin": True,
    }
    return json.dumps(config, indent=2, sort_keys=True)


def _address(place: Place, *, mode: int | None = None) -> dict[str, Any]:
    if isinstance(place, Address):
        return {"socket_address": {"address": place.host, "port_value": place.port}}
    if len(place.encode()) > MAX_SOCKET_PATH:
        raise UsageError(
            f"The socket path {place} is longer than {MAX_SOCKET_PATH} bytes, the most that Linux allows; "
            "choose a state folder with a shorter path."
        )
    return {"pipe": {"path": place} if mode is None else {"path": place, "mode": mode}}


def _ads(*, delta: bool) -> dict[str, Any]:
    return {
        "api_type": "DELTA_GRPC" if delta else "GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [
            {"envoy_grpc": {"cluster_name": names.ADS_CLUSTER, "retry_policy": {"retry_back_off": _BACK_OFF}}}
        ],
    }


def _control_plane(ads: Place) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(ads)}}
    keepalive = {"connection_keepalive": {"interval": "10s", "timeout": "5s"}}
    return {
        "name": names.ADS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": names.ADS_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": keepalive},
            }
        },
    }


def _layers() -> list[dict[str, Any]]:
    """Return our shares, and above them what an operator sets by the admin interface."""
    source = {"ads": {}, "resource_api_version": "V3"}
    return [
        {"name": names.RUNTIME_LAYER, "rtds_layer": {"name": names.RUNTIME_LAYER, "rtds_config": source}},
        {"name": "admin", "admin_layer": {}},
    ]


def _overload(heap_limit: int) -> dict[str, Any]:
    """Give memory back under pressure; refuse nothing, for production's requests are not ours to refuse."""
    monitor = "envoy.resource_monitors.fixed_heap"
    return {
        "refresh_interval": "1s",
        "resource_monitors": [
            {
                "name": monitor,
                "typed_config": {
                    "@type": f"{_TYPE}envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": heap_limit,
                },
            }
        ],
        "actions": [
            {
                "name": "envoy.overload_actions.shrink_heap",
                "triggers": [{"name": monitor, "threshold": {"value": 0.9}}],
            }
        ],
    }


def arguments(
    binary: str, bootstrap_path: str, *, concurrency: int, drain_time_s: int = 5, log_level: str = "warning"
) -> tuple[str, ...]:
    """Return the command that runs Envoy in the foreground, logging to stderr one line an event.

    `concurrency` is the number of worker threads (CONCURRENCY by role). Hot restart is off: it needs shared memory that
    two Envoys of one machine would fight for, and we never use it. `drain_time_s` bounds how long connections may
    linger on a listener that was removed or changed.
    """
    return (
        binary,
        *("--config-path", bootstrap_path),
        *("--concurrency", str(concurrency)),
        "--disable-hot-restart",
        *("--drain-time-s", str(drain_time_s)),
        *("--drain-strategy", "immediate"),
        *("--log-level", log_level),
        *("--log-format", "%Y-%m-%dT%T.%e%z %l %n: %v"),
    )


def concurrency_of(plan: EnvoyPlan) -> int:
    """Return how many worker threads an Envoy with this plan gets."""
    return CONCURRENCY[type(plan)]
