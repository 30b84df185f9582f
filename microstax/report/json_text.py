"""The report as JSON: the document itself, its members in the order of the contract, so that two reports compare."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from microstax.model import report

_TYPES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "coverage": report.Coverage,
        "services": report.ServiceReport,
        "endpoints": report.EndpointReport,
        "status": report.StatusFinding,
        "shape": report.ShapeFinding,
        "values": report.ValueFinding,
        "headers": report.HeaderFinding,
        "latency": report.Latency,
        "effect": report.Effects,
    }
)


def render_json(document: report.ReportDocument, *, indent: int | None = 2) -> str:
    """Return the document as ASCII JSON: no character of a captured answer reaches a terminal raw."""
    return json.dumps(_ordered(document, report.ReportDocument), indent=indent) + "\n"


def _ordered(value: Any, kind: Any) -> Any:
    """Return `value` with its keys in the order of the TypedDict `kind`; without one they are sorted."""
    if isinstance(value, list):
        return [_ordered(item, kind) for item in value]
    if not isinstance(value, dict):
        return value
    known = list(kind.__annotations__) if kind else []
    keys = [key for key in known if key in value] + sorted(key for key in value if key not in known)
    return {key: _ordered(value[key], _kind(kind, key)) for key in keys}


def _kind(parent: Any, key: str) -> Any:
    if parent is report.Latency and key in {"baseline", "branch", "control"}:
        return report.Quantiles
    if parent is report.Effects:
        return report.Effect
    return _TYPES.get(key)
