"""`env shadow --disable-all`: no copy of any baseline's requests, within a second, whatever else is broken.

It waits for no lock, for no build and for no disk: the shares go first, in memory and to the Envoys, and that all
shadows are off is written down after that. An operation that was switching a shadow on meanwhile finds out and fails.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Final

from microstax.control import layout, queries
from microstax.control.ahead import Pause, Pauser
from microstax.control.endings import RETRY_S, Endings
from microstax.control.plane import Plane
from microstax.control.progress import Outcome, Teller
from microstax.control.tasks import all_of, spawn
from microstax.errors import EnvoyError, FaultError, RefusedError, StorageError
from microstax.model.environment import ServicePhase
from microstax.model.wording import counted

ACK_TIMEOUT_S: Final = 3.0
"""How long to wait for an Envoy to say that it makes no copies any more; it takes a hundredth of that."""
STORE_TIMEOUT_S: Final = 5.0
_WHY: Final = "All shadows were switched off, which could not be stored yet."
_ABSENT: Final = {ServicePhase.STOPPED, ServicePhase.FAILED, ServicePhase.RESTARTING}
"""An Envoy that is not there makes no copies, and begins with the configuration of then."""


class KillSwitch:
    """Switches everything off. `pulled` counts how often."""

    def __init__(
        self,
        plane: Plane,
        endings: Endings,
        *,
        ack_timeout_s: float = ACK_TIMEOUT_S,
        store_timeout_s: float = STORE_TIMEOUT_S,
    ) -> None:
        self._plane: Final = plane
        self._endings: Final = endings
        self._ack_timeout_s: Final = ack_timeout_s
        self._store_timeout_s: Final = store_timeout_s
        self.pulled = 0

    def check(self, pulled: int, overlay: str) -> None:
        """Raise RefusedError if it was pulled since it had been so often: then nothing that began before goes on."""
        if self.pulled != pulled:
            raise RefusedError(
                f"All shadows were switched off while that of {overlay} was being switched on: enable it again if it "
                "is still wanted."
            )

    async def pull(self, tell: Teller) -> Outcome:
        """Stop all mirroring, then write it down. Raises FaultError where an Envoy or the disk does not answer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        names, nodes = self._silence()
        if not names:
            return Outcome(message="No shadow is on, so nothing is mirrored.", object_json=_outcome([], 0.0))
        silent = [one for one in await all_of(self._acknowledged(node) for node in nodes) if one is not None]
        took_s = loop.time() - began
        what = f"{counted(len(names), 'shadow')} ({', '.join(names)})"
        for sentence in silent:
            tell.warn(sentence)
        trouble = await self._stored()
        if silent or trouble:
            raise FaultError(_what_is_left(what, took_s, envoys=bool(silent), trouble=trouble))
        return Outcome(
            message=f"Switched off {what} in {took_s:.2f} s: no request is mirrored any more. 'microstax env diffs "
            "NAME' shows what was found.",
            object_json=_outcome(names, took_s),
        )

    def _silence(self) -> tuple[list[str], list[str]]:
        """Stop every shadow that is on or being switched on, as far as it is in our hands; return overlays and tees."""
        self.pulled += 1
        state, pause = self._plane.state, Pause(_WHY, self._plane.now_ms())
        on = {shadow.overlay for shadow in queries.all_enabled(state)}
        coming = {name for name in self._plane.to_envoys.overlays if name in state.overlays}
        for name in on:
            self._plane.to_envoys.pause(name, pause, by=Pauser.KILL_SWITCH)
        for name in coming:
            self._plane.to_workers.end(name)
            self._plane.to_envoys.end(name)
        names = sorted(on | coming)
        nodes = sorted({layout.tee_node(state.overlays[name].spec.baseline) for name in names})
        self._plane.publisher.silence(nodes)
        return names, nodes

    async def _acknowledged(self, node: str) -> str | None:
        """Wait for an Envoy; return what to say of one that does not answer."""
        process = self._plane.fleet.runtime.status(layout.envoy_key(node))
        if process is None or process.phase in _ABSENT:
            return None
        try:
            await self._plane.publisher.shares_settled(node, timeout_s=self._ack_timeout_s)
        except EnvoyError as error:
            pid = f" (pid {process.pid})" if process.pid else ""
            return f"The Envoy {node}{pid} did not confirm it and may go on until it does: {error.message}"
        return None

    async def _stored(self) -> str | None:
        """Write it down; return why that is not done, None where it is. What takes too long goes on by itself."""
        task = spawn(self._endings.commit(), name="store that all shadows are off")
        done, _ = await asyncio.wait({task}, timeout=self._store_timeout_s)
        if not done:
            task.add_done_callback(_take_error)
            return f"The database did not answer in {self._store_timeout_s:g} s."
        error = task.exception()
        if isinstance(error, StorageError):
            return error.message
        if error is not None:
            raise error
        return None


def _take_error(task: asyncio.Task[None]) -> None:
    """Take the outcome of what nobody waits for any more: `Endings` tries it again."""
    if not task.cancelled():
        task.exception()


def _what_is_left(what: str, took_s: float, *, envoys: bool, trouble: str | None) -> str:
    sentences = []
    if envoys:
        sentences.append(
            f"Not every Envoy has confirmed that it mirrors nothing any more for {what}: see 'microstax status'. One "
            "that has lost its control plane mirrors until its shadow's --ttl is over."
        )
    else:
        sentences.append(f"Nothing is mirrored any more for {what}, after {took_s:.2f} s.")
    if trouble:
        sentences.append(
            f"That cannot be stored: {trouble} It holds while this control plane runs, which tries again every "
            f"{RETRY_S:g} s; one that is started before that would mirror again."
        )
    return " ".join(sentences)


def _outcome(names: Iterable[str], took_s: float) -> str:
    return json.dumps({"switched_off": list(names), "seconds": round(took_s, 3)})
