"""A worker's delta as the store takes it. Pure; what makes no sense is refused, what is too old is left out.

A delta is refused as a whole and for good: the worker drops it, since one that it sent again for ever would hold back
all that come after.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from microstax.control import counters, coverage, crosschecks, layout, queries
from microstax.errors import InvalidFileError, UsageError
from microstax.generated.management.microstax.management.v1 import Accounted, Delta, NodeCounters, ServiceDelta
from microstax.model.exchange import READ, Stray
from microstax.model.record import decode_pair
from microstax.store.port import CounterReading, DeltaRecord, ExamplePair, ServiceResult
from microstax.store.state import ShadowRecord, State

_log: Final = logging.getLogger(__name__)
_LONGEST_NAME: Final = 200
_MOST: Final = 1 << 53
"""What no count reaches, and what a sum of such counts stays below 64 bits by far."""
Pairs = tuple[ExamplePair, ...]
Examples = Mapping[int, tuple[Pairs, Pairs]]
"""By the place of their service in a delta: what findings show, and what is kept whatever it shows."""


def check(delta: Delta) -> None:
    """Raise UsageError for a delta that no worker makes."""
    if not delta.worker_id or delta.sequence < 1:
        raise UsageError("A delta needs a worker_id and a sequence from 1.")
    if any(len(name) > _LONGEST_NAME for name in _names(delta)):
        raise UsageError(f"A delta has a name of more than {_LONGEST_NAME} characters.")
    for count in _counts(delta):
        if not 0 <= count < _MOST:
            raise UsageError(f"A delta counts {count}: counts are 0 or more, and below 2^53.")


def examples(delta: Delta) -> Examples:
    """Return the example pairs of a delta. Raises UsageError for one that is no pair record."""
    return {
        number: (_examples(service, service.examples), _examples(service, service.kept))
        for number, service in enumerate(delta.services)
        if service.examples or service.kept
    }


def record(
    state: State,
    delta: Delta,
    pairs: Examples,
    *,
    counted_ms: Mapping[str, int],
    steady: Callable[[str], Collection[str]] = lambda _: (),
    restarted: Collection[str] = (),
) -> DeltaRecord:
    """Return a delta as the store takes it.

    What is about shadows or generations that are over, and what an overlay does not run, is left out. So are counters
    that were read before those that are known (`counted_ms` by node): of two workers that looked at an Envoy, one may
    come late, and its lower values would look like counters that began again.

    `steady` says by node which overlays' shadows have been in force since the reading before; `restarted` are the nodes
    that were restarted since then.
    """
    return DeltaRecord(
        worker_id=delta.worker_id,
        sequence=delta.sequence,
        at_ms=delta.at_ms,
        results=(
            *(
                _result(state.shadows[one.overlay], one, pairs.get(number, ((), ())))
                for number, one in enumerate(delta.services)
                if _is_wanted(state, delta, one)
            ),
            *(result for node in delta.counters for result in _of_node(state, node, node.node_id in restarted)),
            *_unread(state, delta),
        ),
        readings=tuple(
            reading
            for node in delta.counters
            if not node.at_ms or node.at_ms > counted_ms.get(node.node_id, 0)
            for reading in _readings(state, node, steady(node.node_id))
        ),
    )


def _names(delta: Delta) -> Iterator[str]:
    yield delta.worker_id
    for service in delta.services:
        yield from service.not_compared
        yield from service.rechecks
        yield from service.gaps
    for node in delta.counters:
        yield from (node.node_id, node.epoch, *node.traces)


def _counts(delta: Delta) -> Iterator[int]:
    for service in delta.services:
        yield from (service.paired, service.pending, *service.not_compared.values(), *service.rechecks.values())
        yield from service.gaps.values()
    for node in delta.counters:
        yield from node.traces.values()
    for one in delta.accounted:
        yield from (*one.by_reading, *one.by_reading.values())


def _readings(state: State, node: NodeCounters, steady: Collection[str]) -> Sequence[CounterReading]:
    values = {name: value for name, value in node.counters.items() if 0 <= value < _MOST}
    return counters.readings(state, node=node.node_id, epoch=node.epoch, values=values, steady=steady, at_ms=node.at_ms)


def _of_node(state: State, node: NodeCounters, restarted: bool) -> Iterator[ServiceResult]:  # noqa: FBT001  # private
    """Yield what is known of an Envoy's traces as a whole, for every shadow of its environment."""
    strays = {crosschecks.STRAY + name: n for name, n in node.traces.items() if n and name in set(Stray)}
    read = {crosschecks.READ: node.traces[READ]} if node.traces.get(READ) else {}
    counts = {**strays, **read, **({crosschecks.RESTARTS: 1} if restarted else {})}
    role, environment = layout.node_parts(node.node_id)
    for record in queries.overlays_of(state, environment) if counts and role == layout.TEE else ():
        shadow = state.shadows.get(record.spec.name)
        if shadow is not None:
            yield ServiceResult(
                overlay=shadow.overlay, generation=shadow.generation, service=crosschecks.NODE, counts=counts
            )


def _unread(state: State, delta: Delta) -> Iterator[ServiceResult]:
    """Yield of how many copies more a delta says what became of them than by which reading they were made."""
    unread: Counter[tuple[str, str]] = Counter()
    for one in delta.services:
        if _is_mirrored(state, one):
            unread[one.overlay, one.service] += one.paired + sum(one.not_compared.values())
    for told in delta.accounted:
        if _is_mirrored(state, told):
            unread[told.overlay, told.service] -= sum(told.by_reading.values())
    for (overlay, service), count in sorted(unread.items()):
        if count:
            yield ServiceResult(
                overlay=overlay,
                generation=state.shadows[overlay].generation,
                service=service,
                counts={coverage.UNREAD: count},
            )


def _is_mirrored(state: State, one: ServiceDelta | Accounted) -> bool:
    """Tell whether news belong to the generation of their shadow; a worker that knows none means the newest."""
    shadow, overlay = state.shadows.get(one.overlay), state.overlays.get(one.overlay)
    return (
        shadow is not None
        and overlay is not None
        and one.generation in {0, shadow.generation}
        and any(spec.name == one.service for spec in queries.shadowed_services(overlay, shadow))
    )


def _is_wanted(state: State, delta: Delta, one: ServiceDelta) -> bool:
    """Tell whether results are of now, and say so in the log where they are not."""
    wanted = _is_mirrored(state, one)
    if not wanted and (one.paired or one.not_compared):
        _log.info(
            "%s sent %d pairs of %s/%s, generation %d, which is not mirrored now: they are not counted",
            delta.worker_id,
            one.paired,
            one.overlay[:_LONGEST_NAME],
            one.service[:_LONGEST_NAME],
            one.generation,
        )
    return wanted


def _result(shadow: ShadowRecord, delta: ServiceDelta, pairs: tuple[Pairs, Pairs]) -> ServiceResult:
    reasons = {coverage.reason_tally(reason): n for reason, n in delta.not_compared.items() if n}
    gaps = {coverage.gap_tally(part): n for part, n in delta.gaps.items() if n}
    paired = {coverage.PAIRED: delta.paired} if delta.paired else {}
    rechecks = {coverage.recheck_tally(one): n for one, n in delta.rechecks.items() if n and one in coverage.RECHECKS}
    return ServiceResult(
        overlay=delta.overlay,
        generation=shadow.generation,
        service=delta.service,
        aggregate=delta.aggregate,
        counts={**reasons, **paired, **rechecks, **gaps},
        examples=pairs[0],
        kept=pairs[1],
        keep=shadow.settings.keep_pairs,
    )


def _examples(delta: ServiceDelta, records: Sequence[bytes]) -> Pairs:
    return tuple(_example(delta, record) for record in records)


def _example(delta: ServiceDelta, body: bytes) -> ExamplePair:
    try:
        pair = decode_pair(body)
    except InvalidFileError as error:
        raise UsageError(f"A delta has an example that is no pair record: {error.message}") from error
    return ExamplePair(
        overlay=delta.overlay, service=delta.service, id=pair.triple.id, at_ms=pair.captured_ms, record=body
    )
