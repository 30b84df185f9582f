"""What can be said about a request: for people, the same everywhere, nothing secret, and never an exception."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.diff.features import FEATURES, features_of, implied, is_more
from microstax.diff.rules import DEFAULT_RULES
from microstax.diff.sayable import LONGEST
from microstax.model.exchange import Headers, Request

JSON: Headers = (("content-type", "application/json"),)


def said(
    path: str = "/", *, headers: Headers = (), body: Any = b"", method: str = "GET", template: str = "/"
) -> tuple[str, ...]:
    """Return the features of a request; a `body` that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    request = Request(method=method, path=path, authority="", headers=headers, body=data)
    return features_of(request, template, DEFAULT_RULES)


def rest(features: tuple[str, ...]) -> list[str]:
    return [feature for feature in features if feature != "method GET"]


def test_the_example_of_the_documentation() -> None:
    """Each family is written as the documentation shows it."""
    features = said(
        "/things/7?country=DE",
        template="/things/{id}",
        method="POST",
        headers=(("accept-language", "de-DE,de;q=0.9"), ("cookie", "beta=redacted:00ff"), *JSON),
        body={"customer": {"country": "DE"}, "items": []},
    )
    assert features == (
        "cookie beta",
        "field $.customer.country=DE",
        "field $.items is an array",
        "header accept-language=de-DE",
        "header content-type=application/json",
        "method POST",
        "path {id}=7",
        "query country=DE",
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("country=DE&country=FR", ["query country=DE", "query country=FR"]),
        ("city=K%C3%B6ln&q=two+words", ["query city=Köln", "query q=two words"]),
        ("page=12&size=100000", ["query page=12", "query size=100000"]),
        ("debug&empty=", ["query debug", "query empty"]),
        ("customer=12345678", ["query customer"]),
        ("id=9f86d081-884c-4d63-a5b1-c2e2a1b3f4d5", ["query id"]),
        ("since=2026-11-24T07:00:00Z", ["query since"]),
        ("mail=someone%40example.org", ["query mail"]),
        ("token=redacted:9f86d081884c7d65", ["query token=redacted:9f86d081884c7d65"]),
        (f"long={'x' * 100}", ["query long"]),
        ("a%3Db=1&=2&12345678=3&%00=4&%ff=5", ["query \\xff=5"]),
    ],
)
def test_queries(query: str, expected: list[str]) -> None:
    """A value that many requests may have is said, of others only that they are there."""
    assert rest(said(f"/?{query}")) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("authorization", "Bearer abc", ["header authorization"]),
        ("proxy-authorization", "Basic abc", ["header proxy-authorization"]),
        ("x-api-key", "secret", ["header x-api-key"]),
        ("cookie", "session=secret; theme=dark; nonsense", ["cookie session", "cookie theme"]),
        ("accept", "text/html,application/xml;q=0.9", ["header accept=text/html"]),
        ("user-agent", "Mozilla/5.0 (X11; Linux)", ["header user-agent=Mozilla"]),
        ("x-tenant", "acme", ["header x-tenant=acme"]),
        ("x-user-id", "17", []),
        ("x-auth-token", "secret", []),
        ("x-request-id", "17", []),
        ("x-forwarded-for", "10.0.0.1", []),
        ("x-b3-sampled", "1", []),
        ("dnt", "1", []),
    ],
)
def test_headers(name: str, value: str, expected: list[str]) -> None:
    """Credentials and cookies are said to be there, ids and what proxies write not even that."""
    assert rest(said(headers=((name, value),))) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"a": True, "b": None, "c": 1.5, "d": "x"}, ["a=true", "b=null", "c=1.5", "d=x"]),
        ({"a": "5", "b": 5, "c": "true", "d": "null"}, ['a="5"', 'c="true"', 'd="null"', "b=5"]),
        ({"id": 12345678, "token": "x" * 50, "o": {}}, ["id is a number", "o is an object", "token is a string"]),
        ({"a": {"b": {"c": {"d": 1}}}}, ["a.b.c is an object"]),
        ({"items": [{"n": 1}, {"n": 2}, {"n": 1}]}, ["items[].n=1", "items[].n=2"]),
        ({"17": {"a": 1}, "18": {"a": 1}}, ["*.a=1"]),
    ],
)
def test_bodies(body: Any, expected: list[str]) -> None:
    """Scalars of a JSON body are said with their places; what is inside of a container says that it is there."""
    assert set(rest(said(body=body))) == {f"field $.{feature}" for feature in expected}


def test_forms() -> None:
    """A form is read like a query."""
    form = (("content-type", "application/x-www-form-urlencoded"),)
    assert "form country=DE" in said(headers=form, body=b"country=DE&x=%ff")


def test_segments_are_told_apart() -> None:
    """Where a template hides several segments, each is told with the one before."""
    template = "/users/{id}/orders/{id}"
    assert rest(said("/users/7/orders/order-9?x", template=template))[:2] == [
        "path orders/{id}=order-9",
        "path users/{id}=7",
    ]
    assert rest(said("/users/9f86d081884c7d65", template="/users/{id}")) == []
    assert rest(said("*", template="*")) == []


def test_what_a_feature_implies() -> None:
    """A value implies that it is there and of which type; a field those that it is in."""
    assert list(implied("method GET")) == ["method GET"]
    assert list(implied("query a=b=c")) == ["query a=b=c", "query a"]
    assert list(implied('field $.a[].b="5"')) == [
        'field $.a[].b="5"',
        "field $.a[].b",
        "field $.a[].b is a string",
        "field $.a[]",
        "field $.a[] is an object",
        "field $.a",
        "field $.a is an array",
    ]
    assert list(implied("field $.a is an array")) == ["field $.a is an array", "field $.a"]
    assert "field $.a is an object" in implied('field $.a["b c"]=1')


def test_what_was_left_out_is_said() -> None:
    """More than the limit of a family, or a body that cannot be read, is marked."""
    many = "&".join(f"p{at:03}=1" for at in range(100))
    features = said(f"/?{many}", headers=JSON, body=b'{"broken')
    assert {"query ...", "field ..."} <= set(features)
    assert "field ..." in said(body=list(range(5)))
    assert all(map(is_more, ["query ...", "field ..."]))
    assert not is_more("query country=DE")


TEXT = st.text(max_size=60) | st.text(st.characters(categories=["Cs", "Cc", "L", "P"]), max_size=60)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70)
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=50), inner))


@given(
    method=TEXT,
    path=TEXT.map("/a/1?".__add__) | TEXT,
    headers=st.lists(
        st.tuples(st.sampled_from(["accept", "cookie", "x-a", "user-agent", "content-type", "range"]) | TEXT, TEXT),
        max_size=12,
    ),
    body=st.binary(max_size=200)
    | DOCUMENTS.map(lambda document: json.dumps(document).encode())
    | st.sampled_from(["[", '{"a":[', '{"a":']).map(lambda part: part.encode() * 200),
)
def test_no_request_raises(method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """Whatever a request holds, its features are few, short, and can be sent and printed; so is what they imply."""
    request = Request(method=method, path=path, authority=method, headers=tuple(headers), body=body)
    features = features_of(request, "/a/{id}", DEFAULT_RULES)
    assert features == tuple(sorted(set(features)))
    assert len(features) <= FEATURES
    for feature in features:
        assert len(feature) <= LONGEST
        assert feature.encode().decode().isprintable()
        assert all(said.split(" ")[0] == feature.split(" ")[0] for said in implied(feature))
    assert sum(map(len, features)) < 1_000


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 200 + b"1" + b"}" * 200, b'{"a":' + b"9" * 9_000 + b"}"])
def test_deep_bodies_and_long_numbers(body: bytes) -> None:
    """A body that no parser reads to its end says that there is more."""
    assert {feature.partition(" ")[0] for feature in said(headers=JSON, body=body)} == {"method", "header", "field"}


def test_a_huge_request_is_bounded() -> None:
    """Neither a megabyte of query nor of body costs more than what is said about it."""
    query = "&".join(f"{chr(97 + at % 26)}{at}x={at}" for at in range(200_000))
    body = orjson.dumps({f"field{chr(97 + at % 26)}{at}x": at for at in range(100_000)})
    features = said(f"/?{query}", headers=tuple((f"x-h{at}-a", "v" * 30) for at in range(500)), body=body)
    assert len(features) <= FEATURES
    assert sum(map(len, features)) < 1_000
