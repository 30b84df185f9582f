"""From Envoy's tap to pairs: poll, cut into traces, decode, redact, pair. Compares nothing and stores nothing.

    TapPoller -> Inbox -> Collector (FrameReader -> Identities -> TraceReader -> Pairer) -> Paired | Lost

Only the poller does I/O. What leaves this package is redacted, but for `Paired.asked`: a request as it was sent, for
asking it again, where a shadow does that.
"""

from microstax.capture.asked import Asked, RawAnswer, RawRequest
from microstax.capture.collector import Collector
from microstax.capture.inbox import Chunk, Inbox
from microstax.capture.pairer import Pairer
from microstax.capture.poller import PollFailed, PollProblem, TapPoller
from microstax.capture.redaction import Redaction
from microstax.capture.redactor import Redactor
from microstax.capture.terms import Command, Expected, Limits, Lost, Paired

__all__ = [
    "Asked",
    "Chunk",
    "Collector",
    "Command",
    "Expected",
    "Inbox",
    "Limits",
    "Lost",
    "Paired",
    "Pairer",
    "PollFailed",
    "PollProblem",
    "RawAnswer",
    "RawRequest",
    "Redaction",
    "Redactor",
    "TapPoller",
]
