"""What holds for all tests: how hypotheses are tried, and how tests are shared among the processes of pytest-xdist."""

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow at generating, too: no test fails on a clock.
settings.register_profile("microstax", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("microstax")
# A shell that starts us in the background has Ctrl-C ignored, and what ignores it passes that on to its children.
signal.signal(signal.SIGINT, signal.default_int_handler)

APART = (
    "tests/component/",
    "tests/e2e/capture/",
    "tests/e2e/control/",
    "tests/e2e/demo/",
    "tests/e2e/envoy/",
    "tests/e2e/xds/",
)
"""Each test here starts all that it needs, and may run anywhere. Elsewhere those of a file stay together."""
TOGETHER = ("tests/e2e/browser/",)
"""Where all files share what is expensive to start."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests that may take longest, where several processes share them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (-_time_limit(item), item.get_closest_marker("e2e") is None))


def _time_limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker and marker.args else 0.0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """Hand tests out in the order of their collection, in units that share what is expensive to start."""
    # Not by marks beside the tests (--dist loadgroup): they have no effect with pytest 9.2 and pytest-xdist 3.8.
    from xdist.scheduler import LoadScopeScheduling

    class ByWhatTheyShare(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = next((one for one in TOGETHER if nodeid.startswith(one)), None)
            return folder or (nodeid if nodeid.startswith(APART) else nodeid.partition("::")[0])

    config.option.loadscopereorder = False
    return ByWhatTheyShare(config, log)
