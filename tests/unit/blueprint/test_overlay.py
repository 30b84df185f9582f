"""patch.yaml over a baseline: what runs, what is bridged, and what is refused before anything starts."""

from collections.abc import Callable

import pytest

from microstax.blueprint import OverlayBlueprint, apply_patch, parse_environment, parse_patch
from microstax.errors import InvalidFileError, UsageError
from microstax.model.environment import HealthCheck, ServiceSpec
from microstax.model.overlay import BridgeAllowance, OverlaySpec

BASELINE = parse_environment(
    "production",
    """\
services:
  - name: catalog
    command: [python, -m, shop.catalog]
    port: 8001
    env: {DISCOUNTS: "v1", REGION: eu}
    health: /healthz
    dependsOn: [pricing, search]
  - {name: pricing, command: python -m shop.pricing, port: 8002}
  - {name: search, url: "http://127.0.0.1:9000", port: 8003}
""",
    file="env.yaml",
    directory="/srv/shop",
)

GUIDE = """\
services:
  - name: catalog
    image: registry.example/catalog:2.4.0          # Kubernetes
    command: [python, -m, shop.catalog, --v2]      # either runtime
    env: {DISCOUNTS: "v2"}
    replicas: 1
    patch:                                         # RFC 6902, on the service's manifest, applied last
      - {op: replace, path: /spec/template/spec/containers/0/resources/limits/memory, value: 512Mi}
bridge:
  allow: [{service: search, methods: [POST]}]      # unsafe calls the branch may make on the baseline
"""


def overlay(text: str, *, directory: str = "/srv/shop") -> OverlayBlueprint:
    patch = parse_patch(text, file="patch.yaml")
    return apply_patch(patch, overlay_name="shadow-test", baseline=BASELINE, file="patch.yaml", directory=directory)


def patched(operation: str) -> ServiceSpec:
    """Return catalog with one operation of RFC 6902 applied."""
    return overlay(f"services:\n  catalog:\n    patch:\n      - {operation}\n").spec.services[0]


def problem(text: str) -> str:
    with pytest.raises(InvalidFileError) as caught:
        overlay(text)
    return caught.value.message


def test_the_patch_of_the_guide() -> None:
    """Word for word as the guide has it, also where the local runtime has no such thing as a memory limit."""
    result = overlay(GUIDE)
    assert result.spec == OverlaySpec(
        name="shadow-test",
        baseline="production",
        services=(
            ServiceSpec(
                name="catalog",
                command=("python", "-m", "shop.catalog", "--v2"),
                env={"DISCOUNTS": "v2", "REGION": "eu"},
                health=HealthCheck(path="/healthz"),
                workdir="/srv/shop",
            ),
        ),
        bridge=(BridgeAllowance(service="search", methods=("POST",)),),
    )
    assert result.bridged == ("pricing", "search")
    assert [note.split(" has")[0] for note in result.notes] == [
        "catalog: 'image'",
        "catalog: /spec/template/spec/containers/0/resources/limits/memory",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("guide", GUIDE),
        ("no-change", "services: {catalog: {}}"),
        ("url", "services: {catalog: {url: 'http://127.0.0.1:9100'}, search: {command: python search.py}}"),
        (
            "every-service",
            "services:\n  catalog: {env: {REGION: null}}\n  pricing: {replicas: 3}\n  search: {url: 'http://127.0.0.1:1'}",
        ),
    ],
)
def test_what_a_dry_run_prints(name: str, text: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.diff", overlay(text).manifest_diff)


def test_a_map_says_the_same_as_a_list() -> None:
    as_list = parse_patch("services: [{name: catalog, replicas: 2}, {name: pricing, env: {A: 1}}]", file="p")
    as_map = parse_patch("services: {catalog: {replicas: 2}, pricing: {env: {A: 1}}}", file="p")
    assert as_list == as_map


def test_services_of_the_overlay_wait_only_for_each_other() -> None:
    result = overlay("services: {catalog: {}, pricing: {}}")
    assert result.spec.services[0].depends_on == ("pricing",)
    assert result.bridged == ("search",)


def test_a_new_command_runs_in_the_patchs_own_checkout() -> None:
    text = "services: {catalog: {command: python catalog.py}}"
    assert overlay(text, directory="/srv/branch").spec.services[0].workdir == "/srv/branch"
    assert overlay(text, directory="/srv").spec.services[0].workdir == "/srv/shop"
    assert (
        overlay("services: {catalog: {env: {A: 1}}}", directory="/srv/branch").spec.services[0].workdir == "/srv/shop"
    )


def test_a_variable_is_removed_by_null() -> None:
    assert overlay("services: {catalog: {env: {DISCOUNTS: null}}}").spec.services[0].env == {"REGION": "eu"}


@pytest.mark.parametrize(
    ("operation", "env"),
    [
        (
            "{op: add, path: /spec/template/spec/containers/0/env/-, value: {name: A, value: '1'}}",
            {"DISCOUNTS": "v1", "REGION": "eu", "A": "1"},
        ),
        (
            "{op: replace, path: /spec/template/spec/containers/0/env/0/value, value: v2}",
            {"DISCOUNTS": "v2", "REGION": "eu"},
        ),
        ("{op: remove, path: /spec/template/spec/containers/0/env/0}", {"REGION": "eu"}),
        ("{op: remove, path: /spec/template/spec/containers/0/env}", {}),
    ],
)
def test_operations_on_variables(operation: str, env: dict[str, str]) -> None:
    assert patched(operation).env == env


def test_operations_on_the_rest() -> None:
    container = "/spec/template/spec/containers/0"
    assert patched(f"{{op: add, path: {container}/command/-, value: --v2}}").command[-1] == "--v2"
    assert patched(f"{{op: add, path: {container}/args, value: [--v2]}}").command[-1] == "--v2"
    assert patched(f"{{op: add, path: {container}/workingDir, value: /srv/b}}").workdir == "/srv/b"
    assert patched(f"{{op: remove, path: {container}/readinessProbe}}").health == HealthCheck()
    probe = "{httpGet: {path: /up, port: 80}, periodSeconds: 3}"
    changed = patched(f"{{op: add, path: {container}/readinessProbe, value: {probe}}}")
    assert changed.health == HealthCheck(path="/up", interval_s=3)


def test_what_only_kubernetes_has_is_left_out_and_said() -> None:
    """Labels, a second container, a test on the image: none of them stops the file from working here."""
    result = overlay(
        """\
services:
  catalog:
    patch:
      - {op: test, path: /spec/template/spec/containers/0/image, value: x}
      - {op: add, path: /spec/template/metadata/labels/version, value: v2}
      - {op: add, path: /spec/template/spec/containers/-, value: {name: proxy, image: y}}
      - {op: copy, from: /metadata/labels, path: /spec/template/metadata/labels}
      - {op: add, path: /spec/template/spec/containers/0/readinessProbe/httpGet/port, value: 8080}
"""
    )
    assert len(result.notes) == 6
    assert result.spec.services[0].command == ("python", "-m", "shop.catalog")


CONTAINER = "/spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("5", "patch[0]: an operation must be a map"),
        ("{path: /spec}", "patch[0]: 'op' is missing: one of add, remove, replace, move, copy, test"),
        ("{op: repalce, path: /spec, value: 1}", "unknown operation 'repalce', did you mean 'replace'?"),
        ("{op: replace, path: /spec/replicas}", "'value' is missing: the operation 'replace' needs path and value"),
        ("{op: move, path: /spec}", "'from' is missing"),
        ("{op: remove, path: /spec/replicas, value: 1}", "unknown field 'value'"),
        ("{op: add, path: spec, value: 1}", "patch[0].path: 'spec' is no JSON pointer: write /spec/replicas"),
        ("{op: add, path: /a~2, value: 1}", "is no JSON pointer"),
        ("{op: test, path: /spec/replicas, value: 2}", "the test failed: /spec/replicas is 1, not 2"),
        ("{op: test, path: /spec/url, value: 2}", "the path /spec/url does not exist in the manifest of catalog"),
        ("{op: replace, path: /spec/replcas, value: 2}", "/spec has no field 'replcas', did you mean 'replicas'?"),
        (f"{{op: add, path: {CONTAINER}/comand, value: [x]}}", "has no field 'comand', did you mean 'command'?"),
        (f"{{op: remove, path: {CONTAINER}/env/7}}", "/env has 2 elements, counted from 0"),
        (
            f"{{op: remove, path: {CONTAINER}/env/0/valeu}}",
            "env/0/valeu does not exist in the manifest of catalog, did you",
        ),
        (f"{{op: remove, path: {CONTAINER}/env/0/value/x}}", "has nothing below it"),
        (f"{{op: add, path: {CONTAINER}/env/9, value: {{}}}}", "does not exist in the manifest of catalog"),
        ("{op: move, from: /spec, path: /spec/template}", "the operation 'move' is not possible at /spec/template"),
        ("{op: replace, path: '', value: 5}", "the manifest as a whole must stay a map"),
        ("{op: remove, path: ''}", "the operation 'remove' is not possible"),
        ("{op: replace, path: /metadata/name, value: other}", "metadata.name must stay 'catalog'"),
        ("{op: replace, path: /spec/replicas, value: 0}", "spec.replicas must be a whole number from 1"),
        ("{op: replace, path: /spec/replicas, value: on}", "spec.replicas must be a whole number from 1"),
        (f"{{op: replace, path: {CONTAINER}/command, value: serve}}", "command must be a list of words"),
        (f"{{op: replace, path: {CONTAINER}/command, value: []}}", "command must be a list of words"),
        (f"{{op: add, path: {CONTAINER}/command/-, value: 1}}", "a word of command must be text (write it in quotes)"),
        (f"{{op: add, path: {CONTAINER}/env/-, value: {{name: A, value: 1}}}}", "the value of A must be text"),
        (
            f"{{op: add, path: {CONTAINER}/env/-, value: {{name: PORT, value: '1'}}}}",
            "a variable cannot be called 'PORT'",
        ),
        (f"{{op: add, path: {CONTAINER}/env/-, value: {{name: A, valueFrom: {{}}}}}}", "which only Kubernetes has"),
        (f"{{op: replace, path: {CONTAINER}/env, value: {{A: '1'}}}}", "env must be a list of {name, value}"),
        (f"{{op: replace, path: {CONTAINER}/readinessProbe/periodSeconds, value: 0}}", "must be a number of seconds"),
        (f"{{op: replace, path: {CONTAINER}/readinessProbe/httpGet/path, value: x}}", "must be a path that starts"),
        ("{op: remove, path: /spec}", "spec must be a map"),
        ("{op: replace, path: /spec/template/spec/containers, value: []}", "a list of at least one container"),
    ],
)
def test_what_is_said_of_an_operation(operation: str, said: str) -> None:
    """Which operation, in which line, and why."""
    message = problem(f"services:\n  catalog:\n    patch:\n      - {operation}\n")
    assert said in message
    assert message.startswith(("patch.yaml, line 4: services.catalog.patch[0]", "patch.yaml, line 2: services.catalog"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "patch.yaml: the file is empty"),
        ("bridge: {}", "line 1: 'services' is missing"),
        ("services: []", "line 1: services: there is no service in it"),
        ("service: {}", "unknown field 'service', did you mean 'services'?"),
        (
            "services:\n  catlog: {}",
            "line 2: services.catlog: the baseline 'production' has no service 'catlog', did you",
        ),
        (
            "services:\n  - name: basket",
            "services[0]: the baseline 'production' has no service 'basket': it has catalog, pri",
        ),
        ("services: {search: {env: {A: 1}}}", "'search' is a server that already runs at http://127.0.0.1:9000"),
        (
            "services: {catalog: {url: 'http://h:1', command: x}}",
            "'command' has no effect on a server that runs already",
        ),
        ("services: {catalog: {replicas: 0}}", "replicas must be from 1 to 1000, and 0 is not"),
        ("services: {catalog: {port: 1}}", "services.catalog: unknown field 'port'"),
        ("services: {catalog: {patch: {}}}", "services.catalog.patch: patch must be a list, not a map"),
        ("services: {catalog: {}}\nbridge: []", "line 2: bridge: bridge must be a map"),
        ("services: {catalog: {}}\nbridge: {alow: []}", "bridge: unknown field 'alow', did you mean 'allow'?"),
        ("services: {catalog: {}}\nbridge: {allow: [search]}", "bridge.allow[0]: an entry of allow must be a map"),
        ("services: {catalog: {}}\nbridge: {allow: [{service: search}]}", "bridge.allow[0]: 'methods' is missing"),
        ("services: {catalog: {}}\nbridge: {allow: [{service: search, methods: []}]}", "there is no method in it"),
        (
            "services: {catalog: {}}\nbridge: {allow: [{service: search, methods: [PSOT]}]}",
            "bridge.allow[0].methods[0]: unknown method 'PSOT', did you mean 'POST'?",
        ),
        (
            "services: {catalog: {}}\nbridge:\n  allow:\n  - {service: serch, methods: POST}",
            "line 4: bridge.allow[0].service: the baseline 'production' has no service 'serch', did you mean 'search'?",
        ),
        (
            "services: {catalog: {}}\nbridge: {allow: [{service: catalog, methods: post}]}",
            "'catalog' runs in the overlay itself",
        ),
        (
            "services: {catalog: {}}\nbridge: {allow: [&a {service: search, methods: PUT}, *a]}",
            "bridge.allow[1]: 'search' stands here twice",
        ),
    ],
)
def test_what_is_said_of_a_patch(text: str, said: str) -> None:
    assert said in problem(text)


def test_methods_are_written_as_people_write_them() -> None:
    patch = parse_patch("services: {catalog: {}}\nbridge: {allow: [{service: search, methods: post}]}", file="p")
    assert patch.bridge.allow == (BridgeAllowance(service="search", methods=("POST",)),)


def test_a_bad_name_of_the_overlay_is_no_fault_of_the_file() -> None:
    patch = parse_patch("services: {catalog: {}}", file="patch.yaml")
    with pytest.raises(UsageError, match="overlay name 'Bad' is not usable"):
        apply_patch(patch, overlay_name="Bad", baseline=BASELINE, file="patch.yaml", directory="/")
