"""When mirroring stops by itself, and when it goes on: memory and lag against their limits. Pure.

Times are milliseconds of one clock that never goes back. Whoever reads it may have been stopped for a while itself:
what was not heard meanwhile is no silence, and that is for the caller to tell (`Vitals.silent_ms`).
"""

from dataclasses import dataclass, replace
from typing import Final

from microstax.model.wording import size

CALM: Final = 0.8
"""Below this share of a limit, what was above it is over."""
FIRST_WAIT_MS: Final = 10_000
LAST_WAIT_MS: Final = 300_000
FORGIVEN_MS: Final = 600_000
"""A shadow that mirrored for so long without a pause starts with a fresh back-off."""
SETTLED_MS: Final = 60_000
"""What an Envoy still holds when nothing was mirrored for so long is not held by mirroring."""
MOST_GROWTH: Final = 4
"""Times the limit: an Envoy that grew by more in all is not forgiven, whoever is at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is borne. `envoy_growth_bytes` is what an Envoy may grow by since mirroring began; 0 switches a limit off.

    A worker may say nothing for `silent_ms`, and there may be none for `absent_ms`: one that is started again takes
    some seconds.
    """

    envoy_growth_bytes: int = 256 * 1024 * 1024
    worker_bytes: int = 1024 * 1024 * 1024
    lag_ms: int = 10_000
    silent_ms: int = 5_000
    absent_ms: int = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What is known of the Envoy and the worker of one shadow at `now_ms`; None: not known, and no reason for anything.

    `envoy_pid` tells one Envoy from the next. `worker` is empty where there is none, for `absent_ms` now.
    """

    now_ms: int
    envoy: str = ""
    envoy_pid: int = 0
    envoy_bytes: int | None = None
    worker: str = ""
    worker_bytes: int | None = None
    lag_ms: int = 0
    silent_ms: int = 0
    absent_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One shadow under guard. While it is paused, `why` says for what reason.

    `base_bytes` is what the Envoy held when mirroring began (of the process `pid`), or what it was found to hold
    without it; `first_bytes` is the first of these. `well_ms` is since when nothing is wrong, `wait_ms` how long that
    has to last before mirroring goes on, `resumed_ms` when it did last, `paused_ms` when it stopped.
    """

    pid: int
    base_bytes: int | None
    first_bytes: int | None
    why: str = ""
    paused_ms: int = 0
    well_ms: int | None = None
    wait_ms: int = FIRST_WAIT_MS
    resumed_ms: int = 0

    @property
    def is_paused(self) -> bool:
        """Tell whether the shadow mirrors nothing now."""
        return bool(self.why)

    def envoy_limit(self, limits: Limits) -> int:
        """Return above how many bytes the Envoy is too large; 0: no limit is known."""
        return self.base_bytes + limits.envoy_growth_bytes if self.base_bytes and limits.envoy_growth_bytes else 0


def begin(vitals: Vitals) -> Watch:
    """Return the watch over a shadow that mirrors from now on; `vitals` are of the moment before."""
    held = vitals.envoy_bytes
    return Watch(pid=vitals.envoy_pid, base_bytes=held, first_bytes=held, resumed_ms=vitals.now_ms)


def look(watch: Watch, vitals: Vitals, limits: Limits) -> Watch:
    """Return the watch after another look; `is_paused` says what to do."""
    if vitals.envoy_bytes is not None and (watch.pid != vitals.envoy_pid or watch.base_bytes is None):
        held = vitals.envoy_bytes  # a new one has no past
        watch = replace(watch, pid=vitals.envoy_pid, base_bytes=held, first_bytes=held)
    if not watch.is_paused:
        why = trouble(watch, vitals, limits)
        if not why:
            return watch
        rested = vitals.now_ms - watch.resumed_ms >= FORGIVEN_MS
        return replace(
            watch, why=why, paused_ms=vitals.now_ms, well_ms=None, wait_ms=FIRST_WAIT_MS if rested else watch.wait_ms
        )
    watch = _settled(watch, vitals, limits)
    if trouble(watch, vitals, limits, share=CALM):
        return replace(watch, well_ms=None)
    if watch.well_ms is None:
        return replace(watch, well_ms=vitals.now_ms)
    if vitals.now_ms - watch.well_ms < watch.wait_ms:
        return watch
    wait_ms = min(LAST_WAIT_MS, watch.wait_ms * 2)
    return replace(watch, why="", well_ms=None, wait_ms=wait_ms, resumed_ms=vitals.now_ms)


def _settled(watch: Watch, vitals: Vitals, limits: Limits) -> Watch:
    """Reckon from what the Envoy holds without mirroring: production may have grown meanwhile, which is its own."""
    held, first = vitals.envoy_bytes, watch.first_bytes
    if held is None or first is None or vitals.now_ms - watch.paused_ms < SETTLED_MS:
        return watch
    if held <= (watch.base_bytes or 0) or held - first > MOST_GROWTH * limits.envoy_growth_bytes:
        return watch
    return replace(watch, base_bytes=held)


def trouble(watch: Watch, vitals: Vitals, limits: Limits, *, share: float = 1.0) -> str:
    """Return a clause that says what is above `share` of its limit; empty: nothing is."""
    grown = (vitals.envoy_bytes or 0) - (watch.base_bytes or 0)
    if vitals.envoy_bytes is not None and _above(grown, limits.envoy_growth_bytes, share):
        return (
            f"the Envoy {vitals.envoy} grew by {size(grown)} to {size(vitals.envoy_bytes)} since mirroring began, more "
            f"than {size(limits.envoy_growth_bytes)} (--max-envoy-memory)"
        )
    if not vitals.worker:
        if _above(vitals.absent_ms, limits.absent_ms, share):
            return f"no worker has been connected for {vitals.absent_ms / 1000:.1f} s"
        return ""
    if vitals.worker_bytes is not None and _above(vitals.worker_bytes, limits.worker_bytes, share):
        return (
            f"the worker {vitals.worker} holds {size(vitals.worker_bytes)}, more than {size(limits.worker_bytes)} "
            "(--max-worker-memory)"
        )
    if _above(vitals.lag_ms, limits.lag_ms, share):
        return (
            f"the worker {vitals.worker} is {vitals.lag_ms / 1000:.1f} s behind, more than "
            f"{limits.lag_ms / 1000:g} s (--max-lag)"
        )
    if _above(vitals.silent_ms, limits.silent_ms, share):
        return f"the worker {vitals.worker} has said nothing for {vitals.silent_ms / 1000:.1f} s"
    return ""


def sentence(overlay: str, watch: Watch) -> str:
    """Return the sentence that says why a shadow is paused, and how it goes on."""
    return (
        f"Mirroring is paused: {watch.why}. It goes on by itself {watch.wait_ms / 1000:g} s after that is over; "
        f"'microstax env shadow {overlay} --disable' ends it."
    )


def _above(value: int, limit: int, share: float) -> bool:
    return limit > 0 and value > limit * share
