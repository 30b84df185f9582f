"""What the branch did to its baseline, in sentences and rows: the proof that nothing unsafe left it, or what did."""

from collections.abc import Iterable
from typing import Final

from microstax.model.report import BridgeReport, ReportDocument, StoppedCalls
from microstax.model.wording import counted
from microstax.report.figures import number
from microstax.report.text import visible

COLUMNS: Final = ("Service", "Call", "Why", "Times", "Last", "For example", "Caller")
_NAMED: Final = 3
_LISTED: Final = 20
_WHY: Final = {
    "method": "unsafe method",
    "upgrade": "asks for an upgrade",
    "override": "asks for another method",
    "body": "safe call with a body",
    "tcp": "connection to a TCP service",
    "rate": "too many a second",
    "concurrency": "too many at a time",
}
_LIMITS: Final = frozenset({"rate", "concurrency"})
_OPEN: Final = (
    "direct connections of the branch are not enforced: it could reach the baseline past the bridge, and nobody would "
    "have seen it"
)
_ALLOWED: Final = "patch.yaml lets the branch connect to the baseline past the bridge, where nothing is counted"


def facts(document: ReportDocument) -> list[tuple[str, str]]:
    """Return what is to be said of the bridge in the report's head, as (name, sentence)."""
    bridge = document["bridge"]
    if bridge is None:
        return []
    direct = {"open": _OPEN, "allowed": _ALLOWED}.get(bridge["direct"], "")
    return [("bridge", proof(document)), ("limited", _limited(bridge)), ("fence", direct)]


def proof(document: ReportDocument) -> str:
    """Return the proof line: how many unsafe calls left the branch, and how many were refused; empty if unknown."""
    bridge = document["bridge"]
    if bridge is None:
        return ""
    passed = counted(bridge["unsafe_passed"], "unsafe call")
    what = f"{passed} left the branch"
    if bridge["unsafe_passed"]:
        ones = sorted(bridge["unsafe"], key=lambda one: -one["count"])
        named = [f"{visible(one['method'])} {visible(one['service'])} {number(one['count'])}" for one in ones]
        what += f" as patch.yaml allows ({_some(named)})"
    if not bridge["refused"]:
        return f"{what}; none was refused"
    was = "was" if bridge["refused"] == 1 else "were"
    named = [_named(one) for one in _largest(bridge) if one["reason"] not in _LIMITS]
    return f"{what}; {number(bridge['refused'])} {was} refused{f': {_some(named)}' if named else ''}"


def calls(document: ReportDocument) -> list[str]:
    """Return a sentence a kind of stopped calls, the most frequent first; at most some twenty."""
    bridge = document["bridge"]
    if bridge is None:
        return []
    found = _largest(bridge)
    sentences = [_sentence(one) for one in found[:_LISTED]]
    if len(found) > _LISTED:
        more = sum(one["count"] for one in found[_LISTED:])
        sentences.append(f"{counted(more, 'more call')} of {number(len(found) - _LISTED)} other kinds")
    return [*sentences, *([note] if (note := unlisted(document)) else [])]


def unlisted(document: ReportDocument) -> str:
    """Return how many stopped calls are counted and not listed; empty where there are none."""
    bridge = document["bridge"]
    if bridge is None or not bridge["unlisted"]:
        return ""
    return (
        f"{counted(bridge['unlisted'], 'more call')} counted by Envoy and not listed: there were too many to take note "
        "of each"
    )


def rows(document: ReportDocument) -> list[tuple[str, ...]]:
    """Return the kinds of stopped calls as rows under COLUMNS, the most frequent first."""
    bridge = document["bridge"]
    return [
        (
            visible(one["service"]),
            visible(f"{_call(one)} {one['path']}".strip()),
            _WHY.get(one["reason"], visible(one["reason"])),
            number(one["count"]),
            one["last"],
            visible(one["example"]),
            visible(one["user_agent"]),
        )
        for one in (_largest(bridge) if bridge else [])
    ]


def _limited(bridge: BridgeReport) -> str:
    if not bridge["limited"]:
        return ""
    return (
        f"{counted(bridge['limited'], 'call')} of the branch or the control over the bridge's limits: their answers "
        "may differ for that alone; patch.yaml can allow more (maxRps, maxConcurrent)"
    )


def _largest(bridge: BridgeReport) -> list[StoppedCalls]:
    return sorted(bridge["calls"], key=lambda one: (-one["count"], one["service"], one["method"], one["path"]))


def _named(one: StoppedCalls) -> str:
    return visible(" ".join(part for part in (_call(one), one["service"], one["path"]) if part)) + (
        f" {number(one['count'])}"
    )


def _call(one: StoppedCalls) -> str:
    return "connections" if one["reason"] == "tcp" else one["method"]


def _sentence(one: StoppedCalls) -> str:
    what = visible(f"{_call(one)} {one['path']}".strip())
    parts = [f"{number(one['count'])} x {what} to {visible(one['service'])}: {_WHY.get(one['reason'], one['reason'])}"]
    parts += [f"last at {one['last']}"] if one["last"] else []
    by = f" by {visible(one['user_agent'])}" if one["user_agent"] else ""
    parts += [f"for example {visible(one['example'])}{by}"] if one["example"] else []
    return ", ".join(parts)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_NAMED]) + (", ..." if len(listed) > _NAMED else "")
