"""Statuses, headers, trailers and bodies that are no JSON."""

from collections.abc import Callable
from typing import Any

import pytest

from microstax.diff import Rules, compare, compare_triple, why_not_compared
from microstax.model.difference import (
    BodyDifference,
    BodyKind,
    HeaderDifference,
    HeaderKind,
    StatusDifference,
)
from microstax.model.exchange import Exchange, NotCompared, Triple

Answer = Callable[..., Exchange]
Joined = Callable[..., Triple]


def test_another_status_class_is_the_only_difference(answer: Answer) -> None:
    base, other = answer({"a": 1}), answer({"error": "x"}, status=500, headers=(("x-new", "1"),))
    assert compare(base, other) == (StatusDifference(200, 500),)


def test_another_status_of_one_class_leaves_the_bodies_comparable(answer: Answer) -> None:
    differences = compare(answer({"a": 1}), answer({"a": 2}, status=201))
    assert differences[0] == StatusDifference(200, 201)
    assert len(differences) == 2


def headers(answer: Answer, base: Any, other: Any, **both: Any) -> list[tuple[str, str]]:
    differences = compare(answer(headers=base, **both), answer(headers=other, **both))
    assert all(isinstance(one, HeaderDifference) for one in differences)
    return [(one.kind.value, one.name) for one in differences if isinstance(one, HeaderDifference)]


@pytest.mark.parametrize(
    ("base", "other", "expected"),
    [
        ((("x-a", "1"),), (("x-a", "2"),), [("value", "x-a")]),
        ((("x-a", "1"),), (), [("missing", "x-a")]),
        ((), (("x-a", "1"),), [("extra", "x-a")]),
        ((("x-a", "1"), ("x-a", "1")), (("x-a", "1"),), [("value", "x-a")]),
        ((("x-a", "1"), ("x-b", "2")), (("x-b", "2"), ("x-a", "1")), []),
        ((("date", "1"), ("x-request-id", "1"), ("x-envoy-a", "1")), (("date", "2"),), []),
        ((("etag", "1"),), (("etag", "2"),), []),
        ((("etag", "1"),), (), [("missing", "etag")]),
        ((("vary", "Accept, Origin"),), (("vary", "origin"), ("vary", "accept")), []),
        ((("content-type", 'Text/HTML;charset="utf-8"'),), (("content-type", "text/html; charset=UTF-8"),), []),
        ((("content-type", "text/html"),), (("content-type", "text/plain"),), [("value", "content-type")]),
        ((("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")), (("set-cookie", "b=3"), ("set-cookie", "a=9")), []),
        ((("set-cookie", "a=1"),), (("set-cookie", "c=1"),), [("value", "set-cookie")]),
        ((("x-a", "\udcff"),), (("x-a", "\udcfe"),), [("value", "x-a")]),
    ],
)
def test_headers(answer: Answer, base: Any, other: Any, expected: list[tuple[str, str]]) -> None:
    assert headers(answer, base, other) == expected


@pytest.mark.parametrize(
    ("base", "other", "same"),
    [
        ("http://shop.test/a?b=1", "/a?b=1", True),
        ("http://127.0.0.1:4001/a", "http://localhost:4002/a", True),
        ("https://elsewhere.test/a", "https://elsewhere.test/b", False),
        ("https://elsewhere.test/a", "/a", False),
        ("/a", "/b", False),
        ("http://[broken", "/b", False),
    ],
)
def test_a_redirect_is_compared_without_the_host_that_answered(
    answer: Answer, base: str, other: str, *, same: bool
) -> None:
    found = headers(answer, (("location", base),), (("location", other),), status=302)
    assert found == ([] if same else [("value", "location")])


def test_grpc_status_and_trailers(answer: Answer) -> None:
    ok = answer(b"\0", headers=(("content-type", "application/grpc"),), trailers=(("grpc-status", "0"),))
    failed = answer(b"", headers=(("content-type", "application/grpc"), ("grpc-status", "13"), ("grpc-message", "x")))
    assert compare(ok, failed) == (StatusDifference(0, 13, grpc=True),)
    other = answer(
        b"\0", headers=(("content-type", "application/grpc"),), trailers=(("grpc-status", "0"), ("x-cost", "1"))
    )
    assert compare(ok, other) == (HeaderDifference(HeaderKind.EXTRA, "x-cost", None, "1"),)
    odd = answer(b"\0", headers=ok.response.headers, trailers=(("grpc-status", "no"),))  # type: ignore[union-attr]
    assert compare(ok, odd) == ()


@pytest.mark.parametrize(
    ("base", "other", "kind"),
    [
        (b"hello", b"hello you", BodyKind.TEXT),
        (b"\x89PNG\0\1", b"\x89PNG\0\2", BodyKind.BINARY),
        (b"\xff\xfe\xfd", b"\xff\xfe\xfc", BodyKind.BINARY),
        (b'{"a":1}', b"<html>", BodyKind.CONTENT_TYPE),
        (b'{"a":1}', b'{"a":', BodyKind.CONTENT_TYPE),
        (b'{"a":1}', b"", BodyKind.CONTENT_TYPE),
        (b"hello", b"\0\1", BodyKind.CONTENT_TYPE),
    ],
)
def test_bodies_as_wholes(answer: Answer, base: bytes, other: bytes, kind: BodyKind) -> None:
    (difference,) = compare(answer(base, headers=()), answer(other, headers=()))
    assert isinstance(difference, BodyDifference)
    assert difference.kind is kind
    assert difference.baseline != difference.branch


def test_a_body_is_what_it_is_whatever_its_content_type_says(answer: Answer) -> None:
    html: Any = (("content-type", "text/html"),)
    assert len(compare(answer(b'{"a":1}', headers=html), answer(b'{"a":1,"b":2,"c":3}', headers=html))) == 2
    (difference,) = compare(answer(b"no json"), answer(b"no json at all"))
    assert isinstance(difference, BodyDifference)
    assert difference.kind is BodyKind.TEXT


def test_a_large_json_body_is_compared_as_text(answer: Answer) -> None:
    (difference,) = compare(answer({"a": 1}), answer({"a": 2}), Rules(max_json_bytes=3))
    assert isinstance(difference, BodyDifference)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_answers_without_a_body(answer: Answer, method: str, status: int) -> None:
    assert compare(answer(b"", method=method, status=status), answer(b"x", method=method, status=status)) == ()


@pytest.mark.parametrize(
    ("base", "branch", "reason"),
    [
        ({}, {"local_reason": "UT"}, NotCompared.BRANCH_TIMEOUT),
        ({}, {"local_reason": "UO"}, NotCompared.BRANCH_OVERFLOW),
        ({}, {"local_reason": "UF,URX"}, NotCompared.BRANCH_ERROR),
        ({}, {"truncated": True}, NotCompared.TRUNCATED),
        ({"truncated": True}, {}, NotCompared.TRUNCATED),
        ({}, {"encoded": True, "body": b"zzz"}, NotCompared.UNDECODABLE),
        ({"encoded": True}, {"encoded": True}, None),
        ({"local_reason": "UF"}, {}, None),
        ({}, {}, None),
    ],
)
def test_why_a_triple_is_no_pair(
    answer: Answer, joined: Joined, base: Any, branch: Any, reason: NotCompared | None
) -> None:
    assert why_not_compared(joined(answer(**base), answer(**branch))) is reason


def test_a_side_without_an_answer(answer: Answer, joined: Joined) -> None:
    full = answer({"a": 1})
    none = Exchange(id="x", side=full.side, service="shop", overlay=None, request=full.request, response=None)
    assert why_not_compared(joined(full, none)) is NotCompared.BRANCH_TIMEOUT
    assert why_not_compared(joined(none, full)) is NotCompared.CAPTURE_GAP
    assert compare(full, none) == ()
    assert compare_triple(joined(full, none, none)).control is None


def test_of_a_truncated_pair_status_and_headers_are_compared(answer: Answer, joined: Joined) -> None:
    base = answer({"a": 1}, headers=(("x-a", "1"),), truncated=True)
    compared = compare_triple(joined(base, answer({"a": 2}, headers=(("x-a", "2"),)), answer({"a": 1})))
    assert compared.not_compared is NotCompared.TRUNCATED
    assert compared.branch == (HeaderDifference(HeaderKind.VALUE, "x-a", "1", "2"),)


@pytest.mark.parametrize(("cut", "found"), [(b'{"a": [1, 2', "text"), (b"", "empty")])
def test_a_json_answer_that_broke_off_is_a_difference(answer: Answer, joined: Joined, cut: bytes, found: str) -> None:
    """A trace does not say that a branch died in the middle of a chunked answer, but its body does."""
    compared = compare_triple(joined(answer({"a": [1, 2]}), answer(cut)))
    assert compared.not_compared is None
    assert compared.branch == (BodyDifference(BodyKind.CONTENT_TYPE, "json", found),)


@pytest.mark.parametrize("broken", [{"truncated": True}, {"local_reason": "UT"}, {"encoded": True}])
def test_a_control_that_failed_measures_nothing(answer: Answer, joined: Joined, broken: Any) -> None:
    assert compare_triple(joined(answer(), answer(), answer(**broken))).control is None
    assert compare_triple(joined(answer({}), answer({}), answer({"a": 1}))).control is not None
