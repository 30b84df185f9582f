"""What an Envoy counted: which of its statistics to read, and what they mean.

Counters are absolute since Envoy started, or since the resource that they belong to appeared: after a shadow was
switched off and on its counters begin at 0 again, so a counter that is smaller than before has to be taken whole.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from microstax.envoy.bridge_stats import FILTER as BRIDGE_FILTER
from microstax.envoy.bridge_stats import BridgeCounters, read_bridges
from microstax.model.exchange import Side

_FILTER: Final = (
    r"^(server\.uptime"
    r"|cluster\.copy/.*\.upstream_rq_(total|pending_overflow|active_overflow|active)"
    r"|cluster\.branch/.*\.(upstream_rq_(pending_overflow|active_overflow|timeout|rx_reset)|upstream_rq_pending_failure_eject"
    r"|upstream_cx_destroy_with_active_rq)"
    r"|cluster\.baseline/.*\.upstream_rq_pending_failure_eject"
    r"|http\.tee/.*\.(downstream_rq_total|downstream_rq_rx_reset|tap\.rq_tapped)"
    r"|http\.copies/.*\.tap\.rq_tapped"
    r"|vhost\.tee/.*\.route\.(mirrored|skipped)/.*\.upstream_rq_total" + BRIDGE_FILTER + r")$"
)
STATS_PATH: Final = "/stats?" + urlencode({"format": "json", "usedonly": "", "filter": _FILTER})
"""The admin path to GET; `stats_text.parse_stats` reads what it answers, and `read_counters` what that means."""

_COPY: Final = re.compile(r"cluster\.copy/([^/]+)/(branch|control)/([^/.]+)\.(\w+)")
_BRANCH: Final = re.compile(r"cluster\.branch/([^/]+)/(branch|control)/([^/]+)/(?P<protocol>h[12])\.(\w+)")
_ROUTED: Final = re.compile(r"vhost\.tee/([^/.]+)\.route\.mirrored/([^/.]*)\.upstream_rq_total")
_ENTERED: Final = re.compile(r"http\.tee/([^/.]+)\.downstream_rq_total")
_GIVEN_UP: Final = re.compile(r"http\.tee/([^/.]+)\.downstream_rq_rx_reset")
_UNREACHED: Final = re.compile(r"cluster\.baseline/([^/.]+)\.upstream_rq_pending_failure_eject")
_TAPPED: Final = re.compile(r"http\.(?:tee|copies)/([^/.]+)\.tap\.rq_tapped")
_SKIPPED: Final = re.compile(
    r"vhost\.tee/([^/.]+)\.route\.skipped/(?:(method/)([^.]+)|(size|upgrade|sampling|preview))\.upstream_rq_total"
)
_EMPTY: Final[Mapping[str, int]] = MappingProxyType({})
_NONE_ROUTED: Final[Mapping[tuple[str, ...], int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MirrorKey:
    """One destination of copies."""

    service: str
    overlay: str
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorCounters:
    """What became of one mirror's copies. `active` is a gauge: copies under way now.

    `mirrored` copies were handed on; of these, `overflow` were refused since MAX_COPIES were under way, `timeouts` got
    no answer in time, `connect_failures` found nobody, `resets` were reset by the branch. `dropped` were refused before
    they became copies: no branch exchange is captured for them, for the others one is, marked with its reason.

    `h1_ended` connections of HTTP/1.1 ended under a copy: `h1_timeouts` of them since its time was over, the others
    because the branch closed them or spoke no HTTP. Of `h2_ended` ones of HTTP/2 nobody says how many copies each had.
    """

    mirrored: int = 0
    dropped: int = 0
    overflow: int = 0
    timeouts: int = 0
    connect_failures: int = 0
    resets: int = 0
    h1_timeouts: int = 0
    h1_ended: int = 0
    h2_ended: int = 0
    active: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TeeCounters:
    """A service's requests as its tee counted them.

    `entered` came in, also while nothing is mirrored. `routed` were to be copied, by the overlays that they were to be
    copied into (all of them, sorted). Of `unreached` the baseline took no connection: no route counts these, nor
    those of the `given_up` by their clients that had no route yet. `tapped` traces were made, of the baseline and of
    all copies.
    """

    entered: int = 0
    routed: Mapping[tuple[str, ...], int] = field(default_factory=lambda: _NONE_ROUTED)
    unreached: int = 0
    given_up: int = 0
    tapped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedCounters:
    """A service's requests that no mirror took, while there were mirrors: by method, body size, upgrade, sampling.

    `preview` requests went into an overlay in place of the baseline, because they asked for it.
    """

    methods: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    size: int = 0
    upgrade: int = 0
    sampling: int = 0
    preview: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """One reading of one Envoy.

    `uptime_s` tells a restart: it is smaller than in the reading before. It is as old as that reading, since Envoy
    brings it up to date after it has answered.
    """

    uptime_s: int
    mirrors: Mapping[MirrorKey, MirrorCounters]
    skipped: Mapping[str, SkippedCounters]
    bridges: Mapping[str, BridgeCounters]
    tees: Mapping[str, TeeCounters]


def read_counters(values: Mapping[str, int]) -> Counters:
    """Return what an Envoy's statistics (by name, of STATS_PATH) say. A counter that is not there is 0."""
    return Counters(
        uptime_s=values.get("server.uptime", 0),
        mirrors=_mirrors(values),
        skipped=_skipped(values),
        bridges=read_bridges(values),
        tees=_tees(values),
    )


_COPY_FIELDS: Final = {
    "upstream_rq_total": "mirrored",
    "upstream_rq_pending_overflow": "dropped",
    "upstream_rq_active_overflow": "dropped",
    "upstream_rq_active": "active",
}
_BRANCH_FIELDS: Final = {
    "upstream_rq_pending_overflow": "overflow",
    "upstream_rq_active_overflow": "overflow",
    "upstream_rq_timeout": "timeouts",
    "upstream_rq_pending_failure_eject": "connect_failures",
    "upstream_rq_rx_reset": "resets",
}
_BY_PROTOCOL: Final = {
    ("h1", "upstream_rq_timeout"): "h1_timeouts",
    ("h1", "upstream_cx_destroy_with_active_rq"): "h1_ended",
    ("h2", "upstream_cx_destroy_with_active_rq"): "h2_ended",
}


def _mirrors(values: Mapping[str, int]) -> Mapping[MirrorKey, MirrorCounters]:
    found: dict[MirrorKey, Counter[str]] = {}
    for name, value in values.items():
        if match := _COPY.fullmatch(name):
            meanings = [_COPY_FIELDS.get(match[4])]
        elif match := _BRANCH.fullmatch(name):
            meanings = [_BRANCH_FIELDS.get(match[5]), _BY_PROTOCOL.get((match["protocol"], match[5]))]
        else:
            continue
        known = {meaning: value for meaning in meanings if meaning is not None}
        if known:
            found.setdefault(MirrorKey(match[1], match[3], Side(match[2])), Counter()).update(known)
    return MappingProxyType({key: MirrorCounters(**counted) for key, counted in found.items()})


def _tees(values: Mapping[str, int]) -> Mapping[str, TeeCounters]:
    totals: dict[str, Counter[str]] = {}
    routed: dict[str, dict[tuple[str, ...], int]] = {}
    for name, value in values.items():
        if match := _ROUTED.fullmatch(name):
            routed.setdefault(match[1], {})[tuple(match[2].split("+"))] = value
        for pattern, meaning in (
            (_ENTERED, "entered"),
            (_GIVEN_UP, "given_up"),
            (_UNREACHED, "unreached"),
            (_TAPPED, "tapped"),
        ):
            if match := pattern.fullmatch(name):
                totals.setdefault(match[1], Counter())[meaning] += value
    return MappingProxyType(
        {
            service: TeeCounters(**totals.get(service, Counter()), routed=MappingProxyType(routed.get(service, {})))
            for service in sorted(totals.keys() | routed.keys())
        }
    )


def _skipped(values: Mapping[str, int]) -> Mapping[str, SkippedCounters]:
    methods: dict[str, dict[str, int]] = {}
    reasons: dict[str, dict[str, int]] = {}
    for name, value in values.items():
        match = _SKIPPED.fullmatch(name)
        if match:
            into = methods if match[2] else reasons
            into.setdefault(match[1], {})[match[3] or match[4]] = value
    return MappingProxyType(
        {
            service: SkippedCounters(methods=MappingProxyType(methods.get(service, {})), **reasons.get(service, {}))
            for service in sorted(methods.keys() | reasons.keys())
        }
    )
