"""The control plane's half of an account, in this process: what a worker's ledger tells, applied as deltas are."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from capture_stage import OVERLAY, SERVICE, Stage

from microstax.control.comparing import Merger
from microstax.control.intake import Intake
from microstax.control.journal import Journal
from microstax.control.plane import Plane
from microstax.model.environment import EnvironmentSpec, ServiceSpec
from microstax.model.overlay import OverlaySpec
from microstax.model.report import Coverage
from microstax.model.shadow import ShadowSettings
from microstax.store.memory import MemoryStore
from microstax.store.state import EnvironmentRecord, OverlayRecord, PutEnvironment, PutOverlay, PutShadow, ShadowRecord
from microstax.worker.ledger import Ledger
from microstax.worker.node import Node

NOBODY = cast("Any", None)
"""Stands for runtime and Envoys, with which an account has nothing to do."""


class Books:
    """Keeps the account of a stage's mirror. `reopen` is what a control plane does that comes back."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.store = MemoryStore()
        settings = ShadowSettings(enabled=True, branch_timeout_ms=stage.timeout_ms)
        self.shadow = ShadowRecord(overlay=OVERLAY, settings=settings, generation=1, since_ms=0)

    async def open(self) -> None:
        """Begin with nothing."""
        await self.reopen()
        services = (ServiceSpec(name=SERVICE, command=("serve",), port=self.stage.port),)
        await self.plane.journal.commit(
            PutEnvironment(EnvironmentRecord(spec=EnvironmentSpec(name="shop", services=services), created_ms=0)),
            PutOverlay(OverlayRecord(spec=OverlaySpec(name=OVERLAY, baseline="shop", services=services), created_ms=0)),
            PutShadow(self.shadow),
        )

    async def reopen(self) -> None:
        """Begin with what is stored."""
        self.plane = Plane(journal=Journal(self.store), fleet=NOBODY, publisher=NOBODY)
        await self.plane.journal.open()
        self.intake = Intake(self.plane, merge=Merger())
        await self.intake.look()

    async def coverage(self) -> Coverage:
        """Return the account as it is now. It always adds up."""
        counts = await self.store.counts(OVERLAY, 1)
        found = self.intake.accounts.coverage(self.shadow, counts, now_ms=self.plane.now_ms())
        assert found["mirrored"] == found["paired"] + sum(found["not_compared"].values())
        assert sum(found["gaps"].values()) == found["not_compared"].get("capture_gap", 0)
        assert all(one["unexplained"] >= 0 for one in found["cross_checks"])
        return found

    async def unexplained(self) -> dict[str, int]:
        """Return what no check explains, by its name."""
        return {one["what"]: one["unexplained"] for one in (await self.coverage())["cross_checks"]}

    @asynccontextmanager
    async def fed_by(self, node: Node, ledger: Ledger) -> AsyncIterator[None]:
        """Take in what a worker finds, every tenth of a second; what it has not said by then, it says at the end."""
        feeding = asyncio.ensure_future(self._feed(node, ledger))
        try:
            yield
        finally:
            feeding.cancel()

    async def _feed(self, node: Node, ledger: Ledger) -> None:
        while True:
            await self.take(node, ledger)
            await asyncio.sleep(0.1)

    async def take(self, node: Node, ledger: Ledger) -> None:
        """Take in what a worker has to say now."""
        delta = ledger.cut(at_ms=time.time_ns() // 1_000_000, lag_ms=0, pending=node.pending)
        if delta is not None:
            await self.intake.submit(delta)
