"""The logs of processes: files that they write themselves, kept small by copying and truncating, read and followed.

A process holds its log open for appending, so truncating is the one way to make it smaller that needs nobody's help.
What is written between the copy and the truncation is lost; that is a few microseconds every 10 MiB.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

MAX_LOG_BYTES: Final = 10 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_MAX_TAIL: Final = 1024 * 1024
_POLL_S: Final = 0.1


def older_log(path: Path) -> Path:
    """Return where the earlier part of a log is kept."""
    return path.with_name(f"{path.name}.1")


def open_log(path: Path) -> int:
    """Open a log for a process to append to; return the descriptor. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def rotate(path: Path, *, limit: int = MAX_LOG_BYTES) -> bool:
    """Keep a log below `limit` bytes: its content moves to `older_log`, replacing what was there."""
    try:
        if path.stat().st_size <= limit:
            return False
        draft = path.with_name(f"{path.name}.new")
        shutil.copyfile(path, draft)
        draft.replace(older_log(path))
        os.truncate(path, 0)
    except OSError:
        return False  # a full disk: the log goes on growing, and the next try may succeed
    return True


def tail(path: Path, *, lines: int, end: int | None = None) -> bytes:
    """Return the last `lines` lines of a log (before offset `end`), from its older part too; at most 1 MiB of each."""
    found = _tail_of(path, lines=lines, end=end)
    missing = lines - found.count(b"\n")
    return (_tail_of(older_log(path), lines=missing) + found) if missing > 0 else found


def _tail_of(path: Path, *, lines: int, end: int | None = None) -> bytes:
    if lines <= 0:
        return b""
    found = b""
    try:
        with path.open("rb") as log:
            start = log.seek(0, os.SEEK_END) if end is None else end
            while start > 0 and found.count(b"\n") <= lines and len(found) < _MAX_TAIL:
                size = min(_CHUNK, start)
                start = log.seek(start - size)
                found = log.read(size) + found
    except OSError:
        return b""
    return _last_lines(found, lines)


def _last_lines(text: bytes, lines: int) -> bytes:
    position = len(text) - text.endswith(b"\n")
    for _ in range(lines):
        position = text.rfind(b"\n", 0, position)
        if position < 0:
            return text
    return text[position + 1 :]


def tail_text(path: Path, *, lines: int = 10, limit: int = 2000) -> str:
    """Return the last lines of a log for an error message: at most `limit` characters, indented."""
    text = tail(path, lines=lines).decode("utf-8", "replace").rstrip()[-limit:]
    return "\n".join(f"    {line}" for line in text.splitlines())


async def follow(path: Path, *, lines: int) -> AsyncIterator[bytes]:
    """Give the last `lines` lines, then everything that is written, until the iterator is closed.

    Goes on over rotation and restarts, and waits for a log that does not exist yet.
    """
    follower = _Follower(path)
    start = tail(path, lines=lines, end=follower.offset)
    if start:
        yield start
    while True:
        chunk = follower.read()
        if chunk:
            yield chunk
        else:
            await asyncio.sleep(_POLL_S)


class _Follower:
    """Reads on from where a log ends now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._older = older_log(path)
        self.offset = _size(path)
        self._generation = _generation(self._older)

    def read(self) -> bytes:
        """Return the next part, at most 64 KiB; empty if there is none now."""
        generation = _generation(self._older)
        if generation != self._generation:
            rest = _read_at(self._older, self.offset)
            if rest:
                self.offset += len(rest)
                return rest
            self._generation, self.offset = generation, 0
        if _size(self._path) < self.offset:
            self.offset = 0  # truncated or replaced by somebody else
        chunk = _read_at(self._path, self.offset)
        self.offset += len(chunk)
        return chunk


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _generation(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _read_at(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as log:
            log.seek(offset)
            return log.read(_CHUNK)
    except OSError:
        return b""
