"""What a bridge counted of a branch's calls: passed, refused and limited, by service. See microstax.envoy.stats."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from microstax.envoy.names import TCP, UPGRADE
from microstax.model.overlay import SAFE_METHODS

FILTER: Final = (
    r"|cluster\.bridge/.*\.upstream_rq_(total|pending_overflow|active_overflow|active)"
    r"|cluster\.bridge/.*/tcp\.upstream_cx_(total|overflow|active)"
    r"|vhost\.bridge/.*\.route\.passed/.*\.upstream_rq_total"
    r"|bridge/.*\.http_local_rate_limit\.rate_limited"
    r"|local_rate_limit\.bridge/.*\.rate_limited"
    r"|listener\.bridge/.*/refused\.downstream_cx_total"
    r"|http\.bridge/.*\.rbac\.policy\..*\.denied"
    r"|http\.bridge/.*\.downstream_rq_ws_on_non_ws_route"
)
"""The alternatives of STATS_PATH's filter that are about bridges."""

_CALLS: Final = re.compile(r"cluster\.bridge/([^/.]+)\.(\w+)")
_PASSED: Final = re.compile(r"vhost\.bridge/([^/.]+)\.route\.passed/([^.]+)\.upstream_rq_total")
_LIMITED: Final = re.compile(r"(?:local_rate_limit\.)?bridge/([^/.]+)\.(?:http_local_rate_limit\.)?rate_limited")
_BLOCKED: Final = re.compile(r"http\.bridge/([^/.]+)\.rbac\.policy\.([^.]+)\.denied")
_UPGRADES: Final = re.compile(r"http\.bridge/([^/.]+)\.downstream_rq_ws_on_non_ws_route")
_CONNECTIONS: Final = re.compile(r"cluster\.bridge/([^/.]+)/tcp\.(\w+)")
_REFUSED: Final = re.compile(r"listener\.bridge/([^/.]+)/refused\.downstream_cx_total")
_EMPTY: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeCounters:
    """A branch's calls of one baseline service, of TCP its connections.

    `passed` went on to the baseline, `passed_methods` says by which method (TCP for connections). Of the others,
    `blocked` were refused, by method or by UPGRADE, OVERRIDE, BODY, TCP or OTHER; `limited` were too many a second,
    `overflow` too many at a time. `active` are under way.
    """

    passed: int = 0
    passed_methods: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    overflow: int = 0
    limited: int = 0
    blocked: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    active: int = 0

    @property
    def unsafe(self) -> Mapping[str, int]:
        """What passed and may have changed something, by method."""
        return {method: count for method, count in self.passed_methods.items() if method not in SAFE_METHODS}


class _Service:
    """The values of one service while they are collected."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.connections: dict[str, int] = {}
        self.passed: Counter[str] = Counter()
        self.blocked: Counter[str] = Counter()
        self.limited = 0

    def counters(self) -> BridgeCounters:
        calls, connections = self.calls, self.connections
        passed = connections.get("upstream_cx_total", 0)
        self.passed[TCP] += passed
        return BridgeCounters(
            passed=calls.get("upstream_rq_total", 0) + passed,
            passed_methods=MappingProxyType({name: count for name, count in sorted(self.passed.items()) if count}),
            overflow=calls.get("upstream_rq_pending_overflow", 0)
            + calls.get("upstream_rq_active_overflow", 0)
            + connections.get("upstream_cx_overflow", 0),
            limited=self.limited,
            active=calls.get("upstream_rq_active", 0) + connections.get("upstream_cx_active", 0),
            blocked=MappingProxyType({name: count for name, count in self.blocked.items() if count}),
        )


def read_bridges(values: Mapping[str, int]) -> Mapping[str, BridgeCounters]:
    """Return what a bridge's statistics (by name) say, by service."""
    found: dict[str, _Service] = {}
    for name, value in values.items():
        _note(found, name, value)
    return MappingProxyType({service: one.counters() for service, one in sorted(found.items())})


def _note(found: dict[str, _Service], name: str, value: int) -> None:
    def at(match: re.Match[str]) -> _Service:
        return found.setdefault(match[1], _Service())

    if match := _CALLS.fullmatch(name):
        at(match).calls[match[2]] = value
    elif match := _CONNECTIONS.fullmatch(name):
        at(match).connections[match[2]] = value
    elif match := _PASSED.fullmatch(name):
        at(match).passed[match[2]] += value
    elif match := _BLOCKED.fullmatch(name):
        at(match).blocked[match[2]] += value
    elif match := _UPGRADES.fullmatch(name):
        at(match).blocked[UPGRADE] += value
    elif match := _LIMITED.fullmatch(name):
        at(match).limited += value
    elif match := _REFUSED.fullmatch(name):
        at(match).blocked[TCP] += value
