"""What a stream does and for how long it waits. Pure."""

from dataclasses import dataclass, field

from microstax.xds.ordering import Timing
from microstax.xds.type_urls import EXTENSION_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a stream does; all times in seconds.

    legacy_wildcard        an empty first request means "*"; False for gRPC clients, which never mean it
    no_legacy_wildcard     types for which it does not, whatever `legacy_wildcard` says
    silent_removals        types whose removals are not told in delta: Envoy cannot take them for ECDS (envoy#32823)
    first_request_s        a stream that has not said anything by then is closed
    write_s                a client that has not taken a response by then is closed
    max_age_s              a stream is ended when it is this old, after at least one response; None for never
    """

    timing: Timing = field(default_factory=Timing)
    legacy_wildcard: bool = True
    no_legacy_wildcard: frozenset[str] = frozenset()
    silent_removals: frozenset[str] = frozenset({EXTENSION_CONFIG})
    first_request_s: float = 10.0
    write_s: float = 60.0
    max_age_s: float | None = None
