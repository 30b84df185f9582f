"""Report documents made by hand: one that has every field and every verdict, small ones, many ones and hostile ones."""

import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from microstax.model.report import (
    BridgeReport,
    CrossCheck,
    Distribution,
    Effect,
    EndpointReport,
    ExpectedReport,
    Group,
    IgnoredRule,
    Interval,
    Latency,
    QuantileIntervals,
    ReportDocument,
    StoppedCalls,
)

HOSTILE = "\x1b]0;owned\x07\x9b31m<script>alert(1)</script>\u202e`|`**x**\r\n\udc80\ufffe&amp;\"'@all #1 $x$ -->"
NOWHERE: Interval = {"low": None, "high": None}
UNKNOWN: QuantileIntervals = {"p50": NOWHERE, "p90": NOWHERE, "p99": NOWHERE}
NO_EFFECT: Effect = {"ratio": None, "low": None, "high": None}


def pair_id(index: int) -> str:
    return f"{index:08}-9d0b-4c56-8f0f-5e0a5a0a77a1"


def judged(verdict: str, count: int, *, pair: int, group: int = 99, **given: Any) -> Any:
    found = {
        "count": count,
        "contexts": max(1, count // 2),
        "verdict": verdict,
        "pair": pair_id(pair),
        "evidence": {"different": 120.4, "undecided": 0.3}.get(verdict),
        "excess": {"different": 0.9712, "undecided": 0.0024, "same": 0.0025}.get(verdict),
        "excess_high": {"different": 0.99943, "undecided": 0.0317, "same": 0.0093}.get(verdict),
        "needs": 1200 if verdict == "undecided" else None,
        "needs_minutes": 6.2 if verdict == "undecided" else None,
        "group": group,
        "expected": False,
    }
    return {**found, **given}


def at(path: str, kind: str, sides: tuple[str, str], rates: tuple[float, float], found: Any) -> Any:
    """Return a finding about a place (of a body, or a header's name)."""
    place = "path" if path.startswith("$") else "name"
    both = {"baseline": sides[0], "branch": sides[1], "rate": rates[0], "noise_rate": rates[1]}
    return {"kind": kind, place: path, **both, **found}


def status(baseline: int, branch: int, noise: int, found: Any, **given: Any) -> Any:
    return {"baseline": baseline, "branch": branch, "grpc": False, "noise": noise, **found, **given}


def checked(what: Any, envoy: int, counted: int, *, service: str = "catalog", **parts: Any) -> CrossCheck:
    """Return a cross-check; `parts` of its difference must add up to it."""
    found: Any = {"under_way": 0, "explained": 0, "because": "", "unexplained": 0, **parts}
    assert abs(envoy - counted) == found["under_way"] + found["explained"] + found["unexplained"]
    return {
        "service": service,
        "what": what,
        "envoy": envoy,
        "counted": counted,
        "difference": envoy - counted,
        **found,
    }


def group(number: int, lead: str, count: int, **given: Any) -> Group:
    made: Group = {
        "group": number,
        "lead": lead,
        "findings": 1,
        "count": count,
        "condition": "",
        "failing_share": None,
        "passing_share": None,
        "expected": False,
    }
    return {**made, **given}  # type: ignore[typeddict-item]


def intervals(*bounds: float) -> QuantileIntervals:
    low50, high50, low90, high90, low99, high99 = bounds
    return {
        "p50": {"low": low50, "high": high50},
        "p90": {"low": low90, "high": high90},
        "p99": {"low": low99, "high": high99},
    }


def distribution(*, slow: bool = False) -> Distribution:
    edges = [round(0.5 * 1.25**step, 4) for step in range(32)]
    hill = [max(0, 300 - (step - 9) ** 2 * 6) for step in range(31)]
    late = [count + (40 if 25 <= step <= 28 else 0) if slow else count for step, count in enumerate(hill)]
    return {"edges_ms": edges, "baseline": hill, "branch": late, "control": [*hill[1:], 0]}


def latency(**given: Any) -> Latency:
    made: Latency = {
        "baseline": {"p50": 3.1, "p90": 5.25, "p99": 12.4},
        "branch": {"p50": 3.2, "p90": 5.5, "p99": 12.6},
        "control": {"p50": 3.15, "p90": 5.3, "p99": 12.9},
        "reference": "control",
        "pairs": 1150,
        "cold": 62,
        "timeouts": 0,
        "intervals": {
            "baseline": intervals(3.01, 3.22, 5.02, 5.61, 11.1, 14.9),
            "branch": intervals(3.09, 3.33, 5.24, 5.83, 11.2, 15.1),
            "control": intervals(3.04, 3.26, 5.06, 5.68, 11.3, 15.2),
        },
        "confidence": 0.95,
        "effect": {
            "p50": {"ratio": 1.02, "low": 0.99, "high": 1.05},
            "p90": {"ratio": 1.04, "low": 0.97, "high": 1.12},
            "p99": {"ratio": 0.98, "low": 0.74, "high": 1.31},
        },
        "verdict": "same",
        "spikes": 0,
        "reference_spikes": 0,
        "spikes_verdict": "same",
        "spike_pairs": [],
        "distribution": distribution(),
    }
    return {**made, **given}  # type: ignore[typeddict-item]


def unmeasured() -> Latency:
    nothing = {"p50": None, "p90": None, "p99": None}
    return latency(
        baseline=nothing,
        branch=nothing,
        control=None,
        reference="baseline",
        pairs=0,
        cold=0,
        intervals={"baseline": UNKNOWN, "branch": UNKNOWN, "control": None},
        effect={"p50": NO_EFFECT, "p90": NO_EFFECT, "p99": NO_EFFECT},
        verdict="undecided",
        spikes_verdict="undecided",
        distribution={"edges_ms": [], "baseline": [], "branch": [], "control": None},
    )


def endpoint(name: str, **given: Any) -> EndpointReport:
    made: EndpointReport = {
        "endpoint": name,
        "pairs": 500,
        "verdict": "same",
        "needs": None,
        "needs_minutes": None,
        "contexts": 200,
        "failing_contexts": 0,
        "accuracy": 1.0,
        "groups": [],
        "status": [],
        "shape": [],
        "values": [],
        "headers": [],
        "latency": latency(),
    }
    return {**made, **given}  # type: ignore[typeddict-item]


def products() -> EndpointReport:
    """Return an endpoint that has drift, doubt and noise of every family, a condition, and a slow branch."""
    weight = "$.dimensions.weight_in_grams_as_reported_by_the_supplier"
    return endpoint(
        "GET /products/{id}",
        pairs=1212,
        verdict="different",
        contexts=600,
        failing_contexts=298,
        accuracy=0.5033,
        groups=[
            group(0, "status 200 -> 500", 34, condition="query country=DE", failing_share=1.0, passing_share=0.0213),
            group(1, "type $.items[].price", 1178, findings=3),
            group(2, "missing $.tags[]", 3),
        ],
        status=[
            status(200, 500, 0, judged("different", 34, pair=1, group=0, evidence=8.33, excess=0.028053, contexts=30)),
            status(0, 13, 0, judged("undecided", 2, pair=10, needs=900, needs_minutes=0.4), grpc=True),
        ],
        shape=[
            at("$.items[].price", "type", ("number", "string"), (1.0, 0.0), judged("different", 1178, pair=2, group=1)),
            at(
                weight,
                "nesting",
                (weight, "$.shipping.weight"),
                (0.972, 0.0),
                judged("different", 1178, pair=3, group=1),
            ),
            at("$.tags[]", "missing", ("string", ""), (0.0025, 0.0), judged("undecided", 3, pair=4, group=2)),
            at("$.related", "order", ("", ""), (0.5008, 0.4983), judged("same", 590, pair=5)),
        ],
        values=[
            at(
                "$.total", "shift", ("41.20", "49.00"), (0.31, 0.0004), judged("different", 371, pair=11, expected=True)
            ),
            at("$.generated_at", "value", ('"10:00"', '"10:01"'), (1.0, 1.0), judged("same", 1178, pair=6)),
        ],
        headers=[
            at(
                "cache-control",
                "value",
                ("max-age=60", "no-store"),
                (1.0, 0.0),
                judged("different", 1178, pair=7, group=1),
            )
        ],
        latency=latency(
            branch={"p50": 3.2, "p90": 5.5, "p99": 310.0},
            effect={
                "p50": {"ratio": 1.02, "low": 0.99, "high": 1.05},
                "p90": {"ratio": 1.04, "low": 0.97, "high": 1.12},
                "p99": {"ratio": 24.03, "low": 18.2, "high": 31.7},
            },
            verdict="slower",
            timeouts=12,
            spikes=61,
            reference_spikes=2,
            spikes_verdict="different",
            spike_pairs=[pair_id(8), pair_id(12)],
            distribution=distribution(slow=True),
        ),
    )


def search() -> EndpointReport:
    """Return an endpoint without a control, with a value that cannot be judged and no latency."""
    return endpoint(
        "GET /search",
        pairs=600,
        verdict="different",
        contexts=211,
        failing_contexts=3,
        accuracy=0.9858,
        shape=[
            at(
                "$.hits",
                "length",
                ("10", "9"),
                (0.015, 0.0),
                judged("different", 9, pair=9, evidence=None, excess=None),
            ),
        ],
        values=[at("$.score", "value", ("0.1", "0.2"), (0.4, 0.0), judged("not comparable", 240, pair=13))],
        latency=unmeasured(),
    )


def full() -> ReportDocument:
    """Return a document with every field and every verdict."""
    health = endpoint("GET /health", pairs=12, verdict="undecided", needs=88, needs_minutes=190.0, contexts=1)
    health["latency"] = latency(control=None, reference="baseline", pairs=12, cold=0, verdict="undecided")
    health["latency"]["distribution"]["control"] = None
    health["latency"]["intervals"]["control"] = None
    stock = endpoint(
        "GET /stock/{id}", values=[at("$.at", "value", ("1", "2"), (0.9, 0.91), judged("same", 450, pair=14))]
    )
    return {
        "overlay": "shadow-test",
        "baseline": "production-cluster-01",
        "since": "2026-11-24T07:20:35Z",
        "until": "2026-11-25T07:20:35Z",
        "verdict": "different",
        "reasons": [
            "catalog GET /products/{id} differs beyond noise: status 200 -> 500, type $.items[].price.",
            "catalog GET /health is undecided after 12 pairs: about 88 more are needed.",
        ],
        "calibrated": True,
        "policy": {"alpha": 0.05, "tolerance": 0.01, "min_pairs": 100, "latency_tolerance": 0.1, "hypotheses": 412},
        "pairs_per_minute": 193.55,
        "contexts": 812,
        "failing_contexts": 301,
        "accuracy": 0.6293,
        "coverage": {
            "requests": 1891,
            "mirrored": 1852,
            "paired": 1824,
            "not_compared": {"branch_timeout": 12, "capture_gap": 9, "pending": 7},
            "gaps": {"copy_missing": 4, "unseen": 5},
            "strays": {"late": 2, "unmatched": 1},
            "skipped_methods": {"POST": 34, "DELETE": 2},
            "skipped": {"body_too_large": 3},
            "blocked_calls": 5,
            "envoy": {"copies": 1852, "dropped": 0, "timed_out": 15, "failed": 1},
            "cross_checks": [
                checked("requests", 1891, 1891),
                checked("copies", 1852, 1852),
                checked("accounted", 1852, 1845, under_way=2, explained=5, because="no trace was seen"),
                checked("timeouts", 15, 12, explained=1, because="not all was captured", unexplained=2),
                checked("overflow", 0, 0),
                checked("failures", 1, 0, explained=1, because="not all was captured"),
                checked("requests", 7, 7, service="search"),
            ],
        },
        "bridge": stopped(),
        "rechecks": {"asked": 40, "vanished": 31, "persisted": 7, "failed": 2, "over_budget": 5},
        "services": [
            {"service": "catalog", "endpoints": [products(), stock, health]},
            {"service": "search", "endpoints": [search()]},
        ],
        "expected": [change("appeared", findings=1, count=371), change("missing"), change("undecided")],
        "ignored": [
            rule(),
            rule(origin="microstax.yaml:19", path="$.etag", expires="2026-11-01", expired=True, findings=0, count=0),
            rule(origin="rule 3", path="$.seen", signature=["format", "type"], news=["type"]),
        ],
    }


def stopped() -> BridgeReport:
    """Return what a bridge let pass and stopped."""

    def call(service: str, method: str, path: str, reason: str, count: int) -> StoppedCalls:
        example = f"{method} {path.replace('{id}', '17')}?q=redacted:11" if path else ""
        last = "2026-11-24T09:59:58Z" if path else ""
        return {
            "service": service,
            "method": method,
            "path": path,
            "reason": reason,
            "count": count,
            "last": last,
            "example": example,
            "user_agent": "python-requests/2.32" if path else "",
        }

    return {
        "passed": 12_345,
        "unsafe_passed": 12,
        "refused": 1_214,
        "limited": 9,
        "unsafe": [{"service": "search", "method": "POST", "count": 12}],
        "calls": [
            call("orders", "POST", "/orders/{id}", "method", 1_100),
            call("db", "tcp", "", "tcp", 105),
            call("search", "GET", "/search", "rate", 9),
        ],
        "unlisted": 9,
        "direct": "open",
    }


def change(verdict: str, **given: Any) -> ExpectedReport:
    line = {"appeared": 4, "missing": 7, "undecided": 9}[verdict]
    made: ExpectedReport = {
        "origin": f"microstax.yaml:{line}",
        "service": "catalog",
        "endpoint": "GET /products/{id}",
        "path": f"$.total{line}",
        "kind": "shift",
        "reason": "prices include tax",
        "findings": 0,
        "count": 0,
        "verdict": verdict,  # type: ignore[typeddict-item]
    }
    return {**made, **given}  # type: ignore[typeddict-item]


def rule(**given: Any) -> IgnoredRule:
    made: IgnoredRule = {
        "origin": "microstax.yaml:12",
        "service": "catalog",
        "endpoint": "",
        "path": "$.request_id",
        "kind": "",
        "reason": "a request id",
        "owner": "team-catalog",
        "expires": "2027-01-31",
        "expired": False,
        "findings": 1,
        "count": 1178,
        "signature": ["value"],
        "news": [],
    }
    return {**made, **given}  # type: ignore[typeddict-item]


def same() -> ReportDocument:
    """Return the document of a branch that behaves like its baseline."""
    document = full()
    names = ("GET /products/{id}", "GET /products", "GET /stock/{id}")
    document.update(verdict="same", reasons=["1,500 pairs show no difference that noise does not explain."])
    document.update(failing_contexts=0, accuracy=1.0, expected=[], ignored=[], rechecks=None, bridge=None)
    document["services"] = [{"service": "catalog", "endpoints": [endpoint(name) for name in names]}]
    return document


def nothing() -> ReportDocument:
    """Return the document before the first request."""
    document = full()
    document.update(verdict="undecided", reasons=[], services=[], expected=[], ignored=[], rechecks=None)
    document.update(bridge=None, accuracy=None, contexts=0, failing_contexts=0, calibrated=False, pairs_per_minute=None)
    document["coverage"] = {"mirrored": 0, "paired": 0, "not_compared": {}, "skipped_methods": {}, "blocked_calls": 0}
    return document


def many(findings: int, *, endpoints: int = 100) -> ReportDocument:
    """Return a document with that many findings, spread over the endpoints."""
    document = full()
    made = []
    for index in range(endpoints):
        own = range(index, findings, endpoints)
        verdicts = ("different", "undecided", "same", "different")
        shape = [
            at(
                f"$.orders[].lines[].member_{number}",
                "type",
                ("number", "string"),
                (0.25, 0.001),
                judged(verdicts[number % 4], 125, pair=number, group=number // endpoints // 4),
            )
            for number in own
        ]
        groups = [group(number, "type $.orders", 125, findings=4) for number in range(len(own) // 4 + 1)]
        name = f"GET /area-{index % 7}/things-{index}/{{id}}"
        made.append(endpoint(name, verdict="different", failing_contexts=index, shape=shape, groups=groups))
    document["services"] = [{"service": "catalog", "endpoints": made}]
    return document


def every_text(value: Any, text: Callable[[str], str], *, key: str = "") -> Any:
    """Return the document with every text that traffic or a user can reach replaced."""
    fixed = {"verdict", "spikes_verdict", "reference", "since", "until", "expires"}
    if isinstance(value, dict):
        free = key in {"not_compared", "skipped_methods", "skipped"}
        return {(text(name) if free else name): every_text(item, text, key=name) for name, item in value.items()}
    if isinstance(value, list):
        return [every_text(item, text, key=key) for item in value]
    return text(value) if isinstance(value, str) and key not in fixed else value


def with_text(text: str) -> ReportDocument:
    """Return the full document with `text` in every place that traffic or a user can reach."""
    changed: ReportDocument = every_text(full(), lambda _: text)
    return changed


TEXTS = st.text(max_size=30) | st.just(HOSTILE)
_VERDICTS = ("same", "different", "undecided", "not comparable")
_OF_LATENCY = ("slower", "faster", "same", "undecided")
_APPEARANCES = ("appeared", "missing", "undecided")
_FIXED = {"reference", "since", "until", "expires"}


def _varied(value: Any, rng: random.Random, texts: list[str], key: str = "") -> Any:
    """Return the value with other figures and texts of the same form, and lists of other lengths."""
    if isinstance(value, dict):
        made = {name: _varied(item, rng, texts, name) for name, item in value.items()}
        verdicts = _OF_LATENCY if "spikes" in value else _APPEARANCES if "origin" in value else _VERDICTS
        choices = {"verdict": verdicts, "spikes_verdict": _VERDICTS}
        return {**made, **{name: rng.choice(choices[name]) for name in choices if name in value}}
    if isinstance(value, list) and key not in {"edges_ms", "baseline", "branch", "control"}:
        return [_varied(item, rng, texts, key) for item in value[: rng.randint(0, len(value))]]
    if isinstance(value, bool):
        return rng.random() < 0.5
    if isinstance(value, int) and key not in {"group", "findings"}:
        return rng.choice((0, 1, rng.randrange(1000), rng.randrange(10**9)))
    if isinstance(value, float):
        return rng.uniform(-400, 1e6) if key == "evidence" else rng.choice((0.0, 1.0, rng.random(), rng.random() ** 20))
    return rng.choice(texts) if isinstance(value, str) and key not in _FIXED else value


@st.composite
def documents(draw: Any) -> ReportDocument:
    """Make documents of every form, with any figures and texts; the figures come from one drawn seed."""
    base = draw(st.sampled_from([full, same, nothing]))()
    texts = draw(st.lists(TEXTS, min_size=1, max_size=5))
    varied: ReportDocument = _varied(base, random.Random(draw(st.integers(0, 2**32))), texts)
    return varied
