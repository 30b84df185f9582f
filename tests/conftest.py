"""What holds for all tests: how hypotheses are tried, and how tests are shared among the processes of pytest-xdist."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow at generating, too: no test fails on a clock.
settings.register_profile("microstax", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("microstax")

TOGETHER = "unit"
"""Its files stay together, since a test there takes less than handing it out. Elsewhere each test goes on its own."""
SHARED_SCOPES = {"class", "module", "package"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests together that share what is expensive to start, unless they say themselves what they belong to."""
    if item.get_closest_marker("xdist_group") is None and _stays_with_its_file(item):
        item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests that may take longest, where several processes share them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (-_time_limit(item), item.get_closest_marker("e2e") is None))


def _stays_with_its_file(item: pytest.Item) -> bool:
    if Path(__file__).parent / TOGETHER in item.path.parents:
        return True
    fixtures: Any = getattr(item, "_fixtureinfo", None)
    found = [one for made in fixtures.name2fixturedefs.values() for one in made] if fixtures else []
    return any(one.scope in SHARED_SCOPES for one in found)


def _time_limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker and marker.args else 0.0
