"""One Envoy's stream of tap chunks as pairs: cut, decode, name, redact, pair. No I/O and no clock."""

from collections.abc import Iterable, Mapping

from microstax.capture.asked import RawAnswer, asked_of
from microstax.capture.frames import FrameReader
from microstax.capture.identity import Identities, Named
from microstax.capture.inbox import Chunk
from microstax.capture.pairer import Pairer
from microstax.capture.redaction import Redaction
from microstax.capture.redactor import Redactor
from microstax.capture.tap_trace import Trace, Unusable, parse_trace
from microstax.capture.terms import Command, Expected
from microstax.capture.trace_reader import TraceReader
from microstax.model.exchange import Exchange, Response, Side


class Collector:
    """Turns chunks into Paired and Lost. Nothing that a chunk holds raises.

    traces, trace_bytes: what was read. undecodable: traces and streams that could not be. problem: what was wrong last,
    without anything of the traffic itself.
    """

    def __init__(self, pairer: Pairer, redactor: Redactor) -> None:
        self.pairer = pairer
        self.identities = Identities()
        self.traces = self.trace_bytes = self.undecodable = 0
        self.problem: str | None = None
        self._reader = TraceReader(redactor)
        self._frames = FrameReader()
        self._poll: int | None = None

    @property
    def redactor(self) -> Redactor:
        """The rules of redaction; new ones hold from the next trace on."""
        return self._reader.redactor

    @redactor.setter
    def redactor(self, redactor: Redactor) -> None:
        self._reader = TraceReader(redactor)

    def watch(self, expected: Mapping[str, Iterable[Expected]], redaction: Redaction) -> None:
        """Replace what is mirrored and what is redacted, from the next chunk on."""
        self.pairer.expect(expected)
        self.redactor = Redactor(redaction)

    def feed(self, chunk: Chunk, *, now_us: int) -> list[Command]:
        """Read one chunk; `now_us` is the pairer's clock, which never goes back."""
        if chunk.poll != self._poll:
            self._note(self._frames.finish())
            self._poll = chunk.poll
        was_broken = self._frames.broken
        commands: list[Command] = []
        named: list[Named] = []
        # One step after the other over all traces of a chunk: a processor does the same thing again much faster.
        for trace in map(parse_trace, self._cut(chunk.data)):
            if isinstance(trace, Unusable):
                commands += self._seen(trace, chunk.at_us, now_us)
            else:
                named += self.identities.take(trace, at_us=chunk.at_us, now_us=now_us)
        commands += self._pair(named, now_us)
        if self._frames.broken and not was_broken:
            self.problem = self._frames.broken
        return commands

    def read_answer(self, answer: RawAnswer, method: str) -> Response | None:
        """Return an answer that was fetched without Envoy, redacted as the captured are; None for one of no use."""
        return self._reader.read_answer(answer, method)

    def tick(self, now_us: int) -> list[Command]:
        """Let go of what has waited long enough."""
        return self._pair(self.identities.tick(now_us), now_us) + self.pairer.tick(now_us)

    def flush(self, now_us: int) -> list[Command]:
        """Let go of everything."""
        return self._pair(self.identities.flush(), now_us) + self.pairer.flush()

    def _cut(self, data: bytes) -> list[bytes]:
        frames = self._frames.feed(data)
        self.traces += len(frames)
        self.trace_bytes += sum(map(len, frames))
        return frames

    def _pair(self, named: Iterable[Named], now_us: int) -> list[Command]:
        read = self._reader.read
        seen = [(read(one.trace), one) for one in named]
        return [command for exchange, one in seen for command in self._seen(exchange, one.at_us, now_us, one.trace)]

    def _seen(self, seen: Exchange | Unusable, at_us: int, now_us: int, trace: Trace | None = None) -> list[Command]:
        age_us = at_us - seen.started_us if seen.started_us is not None else None
        if isinstance(seen, Unusable) and not (seen.foreign or seen.cut_short):
            self._note(seen.problem)
        asked = None
        if trace is not None and seen.side is Side.BASELINE and seen.service in self.pairer.again:
            asked = asked_of(seen, trace) if isinstance(seen, Exchange) else None
        return self.pairer.handle(seen, now_us=now_us, age_us=age_us, asked=asked)

    def _note(self, problem: str | None) -> None:
        if problem is not None:
            self.undecodable += 1
            self.problem = problem
