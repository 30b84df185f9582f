"""env.yaml: what people write, and what they are told when it is wrong."""

import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.blueprint import parse_environment, parse_patch, start_waves
from microstax.errors import InvalidFileError, MicrostaxError, UsageError
from microstax.model.environment import EnvironmentSpec, HealthCheck, ServiceSpec
from microstax.model.redaction import RedactionRules


def parse(text: str) -> EnvironmentSpec:
    return parse_environment("production", text, file="env.yaml", directory="/srv/shop")


def one(fields: str) -> ServiceSpec:
    """Return the one service with these fields."""
    return parse(f"services:\n  - {{name: catalog, port: 8001, {fields}}}\n").services[0]


def problem(text: str) -> str:
    """Return what is said about a wrong file."""
    with pytest.raises(InvalidFileError) as caught:
        parse(text)
    assert caught.value.file == "env.yaml"
    return caught.value.message


def test_a_whole_file() -> None:
    text = """\
services:
  - name: catalog
    command: [python, -m, shop.catalog]
    port: 8001
    env: {DISCOUNTS: "v1"}
    health: /healthz
    dependsOn: [pricing]
    workdir: ../code
  - name: pricing
    url: http://127.0.0.1:9000
    port: 8002
"""
    assert parse(text) == EnvironmentSpec(
        name="production",
        services=(
            ServiceSpec(
                name="catalog",
                command=("python", "-m", "shop.catalog"),
                port=8001,
                env={"DISCOUNTS": "v1"},
                health=HealthCheck(path="/healthz"),
                depends_on=("pricing",),
                workdir="/srv/code",
            ),
            ServiceSpec(name="pricing", url="http://127.0.0.1:9000", port=8002),
        ),
    )


def test_services_as_a_map() -> None:
    services = parse("services:\n  b: {command: x, port: 1}\n  a: {command: y, port: 2, name: a}\n").services
    assert [(service.name, service.command) for service in services] == [("b", ("x",)), ("a", ("y",))]


def test_words_that_yaml_reads_as_booleans_stay_words() -> None:
    """YAML 1.1 makes booleans of on, no, y; and 1.10 a number: here they are what was typed."""
    service = parse("services:\n  on: {command: x, port: 1, env: {A: on, B: no, C: 1.10, D: 0o17, E: true, F: ''}}\n")
    assert service.services[0].name == "on"
    assert service.services[0].env == {"A": "on", "B": "no", "C": "1.10", "D": "0o17", "E": "true", "F": ""}


def test_a_service_may_be_called_like_a_number() -> None:
    assert parse("services: {1: {command: x, port: 1}}").services[0].name == "1"


def test_anchors_and_merge_keys() -> None:
    text = """\
services:
  a: &base {command: x, port: 1, env: &env {A: "1"}}
  b: {<<: *base, port: 2, env: {<<: *env, B: "2"}}
"""
    second = parse(text).services[1]
    assert (second.command, second.port, second.env) == (("x",), 2, {"A": "1", "B": "2"})


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ("command: python -m shop.catalog", ("python", "-m", "shop.catalog")),
        ("command: \"serve --title 'a b'\"", ("serve", "--title", "a b")),
        ("command: [serve, 8080, on]", ("serve", "8080", "on")),
        ("command: [sh, -c, 'a && b']", ("sh", "-c", "a && b")),
        ('command: "serve --port $(PORT)"', ("serve", "--port", "$(PORT)")),
    ],
)
def test_commands(written: str, command: tuple[str, ...]) -> None:
    assert one(written).command == command


@pytest.mark.parametrize(
    ("written", "check"),
    [
        ("health: /healthz", HealthCheck(path="/healthz")),
        ("health: {}", HealthCheck()),
        (
            "health: {path: /up, interval: 500ms, timeout: 1.5s, startPeriod: 2m}",
            HealthCheck(path="/up", interval_s=0.5, timeout_s=1.5, start_period_s=120),
        ),
        (
            "health: {path: /up, interval: 0.5, timeout: 2, startPeriod: 60}",
            HealthCheck(path="/up", interval_s=0.5, timeout_s=2, start_period_s=60),
        ),
    ],
)
def test_health(written: str, check: HealthCheck) -> None:
    assert one(f"command: x, {written}").health == check


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("http://Pricing.internal", "http://pricing.internal:80"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_urls(written: str, url: str) -> None:
    assert one(f'url: "{written}"').url == url


def test_commands_run_in_the_folder_of_the_file() -> None:
    assert one("command: x").workdir == "/srv/shop"
    assert one("command: x, workdir: /elsewhere").workdir == "/elsewhere"
    assert one("url: 'http://h:1'").workdir is None


SERVICE = "services:\n  - name: catalog\n    port: 8001\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "env.yaml: the file is empty"),
        ("# nothing", "env.yaml: the file is empty"),
        ("services: []", "line 1: services: there is no service in it"),
        ("services: {}", "line 1: services: there is no service in it"),
        ("services:", "line 1: 'services' is missing"),
        ("a: 1", "line 1: unknown field 'a': the file has services"),
        ("- a", "line 1: the file must be a map of 'name: value', not a list"),
        ("services: 5", "line 1: services: services must be a list of services or a map"),
        ("services: [5]", "line 1: services[0]: a service must be a map of 'name: value', not '5'"),
        ("services: {a: }", "line 1: services.a: a service must be a map of 'name: value', not nothing"),
        (f"{SERVICE}    comand: x", "line 4: services[0]: unknown field 'comand', did you mean 'command'?"),
        (
            f"{SERVICE}    whatever: x",
            "line 4: services[0]: unknown field 'whatever': a service has name, command, url",
        ),
        (SERVICE, "line 2: services[0]: a 'command' that starts this service is missing, or the 'url'"),
        (f"{SERVICE}    command: x\n    url: http://h:1", "line 5: services[0].url: a service has a command or a url"),
        (f"{SERVICE}    url: http://h:1\n    env: {{A: 1}}", "line 5: services[0].env: 'env' has no effect"),
        (f"{SERVICE}    port: 1", "line 4: port: the key 'port' stands here for the second time (first in line 3)"),
        ("services:\n  - {command: x, port: 1}", "line 2: services[0]: 'name' is missing"),
        ("services:\n  - {command: x, name: a}", "line 2: services[0]: 'port' is missing"),
        ("services:\n  - {command: x, port: 1, name: A}", "line 2: services[0].name: service name 'A' is not usable"),
        ("services:\n  a_b: {command: x, port: 1}", "line 2: services.a_b: service name 'a_b' is not usable"),
        ("services: {a: {command: x, port: 1, name: b}}", "services.a.name: this service stands under the key 'a'"),
        (
            "services:\n- {name: a, command: x, port: 1}\n- {name: a, command: x, port: 2}",
            "line 3: services[1]: there is a",
        ),
        (
            "services:\n- {name: a, command: x, port: 1}\n- {name: b, command: x, port: 1}",
            "line 3: services[1].port: port 1",
        ),
        ("services: {a: {command: x, port: 0}}", "services.a.port: port must be from 1 to 65535, and 0 is not"),
        ("services: {a: {command: x, port: 65536}}", "and 65536 is not"),
        ("services: {a: {command: x, port: on}}", "port must be a whole number from 1 to 65535, not 'on'"),
        ("services: {a: {command: x, port: true}}", "port must be a whole number from 1 to 65535, not 'true'"),
        ("services: {a: {command: x, port: '80'}}", "port must be a whole number from 1 to 65535, not '80'"),
        ("services: {a: {command: x, port: 80.0}}", "port must be a whole number"),
        ("services: {a: {command: x, port: [1]}}", "port must be a whole number from 1 to 65535, not a list"),
        ("services: {a: {command: [], port: 1}}", "services.a.command: the command is empty"),
        ("services: {a: {command: [''], port: 1}}", "the command is empty"),
        ("services: {a: {command: {}, port: 1}}", "services.a.command: command must be a word or a text, not a map"),
        ("services: {a: {command: [[x]], port: 1}}", "services.a.command[0]: a word of the command must be"),
        ('services: {a: {command: "x \'y", port: 1}}', "cannot be split into words: no closing quotation"),
        ("services: {a: {command: x && y, port: 1}}", "'&&' is for a shell, and none runs this: write [sh, -c"),
        ("services: {a: {command: 'x $PORT', port: 1}}", "'$PORT' is for a shell, and none runs this: write $(PORT)"),
        ("services: {a: {command: 'x ${PORT}', port: 1}}", "write $(PORT)"),
        ("services: {a: {command: x, port: 1, env: [A]}}", "services.a.env: env must be a map of 'name: value', not a"),
        (
            "services: {a: {command: x, port: 1, env: {A: }}}",
            "services.a.env.A: the variable A is empty: write a value, or",
        ),
        ("services: {a: {command: x, port: 1, env: {A: [1]}}}", "services.a.env.A: the variable A must be a word"),
        ("services: {a: {command: x, port: 1, env: {A=B: 1}}}", "'A=B' is no name for an environment variable"),
        ("services: {a: {command: x, port: 1, env: {PORT: 1}}}", "PORT is where microstax tells the process"),
        ("services: {a: {command: x, port: 1, env: {MICROSTAX_KEY: 1}}}", "microstax's own"),
        ('services: {a: {command: x, port: 1, env: {A: "\\0"}}}', "a NUL character cannot stand here"),
        ("services: {a: {command: x, port: 1, health: healthz}}", "the health path must start with '/'"),
        (
            "services: {a: {command: x, port: 1, health: {pth: /x}}}",
            "services.a.health: unknown field 'pth', did you mean",
        ),
        (
            "services: {a: {command: x, port: 1, health: {timeout: soon}}}",
            "timeout must be a number of seconds, or one with",
        ),
        ("services: {a: {command: x, port: 1, health: {timeout: 0}}}", "timeout must be more than 0"),
        ("services: {a: {command: x, port: 1, health: {timeout: 0s}}}", "timeout must be more than 0 and at most 1h"),
        ("services: {a: {command: x, port: 1, health: {timeout: 2h}}}", "timeout must be more than 0 and at most 1h"),
        ("services: {a: {url: 'https://h', port: 1}}", "https is not possible here"),
        ("services: {a: {url: 'ftp://h', port: 1}}", "does not start with http://"),
        (
            "services: {a: {url: '127.0.0.1:9000', port: 1}}",
            "does not start with http:// or tcp://: write http://host:port",
        ),
        ("services: {a: {url: 'http://', port: 1}}", "has no usable host"),
        ("services: {a: {url: 'http://h:99999', port: 1}}", "cannot be read"),
        ("services: {a: {url: 'http://h:0', port: 1}}", "the url's port must be from 1 to 65535"),
        ("services: {a: {url: 'http://h:1/path', port: 1}}", "has more in it than a host and a port"),
        ("services: {a: {url: 'http://u:p@h:1', port: 1}}", "has more in it than a host and a port"),
        ("services: {a: {url: 'http://localhost:80', port: 80}}", "services.a.url: port 80 is where a is to be called"),
        ("services: {a: {command: x, port: 1, dependsOn: [b]}}", "there is no service 'b' in this file"),
        (
            "services:\n  pricing: {command: x, port: 1}\n  b: {command: x, port: 2, dependsOn: prcing}",
            "line 3: services.b.dependsOn: there is no service 'prcing' in this file, did you mean 'pricing'?",
        ),
        (
            "services:\n  a: {command: x, port: 1, dependsOn: b}\n  b: {command: x, port: 2, dependsOn: [c]}\n"
            "  c: {command: x, port: 3, dependsOn: [b]}",
            "line 3: services.b.dependsOn: the services wait for each other in a cycle: b -> c -> b",
        ),
        ("services: {a: {command: x, port: 1, dependsOn: a}}", "in a cycle: a -> a"),
    ],
)
def test_what_is_said(text: str, said: str) -> None:
    """One sentence with file, line and key, and what would be right."""
    assert said in problem(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1, 2\nb: 3", "line 2: this is not YAML"),
        ("a:\n\t- b", "line 2: there is a tab: indent with spaces"),
        ("a: b: c", "line 1: this is not YAML: mapping values are not allowed here"),
        ("a: \x07", "line 1: there is a character in it that YAML forbids (code 7)"),
        ("a: 1\n---\nb: 2", "line 2: a second document starts here"),
        ("a: *b", "line 1: the alias *b stands for nothing that is above it"),
        ("a: &b [*b]", "line 1: the alias *b stands for nothing that is above it"),
        (
            "a: !!python/object:os.system x",
            "line 1: the tag tag:yaml.org,2002:python/object:os.system is not supported",
        ),
        ("? [a]\n: 1", "line 1: a key must be a word, not a list or a map"),
        ("a: {<<: 5}", "line 1: '<<' merges maps, and this is none"),
        ("[" * 100, "nested more than 40 deep"),
        ("- " * 100 + "x", "nested more than 40 deep"),
        ("x" * 300_000, "the file is larger than 256 KiB"),
        ('a: "\\U99999999"', "this is not YAML"),
    ],
)
def test_what_is_said_of_text_that_is_no_usable_yaml(text: str, said: str) -> None:
    assert said in problem(text)


def test_many_small_values_are_refused_before_all_are_read() -> None:
    assert "line 1: this is more than 20000 values" in problem(f"services: [{'a,' * 120_000}]")
    assert "line 1: this is more than 20000 values" in problem(f"services: {{{'a,' * 120_000}}}")


def test_an_alias_bomb_is_refused() -> None:
    """Nine levels of nine aliases would be 400 million values."""
    levels = [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    assert "with every alias written out" in problem("\n".join(["a: &a [x, x, x, x, x, x, x, x, x]", *levels]))


def test_a_bad_name_of_the_environment_is_no_fault_of_the_file() -> None:
    with pytest.raises(UsageError, match="environment name 'Prod!' is not usable"):
        parse_environment("Prod!", "", file="env.yaml", directory="/")


def test_waves_keep_the_order_of_the_file() -> None:
    text = "services:\n" + "".join(
        f"  {name}: {{command: x, port: {port}, dependsOn: [{needs}]}}\n"
        for port, (name, needs) in enumerate([("web", "api, db"), ("api", "db"), ("db", ""), ("cache", "")], start=1)
    )
    waves = start_waves(parse(text).services)
    assert [[service.name for service in wave] for wave in waves] == [["db", "cache"], ["api"], ["web"]]


WORDS = "services name command url port env health dependsOn patch bridge allow op path a b 1 on ~ /x http://h:1 5s add"
MARKS = ("&a ", "*a", "<<", "!!str ", "? ", "- ", ": ", "\n", "  ", "{", "}", "[", "]", ", ", "'", '"', "|\n", "---\n")
ODD = ("#", "%YAML 1.1\n", "\\", "\t", "é", "\u2028", "\\x41", "\\U00110000", "!<", ">-\n", "...\n")
PIECES = st.sampled_from([*WORDS.split(), *MARKS, *ODD])


def outcome(text: str) -> list[str]:
    """Parse as both kinds of file; return the errors, any other exception comes through."""
    said = []
    for parser in (parse, lambda text: parse_patch(text, file="patch.yaml")):
        try:
            parser(text)
        except MicrostaxError as error:
            said.append(error.message)
    return said


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=60).map("".join)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_an_environment_or_an_error(text: str) -> None:
    """Nothing but a MicrostaxError comes out, of either parser."""
    assert all(said.startswith(("env.yaml", "patch.yaml")) for said in outcome(text))


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(string.printable, max_size=8), PIECES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(PIECES, inner, max_size=4)),
    max_leaves=12,
)
SERVICES = st.dictionaries(
    st.sampled_from(["name", "command", "url", "port", "env", "health", "dependsOn", "workdir", "patch", "replicas"]),
    VALUES,
)


@given(st.lists(SERVICES, max_size=3))
@settings(max_examples=200, deadline=None)
def test_any_structure_is_an_environment_or_an_error(services: list[dict[str, object]]) -> None:
    text = yaml.safe_dump({"services": services})
    assert all(said.startswith(("env.yaml", "patch.yaml")) for said in outcome(text))


TRAFFIC = """\
services: [{name: catalog, command: serve, port: 8081}]
redact:
  headers: [X-Session]
  jsonPaths: ["$.user.email", '$.items[]["card number"]']
  parameters: [token]
  patterns: ["[0-9]{16}"]
previewHeader: X-Preview
"""


def test_what_is_redacted_and_the_header_of_previews() -> None:
    environment = parse(TRAFFIC)
    assert environment.redaction == RedactionRules(
        headers=("x-session",),
        json_paths=("$.user.email", '$.items[]["card number"]'),
        parameters=("token",),
        patterns=("[0-9]{16}",),
    )
    assert environment.preview_header == "x-preview"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("X-Session", "no header", "line 3: redact.headers[0]: 'no header' is no header name"),
        ("$.user.email", "user.email", "line 4: redact.jsonPaths[0]: Path 'user.email' does not begin with '$'"),
        ("$.user.email", "$.**.email", "line 4: redact.jsonPaths[0]: Path '$.**.email' has a wildcard at character 2"),
        ("[0-9]{16}", "(", "line 6: redact.patterns[0]: redaction pattern '(' is no regular expression"),
        ("[0-9]{16}", "a*", "line 6: redact.patterns[0]: redaction pattern 'a*' matches the empty text"),
        ("parameters", "params", "line 5: redact: unknown field 'params', did you mean 'parameters'?"),
        ("X-Preview", "host", "line 7: previewHeader: 'host' has a meaning already"),
        ("X-Preview", "x-microstax-env", "line 7: previewHeader: 'x-microstax-env' has a meaning already"),
    ],
)
def test_what_is_wrong_about_traffic_is_said(right: str, wrong: str, said: str) -> None:
    assert said in problem(TRAFFIC.replace(right, wrong))
