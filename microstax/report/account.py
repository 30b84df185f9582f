"""How far the account can be trusted, in sentences: what the capture gap is made of, and whether Envoy agrees."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from microstax.model.report import CrossCheck, ReportDocument
from microstax.model.wording import counted
from microstax.report.figures import listed, number, percent

_GAPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unseen": "without any trace",
        "copy_missing": "without the copy's",
        "baseline_missing": "without the baseline's",
        "unanswered": "that the baseline did not answer",
        "mismatched": "whose halves do not belong together",
    }
)
_CHECKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "requests": "Envoy took {requests}, its routes passed on {counted}",
        "copies": "Envoy was to make {copies}, and made {counted}",
        "accounted": "Envoy made {copies}, workers told of {counted}",
        "timeouts": "Envoy timed out {copies}, {counted} {were} captured as timeouts",
        "overflow": "Envoy dropped {copies}, {counted} {were} captured as dropped",
        "failures": "Envoy saw {copies} fail, {counted} {were} captured as errors",
        "traces": "Envoy wrote {traces}, {counted} came",
    }
)
_OF_GAPS: Final = frozenset({"accounted", "traces"})
"""Checks of which what is explained is said by the gap already."""


def facts(document: ReportDocument) -> list[tuple[str, str]]:
    """Return what is to be said in the report's head, as (name, sentence)."""
    return [
        ("requests", requests(document)),
        ("gap", gap(document)),
        ("envoy", envoy(document)),
        *(
            ("differs" if one["unexplained"] else "explained", sentence(one, several=_several(document)))
            for one in discrepancies(document)
        ),
        ("strays", strays(document)),
    ]


def requests(document: ReportDocument) -> str:
    """Return what came to the tee, as a sum; empty where all of it was mirrored, or nobody knows."""
    coverage = document["coverage"]
    came, mirrored = coverage.get("requests", 0), coverage["mirrored"]
    if came <= mirrored:
        return ""
    return f"{number(came)} = {number(mirrored)} mirrored + {number(came - mirrored)} not mirrored"


def gap(document: ReportDocument) -> str:
    """Return what is missing of the requests that are a capture gap; empty where none is."""
    coverage = document["coverage"]
    parts = sorted(coverage.get("gaps", {}).items(), key=lambda part: (-part[1], part[0]))
    if not parts:
        return ""
    missing = sum(n for _, n in parts)
    share = missing / max(coverage["mirrored"], missing, 1)
    named = ", ".join(f"{number(n)} {_GAPS.get(name, name)}" for name, n in parts)
    return f"{percent(share)} of the mirrored were not captured: {named}"


def envoy(document: ReportDocument) -> str:
    """Return what Envoy counted of the copies, and whether that is what was captured; empty where there was none."""
    counts = document["coverage"].get("envoy")
    if counts is None or not counts["copies"]:
        return ""
    found = (
        f"counted {counted_copies(counts['copies'])}: {number(counts['timed_out'])} timed out, "
        f"{number(counts['dropped'])} dropped, {number(counts['failed'])} failed"
    )
    unexplained = sum(one["unexplained"] for one in document["coverage"].get("cross_checks", []))
    return f"{found}; {'what was captured differs' if unexplained else 'what was captured agrees'}"


def counted_copies(copies: int) -> str:
    """Return a number of copies."""
    return f"{number(copies)} {'copy' if copies == 1 else 'copies'}"


def discrepancies(document: ReportDocument) -> list[CrossCheck]:
    """Return the checks that tell more than the sum does, the largest unexplained difference first."""
    found = [
        one
        for one in document["coverage"].get("cross_checks", [])
        if one["unexplained"] or (one["explained"] and one["what"] not in _OF_GAPS)
    ]
    return sorted(found, key=lambda one: (-one["unexplained"], -one["explained"], one["service"], one["what"]))


def sentence(check: CrossCheck, *, several: bool = True) -> str:
    """Return a check in words; with the service where there are `several`."""
    what = _CHECKS.get(check["what"], "Envoy counted {requests}, others {counted}").format(
        requests=counted(check["envoy"], "request"),
        copies=counted_copies(check["envoy"]),
        traces=counted(check["envoy"], "trace"),
        counted=number(check["counted"]),
        were="was" if check["counted"] == 1 else "were",
    )
    parts = [f"{number(check['unexplained'])} unexplained"] if check["unexplained"] else []
    parts += [f"{number(check['explained'])} explained ({check['because']})"] if check["explained"] else []
    parts += [f"{number(check['under_way'])} under way"] if check["under_way"] else []
    service = f"{check['service']}: " if several and check["service"] else ""
    return f"{service}{what}: {', '.join(parts) or 'no difference'}"


def strays(document: ReportDocument) -> str:
    """Return the traces that belong to no request of the account; empty where there are none."""
    found = document["coverage"].get("strays", {})
    if not found:
        return ""
    return f"{counted(sum(found.values()), 'trace')} with no place in the account: {listed(found.items())}"


def _several(document: ReportDocument) -> bool:
    return len({one["service"] for one in document["coverage"].get("cross_checks", []) if one["service"]}) > 1
