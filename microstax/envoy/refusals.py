"""What a bridge refuses, each kind with a counter of its own, and what it answers then.

A call is refused for the first of these that is true: its method may change something; it is a safe one with a body;
its method is none that we count; it asks to be taken for another method; it asks for an upgrade.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    HeaderFilter,
    OrFilter,
    ResponseFlagFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import RuntimeUInt32, SubstitutionFormatString
from envoy_data_plane.envoy.config.rbac.v3 import Permission, PermissionSet, Policy, Principal, Rbac, RbacAction
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac as RbacFilter
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import RbacPerRoute
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    LocalReplyConfig,
    ResponseMapper,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher
from envoy_data_plane.google.protobuf import Struct

from microstax.envoy import names, routes
from microstax.envoy.matching import has, method_of
from microstax.model.overlay import SAFE_METHODS, BridgeLimits

OVERFLOWN: Final = "UO"
"""Envoy's response flag of calls over the limit of those under way."""
FORBIDDEN: Final = 403
TOO_MANY: Final = 429
_ANYBODY: Final = Principal(any=True)
_OVERRIDES: Final = ("x-http-method-override", "x-http-method", "x-method-override")
_PARAMETER: Final = "_method"
_SEPARATORS: Final = ("-", "_")  # CGI and its heirs (WSGI, PHP) read both as the same name


def override_headers() -> tuple[str, ...]:
    """Return the header names by which frameworks let a request be another method than it is, in every spelling."""
    return tuple(
        "".join(part + separator for part, separator in zip(parts, (*separators, ""), strict=True))
        for parts in (name.split("-") for name in _OVERRIDES)
        for separators in product(_SEPARATORS, repeat=len(parts) - 1)
    )


def body_rules() -> RbacPerRoute:
    """Deny safe requests whose body is known now that it was read: `Connection: content-length` hides it before that.

    Envoy takes away, first of all, the headers that a connection header names (RFC 9110, 7.6.1).
    """
    body = Policy(permissions=[_safe_with_a_body()], principals=[_ANYBODY])
    return _denying({names.BODY: body})


def _safe_with_a_body() -> Permission:
    return _all(Permission(header=method_of(SAFE_METHODS)), _any(*map(_header, _bodies())))


def _denying(policies: dict[str, Policy]) -> RbacPerRoute:
    return RbacPerRoute(
        rbac=RbacFilter(rules=Rbac(action=RbacAction.DENY, policies=policies), track_per_rule_stats=True)
    )


def rules(allowed: tuple[str, ...], *, bodies: bool) -> RbacPerRoute:
    """Deny what is not allowed. Envoy asks the policies in the order of their names and counts the first that fits."""
    policies = {
        name: Policy(permissions=[permission], principals=[_ANYBODY])
        for name, permission in sorted(_denied(allowed, bodies=bodies))
    }
    return _denying(policies)


def _denied(allowed: tuple[str, ...], *, bodies: bool) -> Iterator[tuple[str, Permission]]:
    passing = tuple(sorted({*SAFE_METHODS, *allowed}))
    for method in routes.COUNTED_METHODS:
        if method not in allowed:
            yield method, Permission(header=method_of((method,)))
    yield names.OTHER, _not(Permission(header=method_of(tuple(sorted({*passing, *routes.COUNTED_METHODS})))))
    yield names.UPGRADE, Permission(header=has("upgrade"))
    yield names.OVERRIDE, _any(*map(_header, _overrides()))
    if not bodies:
        yield names.BODY, _safe_with_a_body()


def _overrides() -> Iterator[HeaderMatcher]:
    """Match what asks to be taken for another method.

    Also where it names one that may pass: of a header that stands twice, Envoy's matchers look at each value alone or
    at all of them joined, which depends on its version, and nobody knows which one an application takes.
    """
    yield from map(has, override_headers())
    name = "".join(f"(?i:{letter}|%{ord(letter):02x}|%{ord(letter.upper()):02x})" for letter in _PARAMETER)
    parameter = RegexMatcher(regex=rf"[^?]*\?(?:.*[&;?])?{name}(?:=.*|&.*|\[.*)?")
    yield HeaderMatcher(name=":path", string_match=StringMatcher(safe_regex=parameter))


def _bodies() -> tuple[HeaderMatcher, ...]:
    """Match a body: a server that does not read it takes it for the next request on its connection."""
    some = RegexMatcher(regex=".*[1-9].*")
    said = HeaderMatcher(name="content-length", string_match=StringMatcher(safe_regex=some))
    chunked = HeaderMatcher(name=names.CHUNKED_HEADER, string_match=StringMatcher(safe_regex=RegexMatcher(regex=".+")))
    return said, chunked


def _header(matcher: HeaderMatcher) -> Permission:
    return Permission(header=matcher)


def _not(permission: Permission) -> Permission:
    return Permission(not_rule=permission)


def _any(*permissions: Permission) -> Permission:
    return Permission(or_rules=PermissionSet(rules=list(permissions)))


def _all(*permissions: Permission) -> Permission:
    return Permission(and_rules=PermissionSet(rules=list(permissions)))


def replies(service: str, *, overlay: str, baseline: str, limits: BridgeLimits) -> LocalReplyConfig:
    """Give Envoy's own answers a body for people; the baseline's own 403s, 429s and 503s pass as they are.

    Of calls that are too many a second Envoy says so in no response flag (1.40), so their status has to tell.
    """
    refused = f"The overlay {overlay} may not send %REQ(:METHOD)% to {service} of the baseline {baseline}"
    write = "To let it pass, write into the overlay's patch.yaml: bridge: "
    method = f"{write}{{allow: [{{service: {service}, methods: [%REQ(:METHOD)%]}}]}}"
    over = f"The overlay {overlay} may have at most"
    return LocalReplyConfig(
        mappers=[
            _told(
                _status(TOO_MANY),
                service,
                f"{over} {limits.max_rps} calls a second to {service} of the baseline {baseline}.",
                f"To allow more, write into the overlay's patch.yaml: bridge: {{limits: [{{service: {service}, maxRps: "
                f"{2 * limits.max_rps}}}]}}",
            ),
            _told(
                _flagged(OVERFLOWN),
                service,
                f"{over} {limits.max_concurrent} calls to {service} of the baseline {baseline} under way.",
                f"To allow more, write into the overlay's patch.yaml: bridge: {{limits: [{{service: {service}, "
                f"maxConcurrent: {2 * limits.max_concurrent}}}]}}",
            ),
            _told(
                _refused_and(_asked(has("upgrade"))),
                service,
                f"{refused} and ask for an upgrade: what it sends then cannot be read.",
                "",
            ),
            _told(
                _refused_and(_asked_any(*_overrides())),
                service,
                f"{refused} and ask to be taken for another method: it could change what production sees.",
                method,
            ),
            _told(
                _refused_and(AccessLogFilter(and_filter=AndFilter(filters=_safe_with_body()))),
                service,
                f"{refused} with a body: a server that does not read it takes it for another request.",
                f"{write}{{allow: [{{service: {service}, bodies: true}}]}}",
            ),
            _told(_status(FORBIDDEN), service, f"{refused}: it could change what production sees.", method),
        ]
    )


def _safe_with_body() -> list[AccessLogFilter]:
    return [_asked(method_of(SAFE_METHODS)), _asked_any(*_bodies())]


def _told(condition: AccessLogFilter, service: str, error: str, allow: str) -> ResponseMapper:
    body = {"error": error, "service": service, "method": "%REQ(:METHOD)%", "allow": allow}
    told = SubstitutionFormatString(
        json_format=Struct.from_dict({key: text for key, text in body.items() if text}),
        content_type="application/json",
    )
    return ResponseMapper(filter=condition, body_format_override=told)


def _status(status: int) -> AccessLogFilter:
    value = RuntimeUInt32(default_value=status, runtime_key=f"microstax.bridge.status_{status}")
    return AccessLogFilter(
        status_code_filter=StatusCodeFilter(comparison=ComparisonFilter(op=ComparisonFilterOp.EQ, value=value))
    )


def _refused_and(condition: AccessLogFilter) -> AccessLogFilter:
    return AccessLogFilter(and_filter=AndFilter(filters=[_status(FORBIDDEN), condition]))


def _flagged(flag: str) -> AccessLogFilter:
    return AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=[flag]))


def _asked(matcher: HeaderMatcher) -> AccessLogFilter:
    return AccessLogFilter(header_filter=HeaderFilter(header=matcher))


def _asked_any(*matchers: HeaderMatcher) -> AccessLogFilter:
    return AccessLogFilter(or_filter=OrFilter(filters=[_asked(one) for one in matchers]))


def loggable() -> AccessLogFilter:
    """Match the answers that may be refusals of ours; what tells them for sure are the details beside them."""
    return AccessLogFilter(or_filter=OrFilter(filters=[_status(FORBIDDEN), _status(TOO_MANY), _flagged(OVERFLOWN)]))
