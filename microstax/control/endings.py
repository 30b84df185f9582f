"""The end of shadows that nobody holds a lock for: those whose time is over, and those that the kill switch stopped.

To the Envoys they end at once, by a pause in memory. That they are off is written down after that, and tried again
while the disk is full: what is not written down would come back with the next control plane.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from microstax.control import queries
from microstax.control.ahead import Pause, Pauser
from microstax.control.controls import Controls
from microstax.control.plane import Plane
from microstax.control.tasks import in_background
from microstax.errors import MicrostaxError, StorageError
from microstax.model.ending import has_ended, moment
from microstax.store.state import PutShadow, ShadowRecord, State

_log: Final = logging.getLogger(__name__)
LOOK_S: Final = 1.0
"""How often to look at the time of day at least: it may be set, and machines sleep."""
RETRY_S: Final = 5.0
_NOT_STORED: Final = "the end of a shadow cannot be stored, so it is only paused: %s"
_PAUSERS: Final = (Pauser.KILL_SWITCH, Pauser.EXPIRY)


def off(shadow: ShadowRecord) -> ShadowRecord:
    """Return a shadow as somebody switched it off."""
    return replace(shadow, settings=replace(shadow.settings, enabled=False), expires_ms=0)


class Endings:
    """Ends shadows. Nothing here waits for an operation."""

    def __init__(self, plane: Plane, controls: Controls) -> None:
        self._plane: Final = plane
        self.controls: Final = controls
        self._stopping: Final[set[asyncio.Task[None]]] = set()

    async def run(self) -> None:
        """End what is due until cancelled."""
        storing: asyncio.Task[None] | None = None
        try:
            while True:
                self._pause_over()
                if self._is_due() and (storing is None or storing.done()):
                    storing = in_background(self._store(), name="store the end of shadows")
                await asyncio.sleep(self._delay_s())
        finally:
            for task in (*self._stopping, *([storing] if storing else [])):
                task.cancel()

    async def look(self) -> None:
        """End what is due now. Where that cannot be written down it is paused all the same, and `run` tries again."""
        self._pause_over()
        if self._is_due():
            try:
                await self.commit()
            except StorageError as error:
                _log.warning(_NOT_STORED, error.message)

    async def commit(self) -> None:
        """Write down that all that is paused here is off. Raises StorageError; the pauses go on then."""
        before = self._plane.state
        after = await self._plane.journal.amend(self._changes)
        self._release()
        for shadow in queries.all_enabled(before):
            now = after.shadows.get(shadow.overlay)
            if now is not None and not now.settings.enabled:
                if now.expires_ms:
                    _log.info("%s", has_ended(now.overlay, now.expires_ms))
                self._stop_controls(now.overlay)

    async def _store(self) -> None:
        try:
            await self.commit()
        except StorageError as error:
            _log.warning(_NOT_STORED, error.message)
            await asyncio.sleep(RETRY_S)

    def _pause_over(self) -> None:
        now_ms = self._plane.now_ms()
        for shadow in queries.all_enabled(self._plane.state):
            if _is_over(shadow, now_ms):
                why = f"It ended by itself at {moment(shadow.expires_ms)}, which could not be stored yet."
                self._plane.to_envoys.pause(shadow.overlay, Pause(why, now_ms), by=Pauser.EXPIRY)

    def _is_due(self) -> bool:
        paused = any(self._plane.to_envoys.paused_by(by) for by in _PAUSERS)
        return paused or any(_lacks_end(shadow) for shadow in queries.all_enabled(self._plane.state))

    def _changes(self, state: State) -> tuple[PutShadow, ...]:
        return tuple(PutShadow(record) for record in self._ended(state))

    def _ended(self, state: State) -> Iterator[ShadowRecord]:
        now_ms, killed = self._plane.now_ms(), self._plane.to_envoys.paused_by(Pauser.KILL_SWITCH)
        for shadow in queries.all_enabled(state):
            if shadow.overlay in killed:
                yield off(shadow)
            elif _is_over(shadow, now_ms):
                yield replace(off(shadow), expires_ms=shadow.expires_ms)
            elif _lacks_end(shadow):
                yield replace(shadow, expires_ms=now_ms + shadow.settings.ttl_ms)

    def _release(self) -> None:
        """End the pauses of what is off, of what is gone, and of what somebody enabled again."""
        now_ms = self._plane.now_ms()
        for by in _PAUSERS:
            for overlay in self._plane.to_envoys.paused_by(by):
                shadow = queries.enabled(self._plane.state, overlay)
                if shadow is None or (by is Pauser.EXPIRY and not _is_over(shadow, now_ms)):
                    self._plane.to_envoys.resume(overlay, by=by)

    def _delay_s(self) -> float:
        now_ms = self._plane.now_ms()
        ends = (shadow.expires_ms for shadow in queries.all_enabled(self._plane.state))
        return min([LOOK_S, *((end - now_ms) / 1000 for end in ends if end > now_ms)])

    def _stop_controls(self, overlay: str) -> None:
        """Stop an overlay's control copies as soon as no operation on it is under way."""

        async def stop() -> None:
            try:
                async with self._plane.locks.hold(overlay):
                    record = self._plane.state.overlays.get(overlay)
                    if record is not None:
                        await self.controls.stop_unwanted(record)
            except MicrostaxError as error:
                _log.warning("control copies of %s cannot be stopped: %s", overlay, error.message)

        task = in_background(stop(), name=f"stop controls of {overlay}")
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


def _is_over(shadow: ShadowRecord, now_ms: int) -> bool:
    return 0 < shadow.expires_ms <= now_ms


def _lacks_end(shadow: ShadowRecord) -> bool:
    """Tell whether a microstax that knew no ends switched it on."""
    return shadow.settings.ttl_ms > 0 and not shadow.expires_ms
