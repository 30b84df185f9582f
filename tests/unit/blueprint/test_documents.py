"""What the store keeps comes back as it was; manifests too; names and versions of services."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.blueprint import (
    discovery_environment,
    environment_document,
    environment_from_document,
    expand_variables,
    overlay_document,
    overlay_from_document,
    service_version,
    url_address,
)
from microstax.blueprint.graph import find_cycle
from microstax.blueprint.manifest import from_manifest, to_manifest
from microstax.errors import StorageError
from microstax.model.environment import Address, EnvironmentSpec, HealthCheck, ServiceSpec
from microstax.model.overlay import BridgeAllowance, OverlaySpec
from microstax.model.redaction import RedactionRules

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
VARIABLES = st.from_regex(r"[A-Z_]{1,12}", fullmatch=True).filter(lambda name: name != "PORT")
SECONDS = st.floats(0.001, 3600)
HEALTH = st.builds(
    HealthCheck,
    path=st.one_of(st.none(), st.just("/healthz")),
    interval_s=SECONDS,
    timeout_s=SECONDS,
    start_period_s=SECONDS,
)
STARTED = st.builds(
    ServiceSpec,
    name=NAMES,
    command=st.lists(TEXT, min_size=1, max_size=4).filter(lambda words: bool(words[0])).map(tuple),
    env=st.dictionaries(VARIABLES, TEXT, max_size=4),
    health=HEALTH,
    depends_on=st.lists(NAMES, max_size=3).map(tuple),
    workdir=st.one_of(st.none(), st.just("/srv")),
)
RUNNING = st.builds(ServiceSpec, name=NAMES, url=st.just("http://127.0.0.1:9000"), depends_on=st.just(()))
SERVICES = st.lists(st.one_of(STARTED, RUNNING), max_size=4).map(tuple)
BRIDGE = st.lists(st.builds(BridgeAllowance, service=NAMES, methods=st.just(("POST", "PUT"))), max_size=2).map(tuple)


WORDS = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=3).map(tuple)
RULES = st.builds(
    RedactionRules,
    headers=WORDS,
    json_paths=st.lists(st.sampled_from(["$.a", "$.items[].b"]), max_size=2).map(tuple),
    parameters=WORDS,
    patterns=WORDS,
)


@given(
    st.builds(
        EnvironmentSpec,
        name=NAMES,
        services=SERVICES,
        redaction=RULES,
        preview_header=st.sampled_from(["x-msx-env", "x-preview"]),
    )
)
def test_an_environment_comes_back(environment: EnvironmentSpec) -> None:
    assert environment_from_document(json.loads(json.dumps(environment_document(environment)))) == environment


@given(st.builds(OverlaySpec, name=NAMES, baseline=NAMES, services=SERVICES, bridge=BRIDGE))
def test_an_overlay_comes_back(overlay: OverlaySpec) -> None:
    assert overlay_from_document(json.loads(json.dumps(overlay_document(overlay)))) == overlay


@given(st.one_of(STARTED, RUNNING))
def test_a_manifest_says_all_of_a_service(service: ServiceSpec) -> None:
    assert from_manifest(to_manifest(service), base=service) == service


def test_a_document_of_a_newer_version_is_refused() -> None:
    document = environment_document(EnvironmentSpec(name="production", services=()))
    with pytest.raises(StorageError, match="written by a newer microstax"):
        environment_from_document({**document, "version": 2})
    with pytest.raises(StorageError, match="damaged"):
        overlay_from_document(document)
    with pytest.raises(StorageError, match="'production' is damaged"):
        environment_from_document({**document, "services": [{"name": "a"}]})


def test_services_find_each_other_as_in_kubernetes() -> None:
    assert discovery_environment({"my-shop": Address("127.0.0.1", 8001)}) == {
        "MY_SHOP_SERVICE_HOST": "127.0.0.1",
        "MY_SHOP_SERVICE_PORT": "8001",
    }


def test_where_a_url_leads() -> None:
    assert url_address("http://localhost:9000") == Address("127.0.0.1", 9000)
    assert url_address("http://pricing.internal:80") == Address("pricing.internal", 80)


def test_a_version_tells_what_runs() -> None:
    service = ServiceSpec(name="catalog", command=("a",), env={"X": "1", "Y": "2"}, port=1, workdir="/srv")
    same = ServiceSpec(name="catalog", command=("a",), env={"Y": "2", "X": "1"}, port=2, workdir="/srv")
    assert service_version(service) == service_version(same)
    assert len(service_version(service)) == 12
    other = ServiceSpec(name="catalog", command=("a",), env={"X": "1"}, port=1, workdir="/srv")
    assert service_version(service) != service_version(other)


def test_variables_in_commands_are_kubernetes_own() -> None:
    words = ("serve", "--port=$(PORT)", "$$(PORT)", "$(UNKNOWN)", "$PORT", "$(PORT)$(PORT)")
    expected = ("serve", "--port=80", "$(PORT)", "$(UNKNOWN)", "$PORT", "8080")
    assert expand_variables(words, {"PORT": "80"}) == expected


GRAPHS = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3).map(tuple))


@given(GRAPHS)
def test_a_cycle_is_found_exactly_when_there_is_one(graph: dict[str, tuple[str, ...]]) -> None:
    """Against the slow way: a name that reaches itself."""

    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(graph.get(start, ()))
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(graph.get(name, ()))
        return seen

    cycle = find_cycle(graph)
    assert (cycle is not None) == any(name in reaches(name) for name in graph)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(after in graph[before] for before, after in pairwise(cycle))
