"""A log in which a problem stands once, however often it happens."""

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

AGAIN_S: Final = 60.0
MOST_KEYS: Final = 1_000
_log: Final = logging.getLogger("microstax.worker")


@dataclass(slots=True)
class _Seen:
    kind: str
    logged_at: float
    since: int = 0


@dataclass(slots=True)
class Notices:
    """Logs a problem when it is new, when its kind changes, and once a minute with a count while it lasts."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def problem(self, key: str, text: str, *, kind: str = "", level: int = logging.WARNING) -> None:
        """Tell of a problem of `key` (what it is about)."""
        now, seen = self.clock(), self._seen.get(key)
        if seen is not None and seen.kind == kind:
            seen.since += 1
            if now - seen.logged_at >= AGAIN_S:
                _log.log(level, "%s (%d times in the last minute)", text, seen.since)
                seen.logged_at, seen.since = now, 0
            return
        if len(self._seen) < MOST_KEYS:
            self._seen[key] = _Seen(kind, now)
        _log.log(level, "%s", text)

    def resolved(self, key: str, text: str) -> None:
        """Tell that `key` is well again, if it was not."""
        if self._seen.pop(key, None) is not None:
            _log.info("%s", text)

    def failure(self, text: str, error: Exception) -> None:
        """Tell of a mistake of ours, with its traceback once a kind and minute."""
        last = traceback.extract_tb(error.__traceback__)[-1:]
        kind = f"{type(error).__name__} {last[0].filename}:{last[0].lineno}" if last else type(error).__name__
        trace = "".join(traceback.format_tb(error.__traceback__))
        # The error's own text is left out: it may hold a piece of the traffic.
        self.problem(text, f"{text}, which is a mistake in microstax: {kind}\n{trace}", kind=kind, level=logging.ERROR)
