"""What was found: the report of an overlay, single pairs, all kept pairs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import orjson

from microstax.control import coverage, fence, past, queries, rules
from microstax.control.intake import Intake
from microstax.control.plane import Plane
from microstax.control.refusals import Refusals
from microstax.errors import NotFoundError, UndecidedError, UsageError
from microstax.generated.management.microstax.management.v1 import (
    ExportPairsRequest,
    GetPairRequest,
    GetReportRequest,
    GetReportResponse,
    PairRecord,
)
from microstax.model.ending import has_ended
from microstax.model.exchange import NotCompared
from microstax.model.ignore import ExpectedChange, IgnoreRule
from microstax.model.report import BridgeReport, Coverage, Rechecks, ReportDocument
from microstax.model.shadow import ControlMode
from microstax.model.wording import rfc3339
from microstax.store.port import Results
from microstax.store.state import OverlayRecord, ShadowRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that a report is built of. `aggregates` are by service, as bytes; the numbers may be 0, for the default.

    `minutes` have passed since `since_ms`, None where the shadow is off. `control` is the kind of control that could be
    had, `controlled` are the services that have one now.
    """

    overlay: str
    baseline: str
    since_ms: int
    coverage: Coverage
    aggregates: Mapping[str, bytes]
    rules: tuple[IgnoreRule, ...]
    expected: tuple[ExpectedChange, ...] = ()
    today: date
    minutes: float | None = None
    rechecks: Rechecks | None = None
    bridge: BridgeReport | None = None
    service: str = ""
    endpoint: str = ""
    kind: str = ""
    min_pairs: int = 0
    alpha: float = 0.0
    tolerance: float = 0.0
    control: ControlMode = ControlMode.COPY
    controlled: frozenset[str] = frozenset()


_MOST_ALPHA: Final = 0.5
Build = Callable[[Question], ReportDocument]


class Reports:
    """Answers what was found. `build` makes the document of what is in the store."""

    def __init__(self, plane: Plane, intake: Intake, refusals: Refusals, *, build: Build) -> None:
        self._plane: Final = plane
        self._intake: Final = intake
        self._refusals: Final = refusals
        self._build: Final = build

    async def get(self, request: GetReportRequest) -> GetReportResponse:
        """Return the report of now. Raises NotFoundError, and UndecidedError for an overlay that never was shadowed."""
        _check_numbers(request)
        record, shadow = self._shadow(request.overlay)
        file = rules.of_file(request.rules)
        now_ms = self._plane.now_ms()
        services = [spec.name for spec in queries.shadowed_services(record, shadow)]
        if request.service and request.service not in services:
            raise UsageError(
                f"{request.service!r} is not shadowed by {request.overlay}: it compares {', '.join(services)}."
            )
        results = await self._plane.journal.store.results(request.overlay, shadow.generation)
        question = Question(
            overlay=request.overlay,
            baseline=record.spec.baseline,
            since_ms=shadow.since_ms,
            coverage=self._intake.accounts.coverage(shadow, results.counts, request.service, now_ms=now_ms),
            aggregates=dict(sorted(results.aggregates.items())),
            rules=file.ignore + rules.applying(self._plane.state, request.overlay),
            expected=file.expect,
            today=datetime.fromtimestamp(now_ms / 1000, UTC).date(),
            minutes=max(0, now_ms - shadow.since_ms) / 60_000 if shadow.settings.enabled else None,
            rechecks=_rechecks(shadow, results, request.service),
            bridge=self._bridge(record, results),
            service=request.service,
            endpoint=request.endpoint,
            kind=request.kind,
            min_pairs=request.min_pairs,
            alpha=request.alpha,
            tolerance=request.tolerance,
            control=queries.possible_control(self._plane.state, record, shadow),
            controlled=queries.controlled_services(self._plane.state, record, shadow),
        )
        # A large report takes a while, and the event loop has Envoys to serve.
        document = await asyncio.to_thread(self._build, question)
        waiting = self._waiting(record, shadow, question)
        if waiting:
            document = ReportDocument({**document, "verdict": "undecided", "reasons": waiting})
        if shadow.settings.enabled and shadow.expires_ms:
            document = ReportDocument({**document, "until": rfc3339(shadow.expires_ms)})
        if not shadow.settings.enabled and shadow.expires_ms:
            ended = has_ended(shadow.overlay, shadow.expires_ms)
            document = ReportDocument({**document, "reasons": [*document["reasons"], ended]})
        pause = self._plane.to_envoys.paused.get(shadow.overlay)
        if pause is not None and shadow.settings.enabled:
            document = ReportDocument({**document, "reasons": [*document["reasons"], pause.why]})
        if self._plane.journal.trouble:
            # What is found meanwhile waits in the workers: the figures stand still.
            document = ReportDocument({**document, "reasons": [*document["reasons"], self._plane.journal.trouble]})
        return GetReportResponse(document=orjson.dumps(document))

    async def pair(self, request: GetPairRequest) -> PairRecord:
        """Return a kept pair; raises NotFoundError."""
        queries.overlay(self._plane.state, request.overlay)
        found = await self._plane.journal.store.pair(request.overlay, request.pair_id)
        if found is None:
            raise NotFoundError(
                f"There is no pair {request.pair_id!r} of {request.overlay}: a report names the pairs that are kept."
            )
        return PairRecord(record=found)

    async def export(self, request: ExportPairsRequest) -> AsyncIterator[PairRecord]:
        """Yield all kept pairs, page by page, so that a slow reader holds nothing up."""
        self._shadow(request.overlay)
        after: int | None = 0
        while after is not None:
            page = await self._plane.journal.store.pairs(request.overlay, after=after)
            for record in page.records:
                yield PairRecord(record=record)
            after = page.after

    def _shadow(self, overlay: str) -> tuple[OverlayRecord, ShadowRecord]:
        record = queries.overlay(self._plane.state, overlay)
        shadow = self._plane.state.shadows.get(overlay)
        if shadow is None:
            raise UndecidedError(
                f"{overlay} was never shadowed, so nothing was compared: switch it on with "
                f"'microstax env shadow {overlay} --enable'."
            )
        return record, shadow

    def _bridge(self, record: OverlayRecord, results: Results) -> BridgeReport:
        """Return what the bridge did, of all services: whom a branch calls is no matter of what is shown."""
        can_deny = self._plane.fleet.runtime.can_deny_ports()
        refused = self._refusals.of(record.spec.name)
        return fence.report(results.counts, refused, direct=past.direct(record.spec, can_deny=can_deny))

    def _waiting(self, record: OverlayRecord, shadow: ShadowRecord, question: Question) -> list[str]:
        """Return what a report that cannot say anything yet waits for, in sentences; none where it can."""
        mirrored, lost = question.coverage["mirrored"], question.coverage["not_compared"]
        if mirrored and question.coverage["paired"] == 0 and set(lost) == {NotCompared.PENDING.value}:
            return [f"{mirrored} mirrored requests are on their way, and none is compared yet."]
        if mirrored:
            return []
        if not shadow.settings.enabled:
            return ["no request was mirrored before the shadow was switched off."]
        return [
            f"no request has reached {spec.name} yet: send traffic to "
            f"http://{queries.tee_address(queries.base_service(self._plane.state, record, spec.name))}"
            for spec in queries.shadowed_services(record, shadow)
            if question.service in {"", spec.name}
        ]


def _check_numbers(request: GetReportRequest) -> None:
    """Raise UsageError for what no report can be judged by; not a number is refused, too."""
    if not 0 <= request.alpha <= _MOST_ALPHA:
        raise UsageError(f"alpha is {request.alpha:g}: it has to be above 0 and at most {_MOST_ALPHA:g}.")
    if not 0 <= request.tolerance <= 1:
        raise UsageError(f"tolerance is {request.tolerance:g}: it is a share, above 0 and at most 1.")
    if request.min_pairs < 0:
        raise UsageError(f"min_pairs is {request.min_pairs}: it has to be 1 or more.")


def _rechecks(shadow: ShadowRecord, results: Results, service: str) -> Rechecks | None:
    """Return what became of the mismatches that were asked again; None where none is."""
    if not shadow.settings.recheck_rps:
        return None

    counts: Counter[str] = Counter()
    for (owner, tally), n in results.counts.items():
        if service in {"", owner}:
            counts[tally] += n
    return coverage.rechecks(counts)
