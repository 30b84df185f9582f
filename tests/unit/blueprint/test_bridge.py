"""`bridge` of patch.yaml and TCP services: what may pass, how much of it, and what is said of mistakes."""

import pytest

from microstax.blueprint import (
    OverlayBlueprint,
    apply_patch,
    environment_document,
    environment_from_document,
    overlay_document,
    overlay_from_document,
    parse_environment,
    parse_patch,
)
from microstax.blueprint.fence import allowed_words
from microstax.errors import InvalidFileError
from microstax.model.environment import EnvironmentSpec, Protocol
from microstax.model.overlay import BridgeAllowance, BridgeLimits

BASELINE = parse_environment(
    "production",
    """\
services:
  catalog: {command: python catalog.py, port: 8001}
  search: {command: python search.py, port: 8002}
  db: {protocol: tcp, command: postgres, port: 8003}
  cache: {url: "tcp://127.0.0.1:6379", port: 8004}
""",
    file="env.yaml",
    directory="/srv",
)


def overlay(bridge: str, services: str = "{catalog: {}}") -> OverlayBlueprint:
    patch = parse_patch(f"services: {services}\nbridge: {bridge}", file="patch.yaml")
    return apply_patch(patch, overlay_name="next", baseline=BASELINE, file="patch.yaml", directory="/srv")


def problem(text: str, services: str = "{catalog: {}}") -> str:
    with pytest.raises(InvalidFileError) as caught:
        overlay(text, services)
    return caught.value.message


def environment(service: str) -> EnvironmentSpec:
    return parse_environment("e", f"services: {{a: {service}}}", file="env.yaml", directory="/")


def test_without_a_word_the_bridge_lets_safe_calls_pass_within_the_default_limits() -> None:
    spec = overlay("{}").spec
    assert spec.allowance("search") == BridgeAllowance(service="search")
    assert spec.limits_of("search") == BridgeLimits(max_concurrent=64, max_rps=1000)
    assert not spec.direct


def test_what_is_allowed_and_how_much_of_it() -> None:
    blueprint = overlay(
        "{maxConcurrent: 8, maxRps: 100, limits: [{service: search, maxRps: 5}], direct: allow,"
        " allow: [{service: search, methods: [POST], bodies: true}, {service: db, tcp: true}]}"
    )
    spec = blueprint.spec
    assert spec.allowance("search") == BridgeAllowance(service="search", methods=("POST",), bodies=True)
    assert spec.limits_of("search") == BridgeLimits(max_concurrent=8, max_rps=5)
    assert spec.limits_of("db") == BridgeLimits(max_concurrent=8, max_rps=100)
    assert spec.direct
    head = [line for line in blueprint.manifest_diff.splitlines() if line.startswith("# ")]
    assert head[2:6] == [
        "# bridged: search (POST, bodies of safe calls allowed), db (TCP allowed), cache (TCP, refused)",
        "# fence:   safe calls pass, others get 403; to each service at most 8 calls at a time and 100 a second",
        "# limit:   search: at most 8 calls at a time and 5 a second",
        "# direct:  its processes may connect past the bridge, to the baseline's own ports",
    ]
    assert allowed_words(spec, BASELINE.services[2]) == "TCP"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{maxRps: 0}", "line 2: bridge.maxRps: maxRps must be from 1 to 100000, and 0 is not"),
        ("{maxConcurrent: many}", "bridge.maxConcurrent: maxConcurrent must be a whole number"),
        ("{maxRPS: 1}", "unknown field 'maxRPS', did you mean 'maxRps'?"),
        ("{limits: [{service: search}]}", "bridge.limits[0]: there is no limit in it"),
        ("{limits: [{maxRps: 5}]}", "bridge.limits[0]: 'service' is missing"),
        ("{limits: [{service: serch, maxRps: 5}]}", "bridge.limits[0].service: the baseline 'production' has no"),
        ("{limits: [{service: catalog, maxRps: 5}]}", "bridge.limits[0].service: 'catalog' runs in the overlay itself"),
        ("{limits: [{service: db, maxRps: 5}, {service: db, maxRps: 6}]}", "bridge.limits[1]: 'db' stands here twice"),
        ("{allow: [{service: db, methods: [POST]}]}", "bridge.allow[0]: 'db' is a TCP service, where no method"),
        ("{allow: [{service: search, tcp: true}]}", "bridge.allow[0].tcp: 'search' speaks HTTP"),
        ("{allow: [{service: db, tcp: yes}]}", "bridge.allow[0].tcp: tcp must be true or false, not 'yes'"),
        ("{allow: [{methods: [POST]}]}", "bridge.allow[0]: 'service' is missing"),
        ("{direct: sure}", "bridge.direct: unknown value 'sure': it is deny, or allow"),
    ],
)
def test_what_is_said_of_a_bridge(text: str, said: str) -> None:
    assert said in problem(text)


def test_a_tcp_service_is_told_by_its_protocol_or_its_url() -> None:
    assert [service.protocol for service in BASELINE.services] == [
        Protocol.HTTP,
        Protocol.HTTP,
        Protocol.TCP,
        Protocol.TCP,
    ]
    cache = BASELINE.service("cache")
    assert cache is not None
    assert cache.url == "tcp://127.0.0.1:6379"
    assert environment("{protocol: tcp, command: x, port: 1, health: {timeout: 9s}}").services[0].health.timeout_s == 9


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("{protocol: udp, command: x, port: 1}", "services.a.protocol: unknown protocol 'udp'"),
        ("{protocol: http, url: 'tcp://h:1', port: 1}", "services.a.protocol: the url is tcp://h:1, which is tcp and"),
        ("{url: 'tcp://h', port: 1}", "has no port, and TCP has none by itself"),
        ("{protocol: tcp, command: x, port: 1, health: /up}", "services.a.health: a TCP service has no path to ask"),
        ("{protocol: tcp, command: x, port: 1, health: {path: /up}}", "a TCP service has no path to ask"),
    ],
)
def test_what_is_said_of_a_tcp_service(service: str, said: str) -> None:
    with pytest.raises(InvalidFileError) as caught:
        environment(service)
    assert said in caught.value.message


def test_an_overlay_may_run_a_database_of_its_own() -> None:
    own = overlay("{}", "{db: {command: postgres -D /branch}, cache: {url: 'tcp://127.0.0.1:7000'}}").spec.services
    assert [service.protocol for service in own] == [Protocol.TCP, Protocol.TCP]
    assert "speaks tcp on the baseline, and http://h:1 does not" in problem("{}", "{db: {url: 'http://h:1'}}")
    probe = "{op: add, path: /spec/template/spec/containers/0/readinessProbe, value: {httpGet: {path: /up}}}"
    assert "not possible for a TCP service" in problem("{}", f"{{db: {{patch: [{probe}]}}}}")


def test_the_store_gives_it_back_as_it_was_and_reads_what_an_earlier_version_wrote() -> None:
    spec = overlay("{maxRps: 7, limits: [{service: db, maxConcurrent: 2}], allow: [{service: db, tcp: true}]}").spec
    assert overlay_from_document(overlay_document(spec)) == spec
    assert environment_from_document(environment_document(BASELINE)) == BASELINE
    old = overlay_document(overlay("{}").spec)
    for name in ("limits", "service_limits", "direct"):
        del old[name]
    for service in old["services"]:
        del service["protocol"]
    assert overlay_from_document(old) == overlay("{}").spec
