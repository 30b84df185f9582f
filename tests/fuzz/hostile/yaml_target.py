"""Files of users: env.yaml, patch.yaml over a baseline, and microstax.yaml."""

from collections.abc import Iterator
from typing import Final

from hostile.choices import Choices
from hostile.messages import spoil
from hostile.target import Target
from microstax.blueprint import apply_patch, parse_environment, parse_patch
from microstax.blueprint.documents import (
    environment_document,
    environment_from_document,
    overlay_document,
    overlay_from_document,
)
from microstax.blueprint.rules import parse_rules
from microstax.cli.sources import _text as decoded
from microstax.errors import InvalidFileError, UsageError

ENV: Final = """\
services:
  - {name: catalog, command: [python, -m, shop, --v1], port: 18101, dependsOn: [pricing], env: {A: "1", B: on}}
  - name: pricing
    command: python -m shop.pricing $(PORT)
    port: 18102
    health: {path: /healthz, interval: 500ms, timeout: 1s, startPeriod: 10}
  - {name: stock, url: "http://127.0.0.1:9000", port: 18103}
redact:
  headers: [x-session]
  jsonPaths: ["$.user.email", '$.items[]["a b"]']
  parameters: [token]
  patterns: ['\\b\\d{16}\\b', 'key=([a-z]+)']
previewHeader: x-preview
"""
PATCH: Final = """\
services:
  - name: catalog
    image: registry.example/catalog:2
    command: [python, -m, shop, --v2]
    env: {A: ~, C: "v2"}
    replicas: 2
    patch:
      - {op: test, path: /kind, value: Deployment}
      - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: D, value: "1"}}
      - {op: replace, path: /spec/template/spec/containers/0/workingDir, value: /srv}
bridge:
  allow: [{service: pricing, methods: [POST]}]
"""
RULES: Final = """\
ignore:
  - {path: "$.items[].price", kind: value, reason: rounding, owner: me, expires: 2027-03-01,
  signature: [integer>decimal]}
  - {path: x-trace-*, reason: r, owner: o, expires: never}
expect:
  - {path: "$.**.currency", endpoint: "GET /products/*", service: catalog, kind: missing, reason: moved, owner: me}
"""
_ALIASES: Final = (
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: {<<: [{e: 1}], <<: {f: 2}, e: &e {g: *c}}\nservices: *c\n"
)
_TEXTS: Final = (ENV, PATCH, RULES, _ALIASES)
_BITS: Final = (
    b"&a ", b"*a", b"<<: ", b"!!python/object/apply:os.system ", b"!!binary ", b"!!int ", b"? ", b"- ", b": ", b"| ",
    b"> ",
    b"---\n", b"...\n", b"%YAML 1.1\n", b"%TAG ! x\n", b'"\\x00"', b'"\\uD800"', b'"\\U00110000"', b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\0", b"\x85", b"\t", b"{", b"}", b"[", b"]", b"~", b"1e999", b"9" * 500, b"0x" + b"f" * 300, b".inf", b"# ",
    b"'", b"@",
    b"services:", b"name: ", b"command: ", b"port: ", b"redact: ", b"patterns: ", b"(a+)+$", b"ignore:", b"expect:",
    b"patch:",
    b"op: move", b"from: ", b"path: ", b"/-", b"/0", b"~1", b"bridge:", b"allow:", b"\xe2\x80\xae",
    b"expires: 9999-99-99",
)  # fmt: skip


def check(data: bytes) -> None:
    """Read a file in each of its roles: it is taken, or refused in one sentence that names the file."""
    choices = Choices(data)
    text = choices.pick(_TEXTS).encode() if choices.number(0, 1) else None
    source = choices.rest() if text is None else _changed(text, choices)
    try:
        file = decoded(source, "file.yaml")
    except InvalidFileError as error:
        return _check_sentence(error)
    for read in (_environment, _patch, _rules)[len(data) % 3 :][:1]:
        try:
            read(file)
        except UsageError as error:
            _check_sentence(error)
    return None


def _changed(text: bytes, choices: Choices) -> bytes:
    for _ in range(choices.number(0, 4)):
        at = choices.number(0, len(text))
        text = text[:at] + choices.pick(_BITS) + text[at + choices.pick((0, 0, 1, 4, 20)) :]
    return spoil(text, choices)


def _environment(text: str) -> None:
    spec = parse_environment("prod", text, file="file.yaml", directory="/srv")
    assert environment_from_document(environment_document(spec)) == spec, "an environment changes in the store"


def _patch(text: str) -> None:
    patch = parse_patch(text, file="file.yaml")
    made = apply_patch(patch, overlay_name="next", baseline=_BASELINE, file="file.yaml", directory="/srv")
    assert overlay_from_document(overlay_document(made.spec)) == made.spec, "an overlay changes in the store"


def _rules(text: str) -> None:
    for rule in (*(rules := parse_rules(text, file="file.yaml")).ignore, *rules.expect):
        rule.matches(service="catalog", endpoint="GET /a", family="shape", kind="missing", place="$.items[].price")


def _check_sentence(error: UsageError) -> None:
    assert error.message.startswith("file.yaml"), f"a refusal does not say where: {error.message!r}"
    assert len(error.message) < 3_000, "a refusal is not short"


_BASELINE: Final = parse_environment("prod", ENV, file="env.yaml", directory="/srv")


def seeds() -> Iterator[bytes]:
    """Give each file as it is, some that are refused, and decisions."""
    for text in _TEXTS:
        yield b"\0" + text.encode()
    yield b"\0\xef\xbb\xbfservices: {a: {command: x, port: 1}}\n"
    yield b"\0" + b"[" * 60
    yield b"\0a: 1\na: 2\n"
    yield b"\0services:\r\n- &x !!str {name: *x}\r\n"
    yield from (bytes([1, number]) + bytes(range(number, 60 + number)) for number in range(4))


TARGET: Final = Target(check=check, seeds=seeds, tokens=_BITS, longest=768)
