"""Where the differ is wired in: aggregates of deltas are merged, learned from, and made into reports."""

from datetime import UTC, datetime

from microstax.control.reports import Question
from microstax.diff.aggregate import ServiceAggregate
from microstax.diff.document import ReportInput, build_report
from microstax.diff.verdict import Policy
from microstax.errors import StorageError, UsageError
from microstax.model.report import ReportDocument


def merge(stored: bytes | None, arrived: bytes) -> bytes:
    """Return the merged aggregate. Raises UsageError where what arrived is none, StorageError where the stored is."""
    try:
        addition = ServiceAggregate.from_bytes(arrived)
    except StorageError as error:
        raise UsageError(f"A delta has an aggregate that cannot be read: {error.message}") from error
    if stored is None:
        return arrived
    merged = ServiceAggregate.from_bytes(stored)
    merged.merge(addition)
    return merged.to_bytes()


def learned(stored: bytes) -> bytes:
    """Return what is known of paths and arrays, without counts."""
    return ServiceAggregate.from_bytes(stored).fresh().to_bytes()


def examples(stored: bytes) -> frozenset[str]:
    """Return the ids of the pairs that findings show."""
    return ServiceAggregate.from_bytes(stored).example_ids


def report(question: Question) -> ReportDocument:
    """Return the report of what is in the store."""
    since = datetime.fromtimestamp(question.since_ms / 1000, UTC).isoformat(timespec="seconds")
    return build_report(
        ReportInput(
            overlay=question.overlay,
            baseline=question.baseline,
            since=since.replace("+00:00", "Z"),
            aggregates={service: ServiceAggregate.from_bytes(body) for service, body in question.aggregates.items()},
            coverage=question.coverage,
            ignore_rules=question.rules,
            service=question.service,
            endpoint=question.endpoint,
            kind=question.kind,
            policy=Policy(min_pairs=question.min_pairs) if question.min_pairs else Policy(),
        )
    )
