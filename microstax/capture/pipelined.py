"""HTTP/1.1 with requests sent ahead: many requests on one connection, answered in order. No I/O.

h11 speaks one request and its answer at a time, so every request gets a connection object of its own, and what is left
over behind one answer is given to the next.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import h11

HOST: Final = "envoy"


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to the oldest open request has begun."""

    status: int


@dataclass(frozen=True, slots=True)
class Received:
    """A piece of the answer's body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is complete. `closing`: the server will answer nothing more on this connection."""

    closing: bool


Event = Opened | Received | Ended


class BrokenAnswerError(Exception):
    """What came is no HTTP/1.1."""


@dataclass(slots=True)
class PipelinedClient:
    """One connection. `waiting` requests have no complete answer yet."""

    _open: deque[h11.Connection] = field(default_factory=deque)

    @property
    def waiting(self) -> int:
        """The number of requests without a complete answer."""
        return len(self._open)

    def post(self, target: str, body: bytes) -> bytes:
        """Return what to send for a POST."""
        connection = h11.Connection(our_role=h11.CLIENT)
        headers = [("Host", HOST), ("Content-Length", str(len(body)))]
        request = connection.send(h11.Request(method="POST", target=target, headers=headers)) or b""
        request += connection.send(h11.Data(data=body)) or b""
        request += connection.send(h11.EndOfMessage()) or b""
        self._open.append(connection)
        return request

    def receive(self, data: bytes) -> list[Event]:
        """Take in what came, and tell what it means; raises BrokenAnswerError."""
        events: list[Event] = []
        while data:
            if not self._open:
                raise BrokenAnswerError("an answer that nobody asked for")
            connection = self._open[0]
            connection.receive_data(data)
            events += self._events(connection)
            if connection.their_state not in (h11.DONE, h11.MUST_CLOSE):
                break
            self._open.popleft()
            data = connection.trailing_data[0]
        return events

    def _events(self, connection: h11.Connection) -> list[Event]:
        events: list[Event] = []
        try:
            while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                match event:
                    case h11.Response():
                        events.append(Opened(event.status_code))
                    case h11.Data():
                        events.append(Received(bytes(event.data)))
                    case h11.EndOfMessage():
                        events.append(Ended(closing=connection.their_state is h11.MUST_CLOSE))
                        break
                    case h11.ConnectionClosed():
                        break
        except h11.RemoteProtocolError as error:
            raise BrokenAnswerError(str(error)) from error
        return events
