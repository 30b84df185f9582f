"""Cut a stream of varint-delimited messages into messages, whatever the chunks are that it arrives in. No I/O.

Envoy's `PROTO_BINARY_LENGTH_DELIMITED` puts the length of each trace before it as a base-128 varint. There is no way
to find the next message after a wrong length, so a stream that breaks stays broken until the next one begins.
"""

from dataclasses import dataclass, field
from typing import Final

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
_MAX_VARINT_BYTES: Final = 5
_MORE: Final = 0x80
_SEVEN_BITS: Final = 0x7F


@dataclass(slots=True)
class FrameReader:
    """Reads one stream at a time: `feed` chunks, then `finish` before the first chunk of the next stream.

    `broken` is the reason why the rest of the stream cannot be read, None while all is well.
    """

    broken: str | None = None
    _rest: list[bytes] = field(default_factory=list)
    _held: int = 0
    _wanted: int = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the messages that `chunk` completes, in order."""
        if self.broken:
            return []
        self._rest.append(chunk)
        self._held += len(chunk)
        if self._held < self._wanted:
            return []  # put together once it is whole: again for each chunk would take a time that grows as its square
        data = self._rest[0] if len(self._rest) == 1 else b"".join(self._rest)
        frames: list[bytes] = []
        start, size = 0, len(data)
        self._wanted = 0
        while start < size and not self.broken:
            length, body = self._length(data, start)
            if length is None or body + length > size:
                self._wanted = 0 if length is None else body + length - start
                break
            frames.append(data[body : body + length])
            start = body + length
        self._keep(b"" if self.broken else data[start:])
        return frames

    def _keep(self, rest: bytes) -> None:
        self._rest = [rest] if rest else []
        self._held = len(rest)

    def finish(self) -> str | None:
        """End the stream; return what was wrong with it, None for a stream that ended between two messages."""
        problem = self.broken or (f"cut inside a trace, {self._held} bytes left over" if self._held else None)
        self.broken, self._wanted = None, 0
        self._keep(b"")
        return problem

    def _length(self, data: bytes, start: int) -> tuple[int | None, int]:
        """Return the length that stands at `start` and where its message begins; None where more bytes are needed."""
        first = data[start]
        if first < _MORE:
            return first, start + 1
        length = shift = 0
        for position in range(start, min(start + _MAX_VARINT_BYTES, len(data))):
            byte = data[position]
            length |= (byte & _SEVEN_BITS) << shift
            if byte < _MORE:
                if length > MAX_FRAME_BYTES:
                    break
                return length, position + 1
            shift += 7
        else:
            if len(data) - start < _MAX_VARINT_BYTES:
                return None, start
        self.broken = "a length that no trace can have"
        return None, start
