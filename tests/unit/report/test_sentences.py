"""What the sentences of a report say: groups, declared changes, rules, rechecks, latencies, examples."""

from typing import Any

import pytest
import report_documents as documents

from microstax.report import declared, latencies, summary
from microstax.report.examples import MAX_PAIRS, pairs_shown
from microstax.report.groups import clusters
from microstax.report.ranking import ranked


def sentence(**given: Any) -> str:
    endpoint = documents.endpoint(
        "GET /", status=[documents.status(200, 500, 0, documents.judged("different", 412, pair=1, group=0))]
    )
    endpoint["groups"] = [documents.group(0, "status 200 -> 500", 412, **given)]
    return clusters(endpoint)[0].sentence


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, ""),
        ({"findings": 3}, "3 differences that always occur together, 412 times"),
        (
            {"findings": 3, "condition": "query country=DE", "failing_share": 1.0, "passing_share": 0.021},
            "3 differences that always occur together, 412 times, only when query country=DE "
            "(100% of the requests that show it, 2.1% of the others)",
        ),
        (
            {"condition": "query country=DE", "failing_share": 0.97},
            "412 times, mostly when query country=DE (97.0% of the requests that show it)",
        ),
        ({"condition": "method PUT"}, "412 times, only when method PUT"),
    ],
)
def test_groups(given: Any, shown: str) -> None:
    assert sentence(**given) == shown


def test_findings_without_a_group_stand_alone(document: Any) -> None:
    endpoint = documents.products()
    endpoint["groups"] = []
    assert [len(cluster.findings) for cluster in clusters(endpoint)] == [1] * 7


def test_what_is_missing_or_expired_stands_first(document: Any) -> None:
    assert [line.state for line in declared.expected(document)] == ["missing", "undecided", "appeared"]
    assert [line.state for line in declared.ignored(document)] == ["expired", "news", "ignored"]


def test_rules(document: Any) -> None:
    expired, news, plain = [line.sentence for line in declared.ignored(document)]
    assert expired == (
        "microstax.yaml:19: service catalog path $.etag: expired on 2026-11-01, so it hides nothing any more "
        "(a request id, owner team-catalog)"
    )
    assert "; NEW: what it hides now differs by type" in news
    assert "hides 1 finding, seen 1,178 times, which differ by value, until 2027-01-31" in plain


def test_a_rule_about_everything_says_so() -> None:
    assert declared.subject(documents.rule(service="", path="")) == "everything"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            {"asked": 40, "vanished": 31, "persisted": 9, "failed": 0, "over_budget": 0},
            "31 of 40 mismatches vanished when asked again, 9 persisted",
        ),
        (
            {"asked": 1, "vanished": 0, "persisted": 0, "failed": 1, "over_budget": 7},
            "0 of 1 mismatch vanished when asked again, 0 persisted, 1 could not be asked, 7 more were over the budget",
        ),
        (None, ""),
    ],
)
def test_rechecks(document: Any, given: Any, shown: str) -> None:
    document["rechecks"] = given
    assert summary.rechecks(document) == shown


def test_policy(document: Any) -> None:
    assert summary.policy(document) == (
        "alpha 0.05 over 412 hypotheses, tolerance 1%, latency tolerance 10%, at least 100 pairs an endpoint"
    )


def test_latencies_of_a_slow_branch() -> None:
    latency = documents.products()["latency"]
    assert latencies.summary(latency) == (
        "p50 3.10 -> 3.20 ms (control 3.15, x1.02 (0.99..1.05)); "
        "p90 5.25 -> 5.50 ms (control 5.30, x1.04 (0.97..1.12)); "
        "p99 12.4 -> 310 ms (control 12.9, x24.03 (18.20..31.70)); branch over control, 95% anytime-valid intervals; "
        "1,150 pairs, 62 cold left out, 12 timeouts counted as longest, 61 spikes of the branch, 2 of the control: "
        f"different; pairs {documents.pair_id(8)}, {documents.pair_id(12)}"
    )


def test_a_report_says_why_even_without_reasons() -> None:
    assert summary.why(documents.nothing()) == ["There is not enough traffic for a verdict yet."]


def test_spikes_alone_are_said(document: Any) -> None:
    endpoint = documents.endpoint("GET /", latency=documents.latency(spikes=61, spikes_verdict="different"))
    assert summary.standing_text(endpoint) == "same, spikes"
    assert not summary.is_quiet(endpoint)


def test_examples_are_one_a_group_the_most_important_first(document: Any) -> None:
    shown = pairs_shown(document)
    assert shown[:3] == [documents.pair_id(1), documents.pair_id(2), documents.pair_id(11)]
    assert shown[-1] == documents.pair_id(8)
    assert documents.pair_id(3) not in shown
    assert documents.pair_id(5) not in shown


def test_examples_are_bounded() -> None:
    shown = pairs_shown(documents.many(2000))
    assert len(shown) == len(set(shown)) == MAX_PAIRS


def test_most_affected_first() -> None:
    affected = [endpoint["failing_contexts"] for _, endpoint in ranked(documents.many(200))]
    assert affected == sorted(affected, reverse=True)
