"""Cut a stream of varint-delimited messages into messages, whatever the chunks are that it arrives in. No I/O.

Envoy's `PROTO_BINARY_LENGTH_DELIMITED` puts the length of each trace before it as a base-128 varint. There is no way
to find the next message after a wrong length, so a stream that breaks stays broken until the next one begins.
"""

from dataclasses import dataclass
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
    _rest: bytes = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the messages that `chunk` completes, in order."""
        if self.broken:
            return []
        data = self._rest + chunk if self._rest else chunk
        frames: list[bytes] = []
        start, size = 0, len(data)
        while start < size and not self.broken:
            length, body = self._length(data, start)
            if length is None or body + length > size:
                break
            frames.append(data[body : body + length])
            start = body + length
        self._rest = b"" if self.broken else data[start:]
        return frames

    def finish(self) -> str | None:
        """End the stream; return what was wrong with it, None for a stream that ended between two messages."""
        problem = self.broken or (f"cut inside a trace, {len(self._rest)} bytes left over" if self._rest else None)
        self.broken, self._rest = None, b""
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
