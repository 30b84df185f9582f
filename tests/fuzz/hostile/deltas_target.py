"""What workers send: deltas of every kind, checked, taken apart, stored and merged, then reported."""

import asyncio
import atexit
from collections.abc import Iterator
from typing import Final

from google.protobuf.message_factory import GetMessageClass

from hostile.api_target import _AGGREGATE, _POOL, _WORDS
from hostile.choices import Choices
from hostile.messages import fill, spoil
from hostile.target import Target
from hostile.world import CHANGES, a_state
from microstax.api import methods
from microstax.control import comparing, deltas, server
from microstax.diff import ReportInput, ServiceAggregate, build_report
from microstax.errors import UsageError
from microstax.offline import Recount
from microstax.store.memory import MemoryStore

_DELTA: Final = GetMessageClass(_POOL.FindMessageTypeByName(f"{methods.PACKAGE}.Delta"))
_REPORT_EVERY: Final = 8
_STATE: Final = a_state()
_LOOP: Final = asyncio.new_event_loop()
atexit.register(_LOOP.close)


def check(data: bytes) -> None:
    """Submit deltas; each is taken or refused, and the report that follows can be made."""
    choices = Choices(data)
    _LOOP.run_until_complete(_submit([_delta(choices) for _ in range(choices.number(1, 2))]))


async def _submit(sent: list[bytes]) -> None:
    store, merger = MemoryStore(), comparing.Merger()
    await store.open()
    await store.commit(*CHANGES)
    for data in sent:
        try:
            delta = server._parse(methods.SUBMIT_DELTA, data, _DELTA)
            deltas.check(delta)
            record = deltas.record(_STATE, delta, deltas.examples(delta), counted_ms={"tee~prod": 1})
            await store.apply_delta(record, merger)
        except UsageError as error:
            error.message.encode()
    results = await store.results("branch", 1)
    assert all(count >= 0 for count in results.counts.values()), "a count below 0"
    if results.aggregates and sum(map(len, sent)) % _REPORT_EVERY == 0:
        found = {service: ServiceAggregate.from_bytes(body) for service, body in results.aggregates.items()}
        build_report(
            ReportInput(
                overlay="branch",
                baseline="prod",
                since="2026-01-01T00:00:00Z",
                aggregates=found,
                coverage=Recount().coverage(),
            )
        )


def _delta(choices: Choices) -> bytes:
    message = _DELTA()
    fill(message, choices, _WORDS)
    if not choices.chance(8):
        message.worker_id, message.sequence = "worker", choices.number(1, 3)
    if not message.services and not choices.chance(4):
        message.services.add(paired=choices.number(0, 3))
    for service in message.services:
        if not choices.chance(4):
            service.overlay, service.service, service.generation = "branch", "catalog", 1
        if not choices.chance(4):
            service.aggregate = _AGGREGATE
        if not choices.chance(4):
            del service.examples[:], service.kept[:]
    data: bytes = message.SerializeToString()
    return spoil(data, choices) if choices.chance(8) else data


def seeds() -> Iterator[bytes]:
    """Give decisions."""
    for step in (1, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        yield bytes(number * step % 256 for number in range(250))


TARGET: Final = Target(check=check, seeds=seeds, tokens=(b"branch", b"catalog"), longest=256)
