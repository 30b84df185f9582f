"""What an Envoy counted: which of its statistics to read, and what they mean.

Counters are absolute since Envoy started, or since the resource that they belong to appeared; `increase` tells what was
added between two readings, also over a restart.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from microstax.model.exchange import Side

_FILTER: Final = (
    r"^(server\.uptime"
    r"|cluster\.copy/.*\.upstream_rq_(total|pending_overflow|active)"
    r"|cluster\.branch/.*\.(upstream_rq_(total|pending_overflow|timeout|rx_reset)|upstream_rq_pending_failure_eject)"
    r"|vhost\.tee/.*\.route\.skipped/.*\.upstream_rq_total"
    r"|cluster\.bridge/.*\.upstream_rq_(total|pending_overflow|active)"
    r"|http\.bridge/.*\.rbac\.policy\..*\.denied"
    r"|http\.bridge/.*\.downstream_rq_ws_on_non_ws_route)$"
)
STATS_PATH: Final = "/stats?" + urlencode({"format": "json", "usedonly": "", "filter": _FILTER})
"""The admin path to GET; `read_counters` takes the JSON that it answers."""

_COPY: Final = re.compile(r"cluster\.copy/([^/]+)/([^/]+)/([^/.]+)\.(\w+)")
_BRANCH: Final = re.compile(r"cluster\.branch/([^/]+)/([^/]+)/([^/]+)/h[12]\.(\w+)")
_SKIPPED: Final = re.compile(r"vhost\.tee/([^/.]+)\.route\.skipped/(method/)?([^.]+)\.upstream_rq_total")
_PASSED: Final = re.compile(r"cluster\.bridge/([^/.]+)\.(\w+)")
_BLOCKED: Final = re.compile(r"http\.bridge/([^/.]+)\.rbac\.policy\.([^.]+)\.denied")
_UPGRADES: Final = re.compile(r"http\.bridge/([^/.]+)\.downstream_rq_ws_on_non_ws_route")
_EMPTY: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MirrorKey:
    """One destination of copies."""

    service: str
    overlay: str
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorCounters:
    """What became of one mirror's copies. `active` is a gauge: copies under way now.

    `mirrored` copies were handed on; of these, `overflow` were refused since MAX_COPIES were under way, `timeouts` got no
    answer in time, `connect_failures` found nobody. `dropped` were refused before they became copies: no branch
    exchange is captured for them, for the others one is, marked with its reason.
    """

    mirrored: int = 0
    dropped: int = 0
    overflow: int = 0
    timeouts: int = 0
    connect_failures: int = 0
    resets: int = 0
    active: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedCounters:
    """A service's requests that no mirror took, while there were mirrors: by method, body size, upgrade, sampling."""

    methods: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    size: int = 0
    upgrade: int = 0
    sampling: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeCounters:
    """A branch's calls of one baseline service. `blocked` is by method (and `upgrade`); `overflow` is above the limit."""

    passed: int = 0
    overflow: int = 0
    blocked: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    active: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """One reading of one Envoy. `uptime_s` tells a restart: it is smaller than in the reading before."""

    uptime_s: int
    mirrors: Mapping[MirrorKey, MirrorCounters]
    skipped: Mapping[str, SkippedCounters]
    bridges: Mapping[str, BridgeCounters]
