"""Suggested rules: noise and only noise, as few as possible, and readable by the parser of microstax.yaml."""

import string
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from report_documents import documents
from rule_documents import JUDGED, document, endpoint, finding, pattern, rule

from microstax.blueprint.rules import parse_rules
from microstax.model.ignore import IgnoreRule
from microstax.model.paths import member_step
from microstax.model.report import ReportDocument
from microstax.report.rule_file import as_json, as_yaml
from microstax.report.suggest import Suggestion, signed, suggest

DAY = date(2027, 2, 22)


def noise(place: str, kind: str = "value", **fields: Any) -> dict[str, Any]:
    return finding(place, kind, **{"verdict": "same", "noise_rate": 0.31, **fields})


def suggested(report: Any) -> list[Suggestion]:
    return suggest(report, owner="me", expires=DAY)


def scopes(report: Any) -> list[tuple[str, str, str, str]]:
    """Return where the suggested rules hold."""
    return [(one.rule.service, one.rule.endpoint, one.rule.path, one.rule.kind) for one in suggested(report)]


def test_noise_becomes_a_rule_with_its_evidence() -> None:
    report = document("same", endpoint(values=[noise("$.at", pair="p7")], pairs=120))
    [one] = suggested(report)
    assert one == Suggestion(
        rule=IgnoreRule(
            service="catalog",
            endpoint="GET /products/{id}",
            path="$.at",
            kind="value",
            reason="the baseline differs from itself here in 31% of the requests",
            owner="me",
            expires=DAY,
        ),
        findings=1,
        endpoints=1,
        count=40,
        pairs=120,
        noise_rate=0.31,
        pair="p7",
        judged=True,
    )
    [applied] = signed([one], document(ignored=[rule(), rule(**scope(one.rule), signature=["value time>time"])]))
    text = as_yaml([applied], report)
    assert "  # seen 40 times in 120 pairs; noise rate 0.31; pair p7\n  - service: catalog\n" in text
    assert "    expires: 2027-02-22\n    signature: [value time>time]\n" in text
    [read] = parse_rules(text, file="microstax.yaml").ignore
    assert read.signature == ("value time>time",)
    [entry] = as_json([applied])
    assert entry["evidence"] == {
        "findings": 1,
        "endpoints": 1,
        "count": 40,
        "pairs": 120,
        "noise_rate": 0.31,
        "judged": True,
        "pair": "p7",
    }
    assert entry["signature"] == ["value time>time"]


def scope(found: IgnoreRule) -> dict[str, Any]:
    return pattern(service=found.service, endpoint=found.endpoint, path=found.path, kind=found.kind)


def test_a_signature_that_may_be_incomplete_is_left_out() -> None:
    [one] = suggested(document("same", endpoint(values=[noise("$.at")])))
    [applied] = signed([one], document(ignored=[rule(**scope(one.rule), signature=[f"w{n}" for n in range(12)])]))
    assert applied.rule.signature == ()


def test_one_path_is_one_rule() -> None:
    twelve = [endpoint(f"GET /{number}", values=[noise("$.at")]) for number in range(12)]
    assert scopes(document("same", *twelve)) == [("catalog", "", "$.at", "value")]
    [one] = suggested(document("same", *twelve))
    assert (one.findings, one.endpoints, one.count, one.pairs) == (12, 12, 480, 1200)
    two = [endpoint(values=[noise("$.at")]), endpoint("GET /b", service="search", values=[noise("$.at")])]
    assert scopes(document("same", *two)) == [("", "", "$.at", "value")]
    assert scopes(document("same", endpoint(values=[noise("$.at"), noise("$.id")]))) == [
        ("catalog", "GET /products/{id}", "$.at", "value"),
        ("catalog", "GET /products/{id}", "$.id", "value"),
    ]


def test_what_is_compared_of_a_value_is_one_rule() -> None:
    both = [noise("$.at"), noise("$.at", "length_class", count=10)]
    [one] = suggested(document("same", endpoint(values=both)))
    assert (one.rule.kind, one.findings, one.count) == ("value", 2, 40)


def test_a_rule_is_only_as_wide_as_it_hides_nothing_that_has_to_be_seen() -> None:
    for verdict in ("different", "undecided"):
        report = document(
            "different",
            endpoint("GET /a", values=[noise("$.at")]),
            endpoint("GET /b", values=[noise("$.at")]),
            endpoint("GET /c", values=[finding("$.at", verdict=verdict)]),
            endpoint("GET /d", service="search", values=[noise("$.at")]),
        )
        assert sorted(scopes(report)) == [
            ("catalog", "GET /a", "$.at", "value"),
            ("catalog", "GET /b", "$.at", "value"),
            ("search", "GET /d", "$.at", "value"),
        ]


def test_what_differs_is_never_suggested() -> None:
    report = document(
        "different",
        endpoint(
            values=[noise("$.at"), finding("$.at", "format"), finding("$.b", noise_rate=0.2)],
            shape=[finding("$.c", "missing", verdict="undecided")],
            status=[{**JUDGED, "baseline": 200, "branch": 500, "noise": 3, "verdict": "same"}],
            headers=[noise("x-cost", "missing")],
        ),
    )
    assert scopes(report) == [("catalog", "GET /products/{id}", "x-cost", "missing")]


def test_what_hardly_differs_and_never_by_noise_is_no_noise() -> None:
    assert suggested(document("same", endpoint(values=[noise("$.a", noise_rate=0.0)]))) == []


def test_without_a_control_it_says_what_it_does_not_know() -> None:
    values = [noise("$.at", noise_rate=0.0), finding("$.b", verdict="not comparable", count=90)]
    report = document("same", endpoint(values=values), calibrated=False)
    unjudged, by_form = suggested(report)
    assert (unjudged.rule.path, unjudged.judged, unjudged.noise_rate) == ("$.b", False, None)
    assert (by_form.rule.path, by_form.judged) == ("$.at", True)
    text = as_yaml([unjudged, by_form], report)
    assert "no control measured its noise" in text
    assert text.count("NOT JUDGED") == 1
    assert "reason: 'no control ran, so nothing tells whether this is noise'" in text


def test_nothing_to_suggest_is_a_file_too() -> None:
    assert parse_rules(as_yaml([], document()), file="f").ignore == ()


def test_a_header_that_cannot_be_named_gets_no_rule() -> None:
    assert suggested(document("same", endpoint(headers=[noise("x y", "value")]))) == []


TEXT = st.text(max_size=30)
PLACES = st.lists(st.text(max_size=20).map(member_step) | st.just("[]"), max_size=4).map(
    lambda steps: "$" + "".join(steps)
)
HEADERS = st.text(string.ascii_lowercase + "-", min_size=1, max_size=20)
VERDICTS = st.sampled_from(["same", "different", "undecided", "not comparable"])
SHAPES = st.builds(
    finding, PLACES, st.sampled_from(["missing", "extra", "order"]), verdict=VERDICTS, noise_rate=st.just(0.5)
)
VALUES = st.builds(finding, PLACES, st.just("value"), verdict=VERDICTS, noise_rate=st.sampled_from([0.0, 1.0]))
FIELDS = st.builds(finding, HEADERS, st.just("value"), verdict=VERDICTS, noise_rate=st.just(0.01), pair=TEXT)
ENDPOINTS = st.builds(
    endpoint,
    st.text(min_size=1, max_size=20).filter(str.strip),
    service=st.sampled_from(["catalog", "search"]),
    shape=st.lists(SHAPES, max_size=4),
    values=st.lists(VALUES, max_size=4),
    headers=st.lists(FIELDS, max_size=3),
)


@given(
    ones=st.lists(ENDPOINTS, max_size=4),
    overlay=TEXT,
    owner=st.text(min_size=1, max_size=20).filter(lambda text: text.strip() and "\0" not in text),
    signature=st.lists(
        st.text(min_size=1, max_size=20).filter(lambda text: text.strip() and "\0" not in text), max_size=3
    ),
)
@settings(max_examples=80, deadline=None)
def test_what_is_suggested_is_read_and_hides_nothing_that_has_to_be_seen(
    ones: list[dict[str, Any]], overlay: str, owner: str, signature: list[str]
) -> None:
    report = document("same", *ones, overlay=overlay)
    made = suggest(report, owner=owner, expires=DAY)
    ways = document(ignored=[rule(**scope(one.rule), signature=signature) for one in made])
    made = signed(made, ways)
    read = parse_rules(as_yaml(made, report), file="microstax.yaml").ignore
    assert [(one.meaning, one.owner, one.reason, one.signature, one.expires) for one in read] == [
        (one.rule.meaning, owner, one.rule.reason, tuple(dict.fromkeys(signature)), DAY) for one in made
    ]
    for one in ones:
        for family, key in (("shape", "shape"), ("value", "values"), ("header", "headers")):
            for found in one[key]:
                where = {"service": one["service"], "endpoint": one["endpoint"], "family": family}
                hidden = any(each.matches(**where, kind=found["kind"], place=found["path"]) for each in read)
                assert not (hidden and found["verdict"] in ("different", "undecided"))


@given(report=documents())
@settings(max_examples=60, deadline=None)
def test_whatever_came_over_the_wire_is_read_again(report: ReportDocument) -> None:
    made = suggest(report, owner="me", expires=None)
    text = as_yaml(made, report)
    assert text.encode()
    assert [one.meaning for one in parse_rules(text, file="f").ignore] == [one.rule.meaning for one in made]
