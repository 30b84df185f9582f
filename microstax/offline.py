"""Pairs without a control plane: compare them again by the rules of today, and report as `env diffs` would.

Reads files, asks nobody.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

from microstax.blueprint.rules import RuleFile
from microstax.diff import Policy, ReportInput, ServiceAggregate, build_report, compare_triple
from microstax.diff.deviations import discrepancy_of
from microstax.errors import InvalidFileError, NotFoundError
from microstax.model.exchange import Triple
from microstax.model.record import PairFileHeader, StoredPair, read_pair_file
from microstax.model.report import Coverage, ReportDocument
from microstax.model.wording import rfc3339
from microstax.report.pair import ComparedPair

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of a report is shown (empty: all), how sure its verdicts are, and what was said about it beforehand.

    Rules that are over on the day `today` hide nothing; None: all hold.
    """

    service: str = ""
    endpoint: str = ""
    kind: str = ""
    policy: Policy = field(default_factory=Policy)
    rules: RuleFile = field(default_factory=RuleFile)
    today: date | None = None


class Recount:
    """The aggregates and the coverage of pairs that are compared again, one after the other."""

    def __init__(self) -> None:
        self.aggregates: dict[str, ServiceAggregate] = {}
        self.since_ms: int | None = None
        self._paired = 0
        self._reasons: Counter[str] = Counter()

    def add(self, pair: StoredPair) -> None:
        """Compare a pair and count it."""
        service = pair.triple.service
        if service not in self.aggregates:
            self.aggregates[service] = ServiceAggregate.empty()
        outcome = self.aggregates[service].add(pair.triple)
        self._paired += outcome.paired
        if outcome.not_compared is not None:
            self._reasons[outcome.not_compared.value] += 1
        captured = pair.captured_ms
        self.since_ms = captured if self.since_ms is None else min(self.since_ms, captured)

    def coverage(self) -> Coverage:
        """Return the account of the file: every pair in it was mirrored, nothing is known of what was not."""
        lost = dict(sorted(self._reasons.items()))
        return Coverage(
            mirrored=self._paired + sum(lost.values()),
            paired=self._paired,
            not_compared=lost,
            skipped_methods={},
            blocked_calls=0,
        )


def report_of(name: str, selection: Selection) -> ReportDocument:
    """Return the report of a file of pairs; raises InvalidFileError for what is none."""
    with pair_file(name) as (header, pairs):
        return _report(header, pairs, selection)


def _report(header: PairFileHeader, pairs: Iterable[StoredPair], selection: Selection) -> ReportDocument:
    recount = Recount()
    for pair in pairs:
        recount.add(pair)
    since_ms = header.created_ms if recount.since_ms is None else recount.since_ms
    return build_report(
        ReportInput(
            overlay=header.overlay,
            baseline=header.baseline,
            since=rfc3339(since_ms),
            aggregates=recount.aggregates,
            coverage=recount.coverage(),
            service=selection.service,
            endpoint=selection.endpoint,
            kind=selection.kind,
            policy=selection.policy,
            ignore_rules=selection.rules.ignore,
            expected=selection.rules.expect,
            today=selection.today,
        )
    )


def compared(triple: Triple) -> ComparedPair:
    """Return the pair with its differences; those that the control shows at the same place are noise."""
    found = compare_triple(triple)
    noisy = {discrepancy_of(difference) for difference in found.control or ()}
    return ComparedPair(
        triple=triple,
        differences=found.branch,
        noise=tuple(difference for difference in found.branch if discrepancy_of(difference) in noisy),
        not_compared=found.not_compared.value if found.not_compared else None,
    )


def find_pairs(name: str, pair_ids: Collection[str]) -> dict[str, ComparedPair]:
    """Return those of the pairs that the file has, by id; raises InvalidFileError for what is no file of pairs."""
    wanted = set(pair_ids)
    with pair_file(name) as (_, pairs):
        return {pair.triple.id: compared(pair.triple) for pair in pairs if pair.triple.id in wanted}


def find_pair(name: str, pair_id: str) -> Triple:
    """Return a pair of the file; raises NotFoundError, or InvalidFileError for what is no file of pairs."""
    with pair_file(name) as (_, pairs):
        for pair in pairs:
            if pair.triple.id == pair_id:
                return pair.triple
    raise NotFoundError(f"{name} has no pair {pair_id!r}: the report names the pairs that it shows.")


@contextmanager
def pair_file(name: str) -> Iterator[tuple[PairFileHeader, Iterator[StoredPair]]]:
    """Open a file of pairs and read its header; raises InvalidFileError that says what is wrong with it."""
    try:
        file = Path(name).open("rb")  # noqa: SIM115  # closed below; only opening it is translated here
    except FileNotFoundError as error:
        raise InvalidFileError("no such file; 'microstax env export' writes one.", file=name) from error
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    with file:
        yield read_pair_file(_chunks(file, name), file=name)


def _chunks(file: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        yield from iter(lambda: file.read(_CHUNK), b"")
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> InvalidFileError:
    return InvalidFileError(f"cannot be read ({getattr(error, 'strerror', None) or error}).", file=name)
