"""Secrets become hashes before anything else sees them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.capture.redaction import Redaction
from microstax.capture.redactor import Redactor
from microstax.capture.tap_trace import Identity, Trace, parse_trace
from microstax.capture.trace_reader import TraceReader
from microstax.model.exchange import Exchange, Headers, Response
from microstax.testing import a_request, a_response, an_exchange, tap_trace

KEY = b"k" * 32
SECRET = "s3cr3t-value"


def redactor(**rules: tuple[str, ...]) -> Redactor:
    return Redactor(Redaction(key=KEY, **rules))


def redacted(exchange: Exchange, rules: Redactor | None = None) -> Exchange:
    """Return what a reader with these rules makes of the exchange's trace."""
    trace = parse_trace(tap_trace(exchange))
    assert isinstance(trace, Trace)
    trace.identity = Identity(exchange.id, exchange.service, exchange.side, exchange.overlay)
    read = TraceReader(rules or redactor()).read(trace)
    assert isinstance(read, Exchange)
    return read


def headers_after(fields: Headers, **rules: tuple[str, ...]) -> Headers:
    return redacted(an_exchange(request=a_request(headers=fields)), redactor(**rules)).request.headers


def body_after(body: bytes, content_type: str = "application/json", **rules: tuple[str, ...]) -> bytes:
    response = a_response(body, headers=(("content-type", content_type),))
    return answer(redacted(an_exchange(response=response), redactor(**rules))).body


def answer(exchange: Exchange) -> Response:
    assert exchange.response is not None
    return exchange.response


HASH = redactor().hash(SECRET.encode())
KINDS = ["application/json", "text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]


def test_a_hash_needs_the_key() -> None:
    other = Redactor(Redaction(key=b"q" * 32)).hash(SECRET.encode())
    assert HASH.startswith("redacted:")
    assert other != HASH
    assert redactor().hash(SECRET.encode()) == HASH


@pytest.mark.parametrize("name", ["authorization", "proxy-authorization", "x-api-key", "x-token"])
def test_secret_headers_are_hashed(name: str) -> None:
    assert headers_after(((name, SECRET), ("accept", "*/*")), headers=("X-Token",)) == (
        (name, HASH),
        ("accept", "*/*"),
    )


def test_what_holds_no_secret_is_not_even_copied() -> None:
    exchange = an_exchange(request=a_request(headers=(("accept", "*/*"),)))
    assert redacted(exchange) == exchange
    rules = redactor(json_paths=("$.user",), patterns=("nothing",), parameters=("token",))
    assert redacted(exchange, rules) == exchange
    body = b'{"other": 1}'
    assert rules.body(body, "application/json", encoded=False) == body
    assert redactor().body(body, "application/json", encoded=False) is body


def test_an_empty_secret_stays_empty() -> None:
    assert headers_after((("authorization", ""),)) == (("authorization", ""),)


def test_cookies_keep_their_names() -> None:
    assert headers_after((("cookie", f"sid={SECRET}; theme={SECRET}; bare"),)) == (
        ("cookie", f"sid={HASH}; theme={HASH};{redactor().hash(b'bare')}"),
    )


def test_set_cookie_keeps_name_and_attributes() -> None:
    headers = (("set-cookie", f"sid={SECRET}; Path=/; HttpOnly; Max-Age=60"), ("set-cookie", "gone=; Max-Age=0"))
    after = answer(redacted(an_exchange(response=a_response(headers=headers)))).headers
    assert after == (("set-cookie", f"sid={HASH}; Path=/; HttpOnly; Max-Age=60"), ("set-cookie", "gone=; Max-Age=0"))


def test_trailers_are_redacted() -> None:
    exchange = an_exchange(response=a_response(trailers=(("x-api-key", SECRET),)))
    assert answer(redacted(exchange)).trailers == (("x-api-key", HASH),)


def test_query_parameters_are_hashed_where_urls_stand() -> None:
    request = a_request(f"/a?token={SECRET}&page=2", headers=(("referer", f"http://x/a?b=1&token={SECRET}#top"),))
    location = a_response(headers=(("location", f"/next?token={SECRET}"),), status=302)
    exchange = redacted(an_exchange(request=request, response=location), redactor(parameters=("token",)))
    assert exchange.request.path == f"/a?token={HASH}&page=2"
    assert exchange.request.headers == (("referer", f"http://x/a?b=1&token={HASH}#top"),)
    assert answer(exchange).headers == (("location", f"/next?token={HASH}"),)


def test_a_parameter_spelled_with_escapes_is_the_same_parameter() -> None:
    request = a_request("/a?t%6Fken=s3cr3t%2Dvalue")
    exchange = redacted(an_exchange(request=request), redactor(parameters=("token",)))
    assert exchange.request.path == f"/a?t%6Fken={HASH}"


def test_form_fields_are_parameters() -> None:
    form = "application/x-www-form-urlencoded; charset=utf-8"
    assert (
        body_after(f"user=me&token={SECRET}".encode(), form, parameters=("token",)).decode() == f"user=me&token={HASH}"
    )


def test_patterns_work_everywhere() -> None:
    request = a_request(f"/by/{SECRET}", headers=(("x-note", f"is {SECRET}!"),), body=f"<{SECRET}>".encode())
    exchange = redacted(an_exchange(request=request), redactor(patterns=("s3cr3t-[a-z]+",)))
    assert exchange.request.path == f"/by/{HASH}"
    assert exchange.request.headers == (("x-note", f"is {HASH}!"),)
    assert exchange.request.body == f"<{HASH}>".encode()


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("/a?x=s3cr3t%2Dvalue&y=1%202", f"/a?x={HASH}&y=1%202"),
        ("/a?n=is+s3cr3t%2Dvalue%21", f"/a?n=is%20{HASH}%21"),
        ("/a?s3cr3t%2Dvalue=1#s3cr3t-value", f"/a?{HASH}=1#{HASH}"),
        ("/by/s3cr3t%2Dvalue/a+b%20c", f"/by/{HASH}/a+b%20c"),
        ("/a?x=%FF%zz&y=%", "/a?x=%FF%zz&y=%"),
    ],
)
def test_patterns_find_what_percent_escapes_hide(path: str, after: str) -> None:
    exchange = redacted(an_exchange(request=a_request(path)), redactor(patterns=("s3cr3t-[a-z]+",)))
    assert exchange.request.path == after


def test_patterns_find_what_a_form_hides() -> None:
    form = "application/x-www-form-urlencoded"
    assert body_after(b"a=s3cr3t%2Dvalue&b=%C3%A9", form, patterns=("s3cr3t-value",)) == f"a={HASH}&b=%C3%A9".encode()


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (rb'{"a":"\u00733cr3t\u002dvalue","b":"\ud83d\ude00\n"}', f'{{"a":"{HASH}","b":"\U0001f600\\n"}}'),
        (
            rb'{"a":"s3cr3t-value","b":"\\u0041\"\u0022\u0007\ud800"}',
            f'{{"a":"{HASH}","b":"\\\\u0041\\"\\u0022\\u0007\\ud800"}}',
        ),
        (rb'{"a":"s3cr3t\u002dvalue","b":', f'{{"a":"{HASH}","b":'),
        ('{"a": "s3cr3t-value"}'.encode("utf-16"), f'{{"a": "{HASH}"}}'),
    ],
)
def test_patterns_find_what_json_escapes_hide(body: bytes, after: str) -> None:
    assert body_after(body, patterns=("s3cr3t-value",)).decode().lstrip("\ufeff") == after


def test_a_pattern_finds_a_url_with_escaped_slashes() -> None:
    body = body_after(rb'{"a": "https:\/\/me:s3cr3t-value@x\/"}', patterns=("https?://[^@]*:([^@]*)@",))
    assert body.decode() == f'{{"a": "https://me:{HASH}@x/"}}'


def test_what_hides_nothing_stays_as_it_was_written() -> None:
    body = rb'{"a": "\u00e9\/\u0041"}'
    assert body_after(body, patterns=("s3cr3t-value",)) == body


def test_patterns_with_letters_beyond_ascii_are_found_beside_redacted_places() -> None:
    body = body_after('{"name": "Müller", "email": "x"}'.encode(), patterns=("Müller",), json_paths=("$.email",))
    assert "redacted:" in json.loads(body)["name"]


def test_fields_of_a_form_in_parts_are_parameters() -> None:
    def form(value: str) -> bytes:
        return (
            '--B0\r\ncontent-disposition: form-data; name="user"\r\n\r\nme\r\n'
            f'--B0\r\nContent-Disposition: form-data; filename="f"; name="token"\r\n\r\n{value}\r\n--B0--\r\n'
        ).encode()

    kind = 'multipart/form-data; boundary="B0"'
    assert body_after(form(SECRET), kind, parameters=("token",)) == form(HASH)
    assert body_after(form(SECRET), kind, parameters=("other",)) == form(SECRET)
    cut = body_after(form(SECRET)[:-20], "multipart/form-data; boundary=B0; charset=utf-8", parameters=("token",))
    assert SECRET[:-10].encode() not in cut


def test_a_form_in_parts_without_a_boundary_goes_as_a_whole() -> None:
    assert body_after(SECRET.encode(), "multipart/form-data", parameters=("token",)).decode() == HASH


def test_of_a_pattern_with_groups_only_the_groups_go() -> None:
    pattern = r"card=(\S+) pin=(\S+)"
    body = body_after(f"card={SECRET} pin={SECRET} end".encode(), "text/plain", patterns=(pattern,))
    assert body.decode() == f"card={HASH} pin={HASH} end"


def test_a_pattern_whose_groups_took_no_part_hides_the_whole_match() -> None:
    body = body_after(SECRET.encode(), "text/plain", patterns=(r"s3cr3t-value|(x)",))
    assert body.decode() == HASH


def test_patterns_find_their_way_through_binary_bodies() -> None:
    body = body_after(b"\xff\xfe" + SECRET.encode() + b"\x80", "application/octet-stream", patterns=("s3cr3t-value",))
    assert body == b"\xff\xfe" + HASH.encode() + b"\x80"


def test_json_values_at_a_path() -> None:
    body = body_after(
        b'{"users": [{"email": "a@b", "age": 3}, {"email": "a@b"}, {"email": null}], "email": "kept"}',
        json_paths=("$.users[].email",),
    )
    users = json.loads(body)["users"]
    assert users[0]["email"] == users[1]["email"] == redactor().hash(b'"a@b"')
    assert users[0]["age"] == 3
    assert users[2]["email"] is None, "a secret that turns null must still be seen"
    assert json.loads(body)["email"] == "kept"


def test_below_a_path_everything_goes_and_the_shape_stays() -> None:
    body = json.loads(body_after(b'{"user": {"id": 7, "tags": ["a", true], "none": null}}', json_paths=("$.user",)))
    hashed = redactor().hash
    assert body == {"user": {"id": hashed(b"7"), "tags": [hashed(b'"a"'), hashed(b"true")], "none": None}}


def test_a_number_and_its_text_stay_different() -> None:
    assert body_after(b'{"id": 1}', json_paths=("$.id",)) != body_after(b'{"id": "1"}', json_paths=("$.id",))


def test_what_the_differ_looks_at_survives() -> None:
    """Members that stand twice, large integers and the spelling of numbers."""
    body = b'{"secret": 1, "a": 18446744073709551616, "a": 1.10, "z": 1e400, "t": "\\ud800\\u00e9"}'
    after = body_after(body, json_paths=("$.secret",))
    rest = b',"a":18446744073709551616,"a":1.10,"z":1e400,"t":"\\ud800\\u00e9"}'
    assert after == b'{"secret":"' + redactor().hash(b"1").encode() + b'"' + rest


def test_an_escaped_name_is_the_same_name() -> None:
    assert SECRET.encode() not in body_after(b'{"\\u0065mail": "' + SECRET.encode() + b'"}', json_paths=("$.email",))


def test_a_body_in_utf16_is_read_too() -> None:
    text = '{"email": "' + SECRET + '"}'
    assert SECRET.encode("utf-16-le") not in body_after(text.encode("utf-16"), json_paths=("$.email",))


@pytest.mark.parametrize(
    "body",
    [
        b'{"email": "s3cr3t-value',
        b'{"email": "s3cr3t-value"} {"email": "s3cr3t-value"}',
        b'{"email": "\xff s3cr3t-value"}',
        b"[" * 100_000 + b'"email s3cr3t-value"',
    ],
    ids=["cut off", "several documents", "not UTF-8", "too deep"],
)
def test_json_that_cannot_be_read_goes_as_a_whole(body: bytes) -> None:
    after = body_after(body, json_paths=("$.email",))
    assert after.startswith(b"redacted:")
    assert SECRET.encode() not in after


def test_a_page_that_only_mentions_the_name_is_left_alone() -> None:
    page = b"<html>your email please</html>"
    assert redactor(json_paths=("$.email",)).body(page, "text/html", encoded=False) is page


def test_a_body_that_could_not_be_decoded_goes_as_a_whole_when_bodies_have_rules() -> None:
    response = Response(status=200, headers=(("content-encoding", "zip"),), body=SECRET.encode(), encoded=True)
    assert answer(redacted(an_exchange(response=response), redactor(patterns=("x",)))).body == HASH.encode()
    assert answer(redacted(an_exchange(response=response))).body == SECRET.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["a", "b", "email"]), inner, max_size=3),
)


@given(json_values)
def test_json_without_the_path_keeps_its_meaning(value: object) -> None:
    body = json.dumps({"top": value, "email": 1}).encode()
    after = json.loads(body_after(body, json_paths=("$.email",)))
    assert json.dumps(after["top"]) == json.dumps(value)
    assert after["email"] == redactor().hash(b"1")


@given(st.binary(), st.text(st.characters(codec="utf-8")), st.sampled_from(KINDS))
def test_no_traffic_raises(body: bytes, text: str, content_type: str) -> None:
    headers = (("content-type", content_type), ("cookie", text), ("set-cookie", text), ("location", text))
    exchange = an_exchange(
        request=a_request(text, headers=headers, body=body), response=a_response(body, headers=headers)
    )
    redacted(exchange, redactor(json_paths=("$", "$[].a"), patterns=("(a)|b",), parameters=("a",)))
    redacted(exchange, redactor(patterns=("(a)|b",)))
