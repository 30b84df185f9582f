"""The shadow switch: on, off, other settings.

Mirroring is said only when a worker looks and Envoy has acknowledged it; a copy of the baseline for noise is healthy
before it gets traffic. Enabling a shadow that was off, and changing what is compared (methods, services, control, body
limit, headers, what is asked again), begins a new generation: the report starts anew, since old counts would not mean
the same.
A new sample, budget, end or number of pairs to keep does not. It is committed when it is in force: what was found
before goes when there is something in its place.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from microstax.control import layout, plans, queries, settings
from microstax.control.ahead import Pause, Pauser
from microstax.control.controls import Controls
from microstax.control.demand import WINDOW_S, Demand
from microstax.control.draining import MOST_S, Drain
from microstax.control.endings import off
from microstax.control.kill_switch import KillSwitch
from microstax.control.plane import Plane
from microstax.control.progress import Outcome, Teller
from microstax.control.settings import Wish
from microstax.control.shares import first_shares, percent
from microstax.control.tasks import finish
from microstax.control.watches import Watches
from microstax.envoy.check import check
from microstax.errors import FaultError, StorageError
from microstax.model.ending import will_end
from microstax.model.environment import ServicePhase
from microstax.model.shadow import MILLION, ShadowSettings
from microstax.store.state import OverlayRecord, PutShadow, ShadowRecord, State, apply

WATCH_TIMEOUT_S: Final = 3.0
"""How long to wait for a worker; it takes a tenth of that, or a second more where it is being started."""


class Shadows:
    """Switches shadows. `has_workers` tells whether anybody is there to compare.

    `drain` waits for copies under way, `demand` tells how busy services are before they are mirrored.
    """

    def __init__(
        self,
        plane: Plane,
        *,
        controls: Controls,
        kill_switch: KillSwitch,
        watches: Watches,
        has_workers: Callable[[], bool],
        watch_timeout_s: float,
        drain: Drain,
        demand: Demand,
    ) -> None:
        self._plane: Final = plane
        self._controls: Final = controls
        self._kill_switch: Final = kill_switch
        self._watches: Final = watches
        self._has_workers: Final = has_workers
        self._watch_timeout_s: Final = watch_timeout_s
        self._drain: Final = drain
        self._demand: Final = demand
        self._generations: Final[dict[str, int]] = {}

    async def enable(self, name: str, wish: Wish, tell: Teller) -> Outcome:
        """Mirror, or mirror with other settings. The previous state comes back when Envoy does not take it."""
        pulled = self._kill_switch.pulled
        async with self._plane.locks.hold(name):
            record = queries.overlay(self._plane.state, name)
            before = self._plane.state.shadows.get(name)
            shadow = self._next(record, before, settings.decide(self._plane.state, record, wish))
            self._warn_of_branch(record, shadow, tell)
            try:
                await self._controls.start(record, shadow, tell)
                self._check_plan(record, shadow)
                if before is None or not before.settings.enabled:
                    # Else a counter that is above its old value when it is first read would seem to go on from there.
                    await self._plane.journal.store.forget_mirrors(name)
                shadow = await self._put_in_force(record, shadow, tell, pulled)
            except BaseException:
                await finish(self._revert(record), name=f"revert {name}")
                raise
            self._end_show(name)
            await self._end_pauses(record, tell)
            await self._controls.stop_unwanted(record)
            return Outcome(message=_mirroring(self._plane.state, record, shadow))

    async def disable(self, name: str, tell: Teller) -> Outcome:
        """Stop mirroring; what was found stays until the shadow is enabled again."""
        async with self._plane.locks.hold(name):
            queries.overlay(self._plane.state, name)
            if queries.enabled(self._plane.state, name) is None:
                return Outcome(message=f"The shadow of {name} is off already.")
            await self.switch_off(name, tell)
            return Outcome(message=f"The shadow of {name} is off; 'microstax env diffs {name}' shows what was found.")

    async def switch_off(self, name: str, tell: Teller) -> None:
        """Switch off for whoever holds the overlay's lock; copies under way end first, if they do so soon."""
        record = queries.overlay(self._plane.state, name)
        try:
            await self._let_go(record)
            await self._turn_off(name)
        finally:
            self._plane.to_envoys.resume(name, by=Pauser.SWITCH)
        try:
            await self._plane.publisher.settled(layout.tee_node(record.spec.baseline))
        except FaultError as error:
            tell.warn(f"{error.message} It stops mirroring as soon as it is back.")
        await finish(self._controls.stop_unwanted(record), name=f"stop controls of {name}")

    async def _let_go(self, record: OverlayRecord) -> None:
        """Make no more copies, and wait a little for those that are under way."""
        name, node = record.spec.name, layout.tee_node(record.spec.baseline)
        pause = Pause("It is being switched off.", self._plane.now_ms())
        self._plane.to_envoys.pause(name, pause, by=Pauser.SWITCH)
        with suppress(FaultError):  # whoever switches it off is told when it is off
            await self._plane.publisher.shares_settled(node, timeout_s=MOST_S)
            await self._drain(node, name)

    async def _turn_off(self, name: str) -> None:
        def change(state: State) -> tuple[PutShadow, ...]:
            shadow = state.shadows[name]
            return (PutShadow(off(shadow)),)

        try:
            await self._plane.journal.amend(change)
        except StorageError as error:
            raise StorageError(
                f"{error.message} The shadow of {name} stays on; 'microstax env shadow --disable-all' stops all "
                "mirroring also while nothing can be stored."
            ) from error

    def _next(self, record: OverlayRecord, before: ShadowRecord | None, chosen: ShadowSettings) -> ShadowRecord:
        now_ms = self._plane.now_ms()
        expires_ms = now_ms + chosen.ttl_ms if chosen.ttl_ms else 0
        if before is not None and before.settings.enabled and _comparable(before.settings, chosen):
            return replace(before, settings=chosen, expires_ms=expires_ms)
        # One that was refused is not used again: a late delta may still be about it.
        name = record.spec.name
        generation = 1 + max(self._generations.get(name, 0), before.generation if before else 0)
        self._generations[name] = generation
        return ShadowRecord(
            overlay=name, settings=chosen, generation=generation, since_ms=now_ms, expires_ms=expires_ms
        )

    async def _put_in_force(
        self, record: OverlayRecord, shadow: ShadowRecord, tell: Teller, pulled: int
    ) -> ShadowRecord:
        """Let a worker look, then Envoy mirror, then everybody know. The caller ends the show, also of a failure.

        Return the shadow as it begins: with lower shares where there is more traffic than its budget allows.
        """
        node = layout.tee_node(record.spec.baseline)
        self._plane.to_workers.show(shadow)
        watched, shadow = await asyncio.gather(
            self._watches.wait(node, shadow.overlay, shadow.generation, timeout_s=self._watch_timeout_s),
            self._begun(record, shadow, tell),
        )
        tell.say("waiting for Envoy")
        self._kill_switch.check(pulled, shadow.overlay)
        self._plane.to_envoys.show(shadow)
        await self._plane.publisher.settled(node)

        def change(_: State) -> tuple[PutShadow, ...]:
            self._kill_switch.check(pulled, shadow.overlay)
            return (PutShadow(shadow),)

        await self._plane.journal.amend(change)
        if not self._has_workers():
            tell.warn("No worker is connected, so nothing is compared until one is: see 'microstax status'.")
        elif not watched:
            tell.warn(
                f"No worker looks at {node} yet, so the first requests may be missed: see 'microstax status' and "
                "'microstax env diffs', which counts them as capture_gap."
            )
        return shadow

    async def _begun(self, record: OverlayRecord, shadow: ShadowRecord, tell: Teller) -> ShadowRecord:
        """Return a shadow that begins anew with the shares that its budget allows of the traffic that there is."""
        before = self._plane.state.shadows.get(shadow.overlay)
        if before is not None and before.generation == shadow.generation:
            return shadow  # its shares have been measured
        demand = await self._demand(layout.tee_node(record.spec.baseline))
        ours = {spec.name for spec in queries.shadowed_services(record, shadow)}
        known = {service: rps for service, rps in demand.items() if service in ours}
        shares = first_shares(shadow.settings, known, seconds=WINDOW_S)
        for service, ppm in shares.items():
            tell.say(
                f"{service} takes {known[service]:,.0f} requests a second, more than its budget: "
                f"it begins with {percent(ppm)} of them"
            )
        return replace(shadow, in_force=MappingProxyType(shares))

    async def _end_pauses(self, record: OverlayRecord, tell: Teller) -> None:
        """Let a shadow mirror that ended and could not be stored as off; say so if somebody else pauses it."""
        name, envoys = record.spec.name, self._plane.to_envoys
        if name in envoys.paused_by(Pauser.KILL_SWITCH) or name in envoys.paused_by(Pauser.EXPIRY):
            envoys.resume(name, by=Pauser.KILL_SWITCH)
            envoys.resume(name, by=Pauser.EXPIRY)
            await self._plane.publisher.settled(layout.tee_node(record.spec.baseline))
        pause = envoys.paused.get(name)
        if pause is not None:
            tell.warn(f"Nothing is mirrored into {name} at the moment: {pause.why}")

    async def _revert(self, record: OverlayRecord) -> None:
        self._end_show(record.spec.name)
        # Envoy's refusal is remembered until it is asked for something else: who tries again soon must be heard.
        await self._plane.publisher.published()
        await self._controls.stop_unwanted(record)

    def _end_show(self, name: str) -> None:
        self._plane.to_workers.end(name)
        self._plane.to_envoys.end(name)

    def _warn_of_branch(self, record: OverlayRecord, shadow: ShadowRecord, tell: Teller) -> None:
        for spec in queries.shadowed_services(record, shadow):
            status = self._plane.fleet.runtime.status(layout.service_key(record.spec.name, spec.name))
            if status is None or status.phase is not ServicePhase.READY:
                phase = status.phase.value if status else "not running"
                tell.warn(
                    f"{spec.name} of {record.spec.name} is {phase}: its answers will be errors until it is ready."
                )

    def _check_plan(self, record: OverlayRecord, shadow: ShadowRecord) -> None:
        state = apply(self._plane.state, PutShadow(shadow))
        check(plans.tee_plan(state, state.environments[record.spec.baseline]))


def _comparable(one: ShadowSettings, other: ShadowSettings) -> bool:
    """Tell whether counts of both settings mean the same: only share, budgets, what is kept and the end differ."""
    return (
        replace(
            one,
            sample_ppm=other.sample_ppm,
            max_rps=other.max_rps,
            max_total_rps=other.max_total_rps,
            keep_pairs=other.keep_pairs,
            ttl_ms=other.ttl_ms,
        )
        == other
    )


def _mirroring(state: State, record: OverlayRecord, shadow: ShadowRecord) -> str:
    chosen = shadow.settings
    services = ", ".join(spec.name for spec in queries.shadowed_services(record, shadow))
    share = f"{chosen.sample_ppm * 100 / MILLION:g}%"
    lacking = f" Copies lack {', '.join(chosen.strip_headers)}." if chosen.strip_headers else ""
    again = f" Mismatches are asked again, at most {chosen.recheck_rps} a second." if chosen.recheck_rps else ""
    return (
        f"Mirroring {share} of {', '.join(chosen.methods)} requests for {services} into {record.spec.name} (control: "
        f"{queries.control_words(state, record, shadow)}).{lacking}{again} {will_end(shadow.expires_ms)} "
        f"See 'microstax env diffs {record.spec.name}'."
    )
