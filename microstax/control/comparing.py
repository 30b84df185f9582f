"""Where the differ is wired in: aggregates of deltas are merged, learned from, and made into reports."""

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final

from microstax.control.reports import Question
from microstax.diff.aggregate import ServiceAggregate
from microstax.diff.document import ReportInput, build_report
from microstax.diff.verdict import Policy
from microstax.errors import StorageError, UsageError
from microstax.model.report import ReportDocument

READY: Final = 32
"""How many aggregates are kept decoded, one a service that is being compared."""


class Merger:
    """Merges aggregates, and keeps the newest decoded: that is most of the work, for each delta of a service.

    What is kept is found by the very bytes that are stored. So there is nothing to invalidate: where a transaction was
    rolled back, or a generation begun, the store asks with other bytes, and those are decoded anew. Not thread-safe.
    """

    def __init__(self, ready: int = READY) -> None:
        self._most: Final = ready
        self._ready: Final[OrderedDict[bytes, ServiceAggregate]] = OrderedDict()

    def __call__(self, stored: bytes | None, arrived: bytes) -> bytes:
        """Return the merged aggregate. Raises UsageError if what arrived is none, StorageError if the stored is."""
        try:
            addition = ServiceAggregate.from_bytes(arrived)
        except StorageError as error:
            raise UsageError(f"A delta has an aggregate that cannot be read: {error.message}") from error
        if stored is None:
            return self._keep(addition, arrived)
        # Taken out: should merging fail halfway, nobody must find it under the bytes of before.
        merged = self._ready.pop(stored, None) or ServiceAggregate.from_bytes(stored)
        merged.merge(addition)
        return self._keep(merged, merged.to_bytes())

    def _keep(self, aggregate: ServiceAggregate, body: bytes) -> bytes:
        self._ready[body] = aggregate
        if len(self._ready) > self._most:
            self._ready.popitem(last=False)
        return body


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
            expected=question.expected,
            today=question.today,
            minutes=question.minutes,
            rechecks=question.rechecks,
            bridge=question.bridge,
            service=question.service,
            endpoint=question.endpoint,
            kind=question.kind,
            control=question.control.value,
            controlled=question.controlled,
            policy=Policy.asked(min_pairs=question.min_pairs, alpha=question.alpha, tolerance=question.tolerance),
        )
    )
