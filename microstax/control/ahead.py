"""What some are shown in place of the committed state: shadows before they are committed, shares of 0 in a pause.

A new generation of results throws the old one away, so it is committed once it is in force and not before. Until then
workers and Envoys see a state in which it is on, and all others the state without it.

A pause is never committed: it must come into force within a second, also when the disk is full. A control plane that
comes back finds out for itself whether there is still a reason. A lower share is held the same way until it is
committed.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from microstax.store.state import PutShadow, ShadowRecord, State, apply


class Pauser(StrEnum):
    """Who pauses: each only ends its own pause, and a shadow is paused while anybody's lasts."""

    KILL_SWITCH = "kill switch"
    EXPIRY = "expiry"
    GUARD = "guard"
    SWITCH = "switch"


_RANK: Final = tuple(Pauser)


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a shadow mirrors nothing although it is on, a sentence, and since when (Unix milliseconds)."""

    why: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """Shares in parts per million, by service, that are not committed yet; of one generation of a shadow."""

    generation: int
    shares: Mapping[str, int]


class Ahead:
    """Passes the state on to those who `attach`, with the shadows that are shown ahead."""

    def __init__(self) -> None:
        self._followers: Final[list[Callable[[State], None]]] = []
        self._state = self._now = State()
        self._shown: dict[str, ShadowRecord] = {}
        self._paused: dict[str, dict[Pauser, Pause]] = {}
        self._held: dict[str, Held] = {}
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

    def pause(self, overlay: str, pause: Pause, *, by: Pauser) -> None:
        """Show every share of an overlay's shadow as 0 until all who paused it `resume`.

        A pause of the same pauser that is there keeps its beginning.
        """
        pauses = self._paused.setdefault(overlay, {})
        first, before = not pauses, pauses.get(by)
        pauses[by] = replace(pause, since_ms=before.since_ms) if before else pause
        if first:
            self._tell()

    def resume(self, overlay: str, *, by: Pauser) -> None:
        """End a pause; without any other the shares are shown as they are committed. Idempotent."""
        pauses = self._paused.get(overlay, {})
        if pauses.pop(by, None) is not None and not pauses:
            del self._paused[overlay]
            self._tell()

    @property
    def paused(self) -> Mapping[str, Pause]:
        """The pauses, by overlay; of several the one whose pauser stands first in `Pauser`."""
        chosen = {overlay: pauses[min(pauses, key=_RANK.index)] for overlay, pauses in self._paused.items()}
        return MappingProxyType(chosen)

    def paused_by(self, by: Pauser) -> Mapping[str, Pause]:
        """Return the pauses of one of those who pause, by overlay."""
        return MappingProxyType({overlay: pauses[by] for overlay, pauses in self._paused.items() if by in pauses})

    def hold(self, overlay: str, held: Held) -> None:
        """Show other shares than those that are committed, until `release`."""
        self._held[overlay] = held
        self._tell()

    def release(self, overlay: str) -> None:
        """Show the shares of an overlay as they are committed. Idempotent."""
        if self._held.pop(overlay, None) is not None:
            self._tell()

    @property
    def held(self) -> Mapping[str, Held]:
        """The shares that are not committed yet, by overlay."""
        return MappingProxyType(self._held)

    def in_force(self, shadow: ShadowRecord) -> ShadowRecord:
        """Return a shadow as it is shown: with the shares that are held, or none while it is paused."""
        shown = self._now.shadows.get(shadow.overlay)
        return shown if shown is not None and shown.generation == shadow.generation else shadow

    async def decided(self, is_open: Callable[[], bool]) -> None:
        """Wait until a question is no longer open, which the end of a show may bring about."""
        while is_open():
            await self._news.wait()

    def _tell(self) -> None:
        state = self._state
        for overlay, shadow in self._shown.items():
            if overlay in state.overlays:
                state = apply(state, PutShadow(shadow))
        for overlay, held in self._held.items():
            now = state.shadows.get(overlay)
            if now is not None and now.generation == held.generation:
                state = apply(
                    state, PutShadow(replace(now, in_force=MappingProxyType({**now.in_force, **held.shares})))
                )
        for overlay in self._paused:
            if overlay in state.shadows:
                state = apply(state, PutShadow(_silent(state, state.shadows[overlay])))
        self._now = state
        for follow in self._followers:
            follow(state)


def _silent(state: State, shadow: ShadowRecord) -> ShadowRecord:
    """Return a shadow of which every service's share is 0."""
    services = state.overlays[shadow.overlay].spec.services
    return replace(shadow, in_force=MappingProxyType({spec.name: 0 for spec in services}))
