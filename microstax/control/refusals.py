"""Takes note of what bridges refuse: redacted at once, counted by kind, kept in the store with the other results."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from microstax.capture.redaction import Redaction
from microstax.capture.redactor import Redactor
from microstax.control import queries
from microstax.control.plane import Plane
from microstax.control.refused import RefusedCall, RefusedCalls
from microstax.errors import StorageError
from microstax.model.redaction import RedactionRules

_log: Final = logging.getLogger(__name__)
EVERY_S: Final = 1.0


class Refusals:
    """The refused calls of every overlay. Until a first shadow is on, they are kept in memory alone."""

    def __init__(self, plane: Plane) -> None:
        self._plane: Final = plane
        self._calls: Final[dict[str, RefusedCalls]] = {}
        self._changed: Final[set[str]] = set()
        self._redactors: Final[dict[RedactionRules, Redactor]] = {}
        self._key = b""

    async def open(self, *, redaction_key: bytes) -> None:
        """Read what an earlier control plane kept; nothing is taken in before. A list that is damaged begins anew."""
        self._key = redaction_key
        for shadow in self._plane.state.shadows.values():
            text = await self._plane.journal.store.refused(shadow.overlay, shadow.generation)
            try:
                calls = RefusedCalls.from_text(text or "[]", generation=shadow.generation)
            except StorageError as error:
                _log.warning("the refused calls of %s begin anew: %s", shadow.overlay, error.message)
                calls = RefusedCalls(shadow.generation)
            self._calls[shadow.overlay] = calls

    def take(self, overlay: str, calls: Sequence[RefusedCall]) -> None:
        """Note calls of an overlay, as they were made."""
        record = self._plane.state.overlays.get(overlay)
        if record is None or not self._key or not calls:
            return
        redactor = self._redactor(queries.baseline_of(self._plane.state, record).spec.redaction)
        self.of(overlay).add(_redacted(call, redactor) for call in calls)
        self._changed.add(overlay)

    def of(self, overlay: str) -> RefusedCalls:
        """Return the refused calls of an overlay's newest generation."""
        found = self._calls.setdefault(overlay, RefusedCalls())
        shadow = self._plane.state.shadows.get(overlay)
        if shadow is not None and shadow.generation != found.generation:
            found.begin(shadow.generation)
        return found

    async def run(self) -> None:
        """Write what is new to the store, every second, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.write()
            except StorageError as error:
                _log.warning("refused calls are not stored: %s", error.message)

    async def write(self) -> None:
        """Write what is new to the store. Raises StorageError; what was not written is tried again."""
        for gone in self._calls.keys() - self._plane.state.overlays.keys():
            del self._calls[gone]
            self._changed.discard(gone)
        for overlay in sorted(self._changed):
            calls = self.of(overlay)
            if calls.generation:
                self._changed.discard(overlay)
                await self._write(overlay, calls)

    async def _write(self, overlay: str, calls: RefusedCalls) -> None:
        try:
            await self._plane.journal.store.note_refused(overlay, calls.generation, calls.to_text())
        except StorageError:
            self._changed.add(overlay)
            raise

    def _redactor(self, rules: RedactionRules) -> Redactor:
        if rules not in self._redactors:
            self._redactors[rules] = Redactor(Redaction.of(rules, key=self._key))
        return self._redactors[rules]


def _redacted(call: RefusedCall, redactor: Redactor) -> RefusedCall:
    """Return what may be kept of a call. First redacted, then cut: a half of a secret would match no pattern."""
    return replace(
        call,
        path=redactor.header(":path", call.path),
        user_agent=redactor.header("user-agent", call.user_agent),
    )
