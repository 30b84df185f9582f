# ruff: noqa: S314  # what is parsed was written by the renderer
"""Every figure has the same value in all formats: each is read back from each format and compared with the JSON."""

import html
import json
import re
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import report_documents as documents

from microstax.report.render import render

FORMATS = ("table", "wide", "markdown", "junit", "html")
PAIR = r"[0-9a-f]{8}-[0-9a-f-]{27}"
FINDING = re.compile(
    r"(?P<count>[\d,]+) times?(?: \((?P<rate>[\d.]+)%\))?(?: on (?P<contexts>[\d,]+) distinct requests?)?"
    r", noise (?P<noise>[\d.,]*\d|not measured)%?"
    r"(?:, e-value (?:10\^(?P<evidence>[\d.]+)|(?P<e_value>[\d.]+)))?"
    r"(?:, excess (?P<excess>-?[\d.]+)%(?:, at most (?P<excess_high>-?[\d.]+)%)?)?"
    r"(?:, about (?P<needs>[\d,]+) more requests?"
    r"(?:, (?P<needs_minutes>under a minute|[\d.,]+ \w+) at the rate so far)?)?"
    rf"[,|\s]+(?:pair )?(?P<pair>{PAIR})"
)
NOISE = re.compile(r"(?P<where>\$\S+) \((?P<count>[\d,]+) times? \((?P<rate>[\d.]+)%\), noise (?P<noise>[\d.]+)%\)")
QUANTILE = re.compile(
    r"(?P<name>p50|p90|p99)[\s|]+(?P<baseline>[\d.,]+)(?: ->|[\s|])+(?P<branch>[\d.,]+)(?: ms)?"
    r"(?:[\s|(]+(?:control )?(?P<control>[\d.,]*\d))?"
    r"[\s|,(]*x(?P<ratio>[\d.,]+) \((?P<low>[\d.]+)\.\.(?P<high>[\d.]+)\)"
)
PLAIN_QUANTILE = re.compile(r"(?P<name>p50|p90|p99) (?P<baseline>[\d.,]+\d) -> (?P<branch>[\d.,]*\d)")
MINUTES = {"minute": 1, "minutes": 1, "hours": 60, "days": 1440}


def chunks(document: Any, name: str) -> dict[str, str]:
    """Return what a format says of each endpoint, as plain text, and of the report as a whole under the name ''."""
    if name in {"table", "wide"}:
        parts = render(document, "table", width=80 if name == "table" else 200).split("\n\n")
        return keyed(document, [" ".join(part.split()) for part in parts])
    text = render(document, name)
    if name == "markdown":
        text = text.replace("| --- ", "").replace("<span>$</span>", "$").replace("<!-- -->", "")
        *parts, rest = text.split("<details>")
        parts += [rest, *rest.splitlines()]
    elif name == "html":
        text = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
        text = re.sub(r"<small>[^<]*</small>|<title>.*?</title>", " ", text)
        parts = re.split(r"<article|<section class=\"declared\"|<section id=\"endpoints\"", text)
    else:
        root = ET.fromstring(text)
        parts = [" ".join(one.get("value", "") for one in root.iter("property"))]
        parts += [f"{case.get('name')}: {' '.join(case.itertext())}" for case in root.iter("testcase")]
        return keyed(document, [" ".join(part.split()) for part in parts])
    return keyed(document, [plain(part) for part in parts])


def plain(text: str) -> str:
    text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    return " ".join(re.sub(r"[\\`*]", "", text).split())


def keyed(document: Any, parts: list[str]) -> dict[str, str]:
    found = {}
    for endpoint in endpoints(document):
        found[endpoint["endpoint"]] = " ".join(part for part in parts[1:] if endpoint["endpoint"] in part[:120])
    return {**found, "": " ".join(parts)}


def endpoints(document: Any) -> list[Any]:
    return [endpoint for service in document["services"] for endpoint in service["endpoints"]]


def findings(endpoint: Any) -> list[Any]:
    return [*endpoint["status"], *endpoint["shape"], *endpoint["values"], *endpoint["headers"]]


def value(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def agrees(text: str, exact: float, *, digits: int) -> bool:
    """Tell whether the text is the exact value, rounded to its last digit, and has at least `digits` that matter."""
    shown = value(text)
    step = Decimal(1).scaleb(int(shown.as_tuple().exponent))
    significant = len(shown.as_tuple().digits) >= digits or shown == Decimal(repr(exact))
    return significant and abs(shown - Decimal(repr(exact))) <= step / 2 * Decimal("1.000001")


def check_rate(text: str, rate: float) -> None:
    assert agrees(text, rate * 100, digits=2), (text, rate)


def check_finding(shown: dict[str, str], found: Any) -> None:
    """Compare all that was read of a finding with the document."""
    assert value(shown["count"]) == found["count"]
    assert value(shown["contexts"]) == found["contexts"]
    if "rate" in found:
        check_rate(shown["rate"], found["rate"])
    if shown["noise"] != "not measured":
        check_rate(shown["noise"], found["noise_rate"]) if "rate" in found else None
        assert "rate" in found or value(shown["noise"]) == found["noise"]
    if found["evidence"] is not None and found["verdict"] != "same":
        big = found["evidence"] >= 3
        text, exact = (shown["evidence"], found["evidence"]) if big else (shown["e_value"], 10 ** found["evidence"])
        assert agrees(text, exact, digits=1)
    for name in ("excess", "excess_high"):
        assert (shown[name] is None) == (found["excess"] is None)
        if shown[name]:
            check_rate(shown[name], found[name])
    undecided = found["verdict"] == "undecided"
    assert (shown["needs"] is not None) == undecided
    if undecided:
        assert value(shown["needs"]) == found["needs"]
        check_minutes(shown["needs_minutes"], found["needs_minutes"])


def check_minutes(text: str, minutes: float) -> None:
    if text == "under a minute":
        assert minutes < 1
        return
    number, unit = text.split()
    assert agrees(number, minutes / MINUTES[unit], digits=1)


@pytest.mark.parametrize("name", FORMATS)
def test_findings(document: Any, name: str) -> None:
    read = 0
    for endpoint in endpoints(document):
        shown = {
            found["pair"]: found.groupdict() for found in FINDING.finditer(chunks(document, name)[endpoint["endpoint"]])
        }
        expected = {found["pair"]: found for found in findings(endpoint)}
        if name in {"table", "wide"} or (name == "markdown" and endpoint["verdict"] == "same"):
            expected = {pair: found for pair, found in expected.items() if found["verdict"] != "same"}
        assert set(shown) == set(expected)
        for pair, found in expected.items():
            check_finding(shown[pair], found)
            read += 1
    assert read >= 9


@pytest.mark.parametrize("name", ["table", "wide"])
def test_noise_in_one_sentence(document: Any, name: str) -> None:
    for endpoint in endpoints(document):
        noisy = {found["path"]: found for found in findings(endpoint) if found["verdict"] == "same"}
        text = re.sub(r"\(\s+", "(", chunks(document, name)[endpoint["endpoint"]])
        shown = {found["where"]: found for found in NOISE.finditer(text)}
        assert set(shown) == set(noisy)
        for where, found in noisy.items():
            assert value(shown[where]["count"]) == found["count"]
            check_rate(shown[where]["rate"], found["rate"])
            check_rate(shown[where]["noise"], found["noise_rate"])


@pytest.mark.parametrize("name", FORMATS)
def test_latencies(document: Any, name: str) -> None:
    for endpoint in endpoints(document):
        latency, text = endpoint["latency"], chunks(document, name)[endpoint["endpoint"]]
        short = name in {"table", "wide", "markdown"} and endpoint["verdict"] == "same"
        if short and name == "markdown":
            continue
        found = list((PLAIN_QUANTILE if short else QUANTILE).finditer(text))
        assert len(found) == (3 if latency["pairs"] else 0)
        for one in found:
            sides = ("baseline", "branch") if short else ("baseline", "branch", "control")
            for side in sides:
                if side == "control" and latency["control"] is None:
                    assert one["control"] is None
                else:
                    assert agrees(one[side], latency[side][one["name"]], digits=2)
            for key in () if short else ("ratio", "low", "high"):
                assert agrees(one[key], latency["effect"][one["name"]][key], digits=3)
        if not short and latency["pairs"]:
            check_asides(text, latency)


def check_asides(text: str, latency: Any) -> None:
    text = re.sub(r"longest; (?=\d)", "longest, ", text)
    assert f"{latency['confidence']:.0%} anytime-valid" in text
    assert f"{latency['pairs']:,} pairs" in text
    assert (f"{latency['cold']:,} cold left out" in text) == bool(latency["cold"])
    assert (f"{latency['timeouts']:,} timeouts" in text) == bool(latency["timeouts"])
    spikes = f"{latency['spikes']:,} spikes of the branch, {latency['reference_spikes']:,} of the control: different"
    assert (spikes in text) == bool(latency["spikes"])
    assert all(pair in text for pair in latency["spike_pairs"])


@pytest.mark.parametrize("name", FORMATS)
def test_endpoints(document: Any, name: str) -> None:
    for endpoint in endpoints(document):
        text = chunks(document, name)[endpoint["endpoint"]]
        assert f"{endpoint['pairs']:,} pairs" in text or f"| {endpoint['pairs']:,} |" in text
        assert endpoint["verdict"] in text
        if endpoint["failing_contexts"]:
            share, good, total = re.search(r"([\d.]+)% \(([\d,]+) of ([\d,]+) distinct requests without", text).groups()  # type: ignore[union-attr]
            check_rate(share, endpoint["accuracy"])
            assert (value(good), value(total)) == (
                endpoint["contexts"] - endpoint["failing_contexts"],
                endpoint["contexts"],
            )
        if endpoint["needs"]:
            needs, minutes = re.search(r"about ([\d,]+) more requests, ([\d.,]+ \w+) at", text).groups()  # type: ignore[union-attr]
            assert value(needs) == endpoint["needs"]
            check_minutes(minutes, endpoint["needs_minutes"])


@pytest.mark.parametrize("name", FORMATS)
def test_groups(document: Any, name: str) -> None:
    text = chunks(document, name)["GET /products/{id}"]
    condition = re.search(r"([\d,]+) times, only when query country=DE \((\S+)% of .*?, (\S+)% of the others\)", text)
    together = re.search(r"(\d+) differences that always occur together, ([\d,]+) times", text)
    assert condition
    assert together
    first, second = document["services"][0]["endpoints"][0]["groups"][:2]
    assert value(condition[1]) == first["count"]
    check_rate(condition[2], first["failing_share"])
    check_rate(condition[3], first["passing_share"])
    assert (value(together[1]), value(together[2])) == (second["findings"], second["count"])


@pytest.mark.parametrize("name", FORMATS)
def test_the_report_as_a_whole(document: Any, name: str) -> None:
    text, coverage, rechecks = chunks(document, name)[""], document["coverage"], document["rechecks"]
    lost = " + ".join(f"{count:,} {reason}" for reason, count in coverage["not_compared"].items())
    assert f"{coverage['mirrored']:,} mirrored = {coverage['paired']:,} compared + {lost}" in text
    assert f"{coverage['requests']:,} = {coverage['mirrored']:,} mirrored + 39 not mirrored" in text
    assert "0.49% of the mirrored were not captured: 5 without any trace, 4 without the copy's" in text
    assert "counted 1,852 copies: 15 timed out, 0 dropped, 1 failed; what was captured differs" in text
    reason = "1 explained (not all was captured)"
    assert f"catalog: Envoy timed out 15 copies, 12 were captured as timeouts: 2 unexplained, {reason}" in text
    assert f"catalog: Envoy saw 1 copy fail, 0 were captured as errors: {reason}" in text
    assert "3 traces with no place in the account: late 2, unmatched 1" in text
    assert agrees(re.search(r"([\d.,]+) pairs a minute", text)[1], document["pairs_per_minute"], digits=1)  # type: ignore[index]
    assert f"({document['contexts'] - document['failing_contexts']:,} of {document['contexts']:,} distinct" in text
    assert f"{rechecks['vanished']} of {rechecks['asked']} mismatches vanished when asked again" in text
    assert (
        f"{rechecks['persisted']} persisted, {rechecks['failed']} could not be asked, {rechecks['over_budget']} more"
        in text
    )
    assert "alpha 0.05 over 412 hypotheses, tolerance 1%, latency tolerance 10%, at least 100 pairs" in text
    assert (
        "12 unsafe calls left the branch as patch.yaml allows (POST search 12); 1,214 were refused: "
        "POST orders /orders/{id} 1,100, connections db 105"
    ) in text
    assert "9 calls of the branch or the control over the bridge's limits" in text
    assert "direct connections of the branch are not enforced" in text
    assert (
        re.search(r"1,100\b.{0,80}2026-11-24T09:59:58Z.{0,20}POST /orders/17\?q=redacted:11", text)
        or (
            "1,100 x POST /orders/{id} to orders: unsafe method, last at 2026-11-24T09:59:58Z, for example "
            "POST /orders/17?q=redacted:11 by python-requests/2.32"
        )
        in text
    )
    assert "9 more calls counted by Envoy and not listed" in text
    assert "POST 34, DELETE 2 (method), body_too_large 3" in text
    assert document["since"] in text
    assert "appeared, 1 finding, seen 371 times" in text
    assert text.count("hides 1 finding, seen 1,178 times") == 2 * (2 if name == "junit" else 1)
    assert "expired on 2026-11-01" in text


@pytest.mark.parametrize("log10", [2.9994, 3.0, 12.34, 300.0, 0.5, -0.7])
@pytest.mark.parametrize("name", FORMATS)
def test_evidence_of_any_size(document: Any, name: str, log10: float) -> None:
    document["services"][0]["endpoints"][0]["status"][0]["evidence"] = log10
    text = chunks(document, name)["GET /products/{id}"]
    shown = next(found for found in FINDING.finditer(text) if found["pair"] == documents.pair_id(1))
    if log10 >= 3:
        assert agrees(shown["evidence"], log10, digits=2)
    else:
        assert agrees(shown["e_value"], 10**log10, digits=1)


def test_the_json_has_the_figures_unrounded(document: Any) -> None:
    assert json.loads(render(document, "json")) == document
