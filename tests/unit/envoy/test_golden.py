"""The resources of a tee and of a bridge, as files that a person can read.

`MICROSTAX_UPDATE_GOLDEN=1` writes them anew; the diff is then what a reviewer reads.
"""

import os
from pathlib import Path
from typing import Any

import envoy_data_plane.envoy.config.cluster.v3 as cluster
import envoy_data_plane.envoy.config.endpoint.v3 as endpoint
import envoy_data_plane.envoy.config.listener.v3 as listener
import envoy_data_plane.envoy.config.route.v3 as route
import envoy_data_plane.envoy.service.runtime.v3 as runtime
import pytest
import yaml

from microstax.envoy import bootstrap, tap_request
from microstax.envoy.build import build
from microstax.envoy.resources import BuiltResource
from microstax.envoy.stats import STATS_PATH

GOLDEN = Path(__file__).parents[2] / "golden" / "envoy"
MESSAGES: dict[str, Any] = {
    "Cluster": cluster.Cluster,
    "ClusterLoadAssignment": endpoint.ClusterLoadAssignment,
    "Listener": listener.Listener,
    "RouteConfiguration": route.RouteConfiguration,
    "Runtime": runtime.Runtime,
}


def readable(resources: tuple[BuiltResource, ...]) -> str:
    """Return resources as YAML by type and name."""
    found: dict[str, dict[str, Any]] = {}
    for resource in resources:
        kind = resource.type_url.rpartition(".")[2]
        found.setdefault(kind, {})[resource.name] = MESSAGES[kind].parse(resource.body).to_dict()
    return yaml.safe_dump(found, width=120)


def check(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("MICROSTAX_UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text, f"{name} changed; if that is meant, run with MICROSTAX_UPDATE_GOLDEN=1"


def test_tee(plans: Any) -> None:
    check("tee.yaml", readable(build(plans.full_tee())))


def test_bridge(plans: Any) -> None:
    check("bridge.yaml", readable(build(plans.bridge())))


@pytest.mark.parametrize("delta", [True, False])
def test_bootstrap(*, delta: bool) -> None:
    text = bootstrap(node_id="tee", cluster="production", ads="/run/m/ads", admin="/run/m/admin", delta=delta)
    check("bootstrap_delta.json" if delta else "bootstrap_sotw.json", text + "\n")


def test_requests_to_the_admin_interface() -> None:
    check("admin.txt", f"GET {STATS_PATH}\nPOST /tap\n{tap_request(1000, 500, 65536).decode()}\n")
