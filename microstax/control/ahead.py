"""A shadow that some are shown before it is committed.

A new generation of results throws the old one away, so it is committed once it is in force and not before. Until then
workers and Envoys see a state in which it is on, and all others the state without it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from microstax.store.state import PutShadow, ShadowRecord, State, apply


class Ahead:
    """Passes the state on to those who `attach`, with the shadows that are shown ahead."""

    def __init__(self) -> None:
        self._followers: Final[list[Callable[[State], None]]] = []
        self._state = State()
        self._shown: dict[str, ShadowRecord] = {}
        self._news = asyncio.Event()

    def attach(self, follow: Callable[[State], None]) -> None:
        """Let `follow` have every state from now on."""
        self._followers.append(follow)

    def follow(self, state: State) -> None:
        """Take the newest committed state."""
        self._state = state
        self._tell()

    def show(self, shadow: ShadowRecord) -> None:
        """Show a shadow that is not committed yet."""
        self._shown[shadow.overlay] = shadow
        self._tell()

    def end(self, overlay: str) -> None:
        """Show an overlay's shadow as it is committed. Idempotent."""
        if self._shown.pop(overlay, None) is not None:
            self._tell()
            news, self._news = self._news, asyncio.Event()
            news.set()

    def shown(self, overlay: str) -> ShadowRecord | None:
        """Return the shadow of an overlay that is shown ahead."""
        return self._shown.get(overlay)

    @property
    def overlays(self) -> tuple[str, ...]:
        """The overlays whose shadows are shown ahead."""
        return tuple(self._shown)

    async def decided(self, is_open: Callable[[], bool]) -> None:
        """Wait until a question is no longer open, which the end of a show may bring about."""
        while is_open():
            await self._news.wait()

    def _tell(self) -> None:
        state = self._state
        for overlay, shadow in self._shown.items():
            if overlay in state.overlays:
                state = apply(state, PutShadow(shadow))
        for follow in self._followers:
            follow(state)
