"""Compare what two sides answered, count, and judge: normalise, differ, templates, evidence, latency, the report.

PURE: clocks and ids are passed in; no I/O. Workers hold a ServiceAggregate for each overlay and service and send its
bytes; the control plane merges them and builds the report.
"""

from microstax.diff.aggregate import OTHER_ENDPOINT, Outcome, ServiceAggregate
from microstax.diff.compare import TripleComparison, compare, compare_triple, why_not_compared
from microstax.diff.document import ReportInput, build_report
from microstax.diff.rules import Rules
from microstax.diff.verdict import Policy

__all__ = [
    "OTHER_ENDPOINT",
    "Outcome",
    "Policy",
    "ReportInput",
    "Rules",
    "ServiceAggregate",
    "TripleComparison",
    "build_report",
    "compare",
    "compare_triple",
    "why_not_compared",
]
