"""A report as the demo's branch should give it, made from the planted list."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from microstax.demo.planted import Finding, Kind
from microstax.model.report import EndpointReport, ReportDocument

NOTHING = {"p50": None, "p90": None, "p99": None}
NO_EFFECT = {"ratio": None, "low": None, "high": None}


def endpoint_report(endpoint: str, findings: Iterable[Finding], *, pairs: int = 200) -> EndpointReport:
    report: dict[str, Any] = {
        "endpoint": endpoint,
        "pairs": pairs,
        "verdict": "same",
        "contexts": 10,
        "failing_contexts": 0,
        "accuracy": 1.0,
        "status": [],
        "shape": [],
        "values": [],
        "headers": [],
        "latency": {
            "baseline": NOTHING,
            "branch": NOTHING,
            "control": None,
            "effect": {"p50": NO_EFFECT, "p99": NO_EFFECT},
            "verdict": "same",
            "spikes": 0,
        },
    }
    for finding in findings:
        _add(report, finding)
    return report  # type: ignore[return-value]  # built field by field


def _add(report: dict[str, Any], finding: Finding) -> None:
    seen = {"count": 9, "rate": 0.9, "noise_rate": 0.0, "verdict": "different", "pair": "p"}
    match finding.kind:
        case Kind.STATUS:
            baseline, branch = map(int, finding.place.split(" -> "))
            report["status"].append({**seen, "baseline": baseline, "branch": branch, "noise": 0})
        case Kind.VALUE:
            report["values"].append({**seen, "path": finding.place})
        case Kind.HEADER:
            report["headers"].append({**seen, "name": finding.place, "kind": "value"})
        case Kind.SLOWER | Kind.FASTER:
            report["latency"]["verdict"] = str(finding.kind)
        case Kind.SPIKE:
            report["latency"]["spikes"] = 20
        case _:
            shape = {"kind": str(finding.kind), "path": finding.place, "baseline": "number", "branch": "string"}
            report["shape"].append({**seen, **shape})


@pytest.fixture
def report_of() -> Callable[[Iterable[Finding]], ReportDocument]:
    """Return a report with exactly the given findings, all of them with the verdict "different"."""

    def build(findings: Iterable[Finding]) -> ReportDocument:
        by_service: dict[str, dict[str, list[Finding]]] = {}
        for finding in findings:
            by_service.setdefault(finding.service, {}).setdefault(finding.endpoint, []).append(finding)
        return {
            "overlay": "shadow-test",
            "baseline": "production-cluster-01",
            "since": "2026-01-01T00:00:00Z",
            "verdict": "different",
            "reasons": [],
            "calibrated": True,
            "contexts": 10,
            "failing_contexts": 1,
            "accuracy": 0.9,
            "coverage": {
                "mirrored": 210,
                "paired": 200,
                "not_compared": {"branch_timeout": 10},
                "skipped_methods": {"POST": 4},
                "blocked_calls": 6,
            },
            "services": [
                {
                    "service": service,
                    "endpoints": [endpoint_report(endpoint, found) for endpoint, found in endpoints.items()],
                }
                for service, endpoints in by_service.items()
            ],
        }

    return build
