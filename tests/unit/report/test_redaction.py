"""Redacted values stay redacted in every format: what the collector made a hash is shown as that hash."""

import json
from dataclasses import replace
from typing import Any

import pytest
import report_documents as documents
import report_pairs
from report_pairs import MARKER

from microstax.capture import Redactor
from microstax.capture.redaction import Redaction
from microstax.model.difference import HeaderDifference, HeaderKind, ValueDifference
from microstax.model.exchange import Exchange, Side
from microstax.report.pair import ComparedPair
from microstax.report.render import FORMATS, render

SECRET = "sk-live-4242424242424242"
RULES = Redaction(key=b"k" * 32, json_paths=("$.card",), parameters=("token",), patterns=("sk-live-[0-9]+",))


def captured(side: Side, number: int) -> Exchange:
    """Return an exchange with the secret in headers, query and body, as the collector lets it out."""
    redactor = Redactor(RULES)
    body = json.dumps({"card": SECRET, "note": f"paid with {SECRET}", "id": number}).encode()
    headers = (("set-cookie", f"session={SECRET}"), ("x-note", SECRET))
    shown = redactor.body(body, "application/json", encoded=False)
    raw = report_pairs.exchange(side, shown, headers=[(name, redactor.header(name, value)) for name, value in headers])
    request = replace(
        raw.request,
        path=redactor.header(":path", f"/pay?token={SECRET}"),
        headers=tuple((name, redactor.header(name, SECRET)) for name in ("authorization", "cookie")),
    )
    return replace(raw, request=request)


def redacted_pair() -> ComparedPair:
    branch = captured(Side.BRANCH, 2)
    pair = report_pairs.compared(documents.pair_id(1), branch)
    triple = replace(pair.triple, baseline=captured(Side.BASELINE, 1), control=captured(Side.CONTROL, 1))
    shown = json.loads(branch.response.body if branch.response else b"{}")["card"]
    found = (
        ValueDifference(path="$.card", baseline=shown, branch="redacted:00"),
        HeaderDifference(HeaderKind.VALUE, "set-cookie", "redacted:01", "redacted:02"),
    )
    return replace(pair, triple=triple, differences=found)


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_marker_stays_and_the_secret_is_nowhere(document: Any, format_name: str) -> None:
    endpoint = document["services"][0]["endpoints"][0]
    endpoint["values"][0].update(path="$.card", baseline=MARKER, branch="redacted:00")
    text = render(document, format_name, width=200, pairs={documents.pair_id(1): redacted_pair()})
    assert SECRET not in text
    assert MARKER in text


def test_the_example_shows_what_was_redacted_as_such(document: Any) -> None:
    text = render(document, "html", pairs={documents.pair_id(1): redacted_pair()})
    assert text.count("redacted:") > 12
    assert "sk-live" not in text
    assert "paid with redacted:" in text
