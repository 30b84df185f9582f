"""Small report documents for the gate and for suggested rules: only what these look at is more than a default."""

from typing import Any

JUDGED: dict[str, Any] = {
    "count": 40,
    "contexts": 4,
    "verdict": "different",
    "pair": "p1",
    "evidence": 6.24,
    "excess": 0.4,
    "excess_high": 0.5,
    "needs": None,
    "needs_minutes": None,
    "group": 1,
    "expected": False,
}
EFFECT = {"ratio": None, "low": None, "high": None}


def finding(place: str, kind: str = "value", **fields: Any) -> dict[str, Any]:
    """Return a finding of a body (or of a header, which is named where it stands)."""
    rates = {"rate": 0.4, "noise_rate": 0.0, "baseline": "1", "branch": "2"}
    return {**JUDGED, "kind": kind, "path": place, "name": place, **rates, **fields}


def latency(**fields: Any) -> dict[str, Any]:
    """Return a latency that is the same."""
    return {
        "verdict": "same",
        "reference": "control",
        "spikes_verdict": "same",
        "spikes": 0,
        "reference_spikes": 0,
        "effect": {"p50": EFFECT, "p90": EFFECT, "p99": EFFECT},
        **fields,
    }


def endpoint(name: str = "GET /products/{id}", **fields: Any) -> dict[str, Any]:
    """Return an endpoint of 100 pairs that is the same."""
    return {
        "endpoint": name,
        "pairs": 100,
        "verdict": "same",
        "needs": None,
        "needs_minutes": None,
        "status": [],
        "shape": [],
        "values": [],
        "headers": [],
        "latency": latency(),
        **fields,
    }


def document(verdict: str = "same", *endpoints: dict[str, Any], **fields: Any) -> Any:
    """Return a report; endpoints with a `service` belong to it, the others to catalog."""
    services: dict[str, list[dict[str, Any]]] = {}
    for one in endpoints or (endpoint(),):
        services.setdefault(one.get("service", "catalog"), []).append(one)
    return {
        "overlay": "shadow-test",
        "baseline": "production",
        "since": "2026-11-24T10:00:00Z",
        "until": None,
        "verdict": verdict,
        "reasons": ["why."],
        "calibrated": True,
        "policy": {"alpha": 0.05, "tolerance": 0.01, "min_pairs": 100, "latency_tolerance": 0.1, "hypotheses": 3},
        "services": [{"service": name, "endpoints": ones} for name, ones in services.items()],
        "expected": [],
        "ignored": [],
        **fields,
    }


def pattern(**fields: Any) -> dict[str, Any]:
    """Return what a rule or an expected change of a report is about."""
    return {"origin": "microstax.yaml:2", "service": "", "endpoint": "", "path": "", "kind": "", **fields}


def rule(**fields: Any) -> dict[str, Any]:
    """Return what an ignore rule did: nothing, if nobody says otherwise."""
    deeds = {"expires": "2026-11-01", "expired": False, "findings": 0, "count": 0, "signature": [], "news": []}
    return {**pattern(), **deeds, **fields}
