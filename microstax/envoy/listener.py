"""Listeners and their HTTP connection managers: as transparent as Envoy can be made."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLogFilter, NotHealthCheckFilter, ResponseFlagFilter
from envoy_data_plane.envoy.config.core.v3 import Address as EnvoyAddress
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ApiVersion,
    ConfigSource,
    Http1ProtocolOptions,
    Http1ProtocolOptionsHeaderKeyFormat,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.core.v3 import HttpProtocolOptions as CommonOptions
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener, ListenerInternalListenerConfig
from envoy_data_plane.envoy.extensions.common.tap.v3 import AdminConfig, CommonExtensionConfig
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.http.tap.v3 import Tap
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerCodecType,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpConnectionManagerServerHeaderTransformation,
    HttpFilter,
    LocalReplyConfig,
    Rds,
    ResponseMapper,
)
from envoy_data_plane.envoy.extensions.http.header_formatters.preserve_case.v3 import PreserveCaseFormatterConfig

from microstax.envoy import mutation, names
from microstax.envoy.resources import LISTENER_TYPE, ROUTES_TYPE, BuiltResource, packed

NEVER: Final = timedelta(0)
"""No timeout, in Envoy's words."""

ADS: Final = ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3, initial_fetch_timeout=NEVER)
"""From the control plane; wait for it, rather than answer 404 without routes."""

MAX_HEADERS_KB: Final = 96
MAX_HEADERS: Final = 1000
COPY_HEADERS_KB: Final = 2 * MAX_HEADERS_KB  # what the tee lets in passes the internal hop too, with our headers on it


def http1_options(*, default_host: str = "") -> Http1ProtocolOptions:
    """Keep header names' letters and the reason phrase, pass trailers, and accept HTTP/1.0 with a default host."""
    keep = TypedExtensionConfig(
        name="preserve_case", typed_config=packed(PreserveCaseFormatterConfig(forward_reason_phrase=True))
    )
    return Http1ProtocolOptions(
        header_key_format=Http1ProtocolOptionsHeaderKeyFormat(stateful_formatter=keep),
        enable_trailers=True,
        accept_http_10=bool(default_host),
        default_host_for_http_10=default_host,
    )


def routed(name: str) -> Rds:
    """Take the route table from the control plane."""
    return Rds(config_source=ADS, route_config_name=name)


def router() -> HttpFilter:
    """Return the last filter.

    Counters by status code would be looked up by name for every answer (3% of a mirrored request's CPU); we read none.
    """
    config = Router(suppress_envoy_headers=True, dynamic_stats=False)
    return HttpFilter(name="envoy.filters.http.router", typed_config=packed(config))


def tap(*, disabled: bool, connection: bool) -> HttpFilter:
    """Return the tap; a `disabled` one is enabled by routes that mirror, `connection` records the client's address."""
    common = CommonExtensionConfig(admin_config=AdminConfig(config_id=names.TAP_CONFIG_ID))
    config = Tap(common_config=common, record_headers_received_time=True, record_downstream_connection=connection)
    return HttpFilter(name=names.TAP_FILTER, typed_config=packed(config), disabled=disabled)


def transparent(name: str, filters: Sequence[HttpFilter]) -> HttpConnectionManager:
    """Return a connection manager that adds, takes and rewrites as little as Envoy allows, and times nothing out."""
    return HttpConnectionManager(
        codec_type=HttpConnectionManagerCodecType.AUTO,
        stat_prefix=name,
        rds=routed(name),
        http_filters=[*filters, router()],
        common_http_protocol_options=CommonOptions(max_headers_count=MAX_HEADERS),
        http_protocol_options=http1_options(default_host="localhost"),
        server_header_transformation=HttpConnectionManagerServerHeaderTransformation.PASS_THROUGH,
        max_request_headers_kb=MAX_HEADERS_KB,
        stream_idle_timeout=NEVER,
        use_remote_address=False,
        skip_xff_append=True,
        generate_request_id=False,
        preserve_external_request_id=True,
        proxy_100_continue=True,
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action=HttpConnectionManagerPathWithEscapedSlashesAction.KEEP_UNCHANGED,
        early_header_mutation_extensions=[early_mutation()],
    )


def early_mutation() -> TypedExtensionConfig:
    """Return what runs before Envoy touches the headers."""
    return TypedExtensionConfig(name=names.EARLY_EXTENSION, typed_config=packed(mutation.early()))


def marking() -> LocalReplyConfig:
    """Say on an answer of Envoy's own why it is one (LOCAL_HEADER): its flags, or where it has none its details."""
    flagged = AccessLogFilter(response_flag_filter=ResponseFlagFilter())
    anything = AccessLogFilter(not_health_check_filter=NotHealthCheckFilter())
    return LocalReplyConfig(
        mappers=[_marked(flagged, "%RESPONSE_FLAGS%"), _marked(anything, "%RESPONSE_CODE_DETAILS%")]
    )


def _marked(condition: AccessLogFilter, text: str) -> ResponseMapper:
    return ResponseMapper(filter=condition, headers_to_add=[mutation.value(names.LOCAL_HEADER, text)])


def listener(
    name: str,
    manager: HttpConnectionManager,
    *,
    address: EnvoyAddress | None = None,
    buffer: int | None = None,
) -> BuiltResource:
    """Build a listener; without an address, an internal one."""
    chain = FilterChain(
        filters=[Filter(name="envoy.filters.network.http_connection_manager", typed_config=packed(manager))]
    )
    message = Listener(
        name=name,
        stat_prefix=name,
        address=address,
        internal_listener=None if address else ListenerInternalListenerConfig(),
        per_connection_buffer_limit_bytes=buffer,
        filter_chains=[chain],
    )
    needs = frozenset({(ROUTES_TYPE, name)})
    return BuiltResource(type_url=LISTENER_TYPE, name=name, body=bytes(message), references=needs)
