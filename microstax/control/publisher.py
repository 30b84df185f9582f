"""From the state to the Envoys: plans, resources, snapshots. Everything is rebuilt; what is equal is not sent.

Building takes milliseconds a resource, so it happens in a thread, and only for a node whose plan changed.
A plan that cannot be built becomes a problem of its node, which keeps its last good configuration.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from microstax.control import plans
from microstax.errors import EnvoyError, MicrostaxError
from microstax.model.plan import EnvoyPlan
from microstax.store.state import State
from microstax.xds import NodeStatus, Resource, Snapshot

_log: Final = logging.getLogger(__name__)
DEBOUNCE_S: Final = 0.01
APPLY_TIMEOUT_S: Final = 20.0


class XdsPort(Protocol):
    """What is needed of `microstax.xds.XdsServer`."""

    def set_snapshot(self, node_id: str, snapshot: Snapshot) -> None:
        """Give a node its resources."""

    def clear(self, node_id: str) -> None:
        """Forget a node."""

    async def wait_applied(self, node_id: str, timeout_s: float) -> NodeStatus:
        """Wait for a node's ACKs; raises EnvoyError with the node's reason, TimeoutError with what is missing."""


Build = Callable[[EnvoyPlan], Iterable[Resource]]


class Publisher:
    """Follows the state. `problems` has a sentence for every node whose plan could not be built."""

    def __init__(self, xds: XdsPort, build: Build) -> None:
        self._xds: Final = xds
        self._build: Final = build
        self._wanted = State()
        self._published: State | None = None
        self._plans: dict[str, EnvoyPlan] = {}
        self._changed: Final = asyncio.Event()
        self._done: Final = asyncio.Condition()
        self.problems: dict[str, str] = {}

    def follow(self, state: State) -> None:
        """Take the newest state; what it asks for goes out soon."""
        self._wanted = state
        self._changed.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._changed.wait()
            # An operation commits several changes in a row; one push is enough for them.
            await asyncio.sleep(DEBOUNCE_S)
            self._changed.clear()
            state = self._wanted
            await self._publish(state)
            async with self._done:
                self._published = state
                self._done.notify_all()

    async def published(self) -> None:
        """Wait until the newest state has been given to the xDS server."""
        async with self._done:
            await self._done.wait_for(lambda: self._published is self._wanted)

    async def settled(self, node_id: str, *, timeout_s: float = APPLY_TIMEOUT_S) -> None:
        """Wait until a node's Envoy has the newest state in force. Raises EnvoyError with Envoy's own reason."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.published()
            if node_id in self.problems:
                raise EnvoyError(self.problems[node_id])
            await self._xds.wait_applied(node_id, timeout_s)
        except TimeoutError as error:
            reason = f": {error}" if str(error) else ""
            raise EnvoyError(
                f"The Envoy {node_id} did not take its configuration in {timeout_s:g} s{reason}. "
                "See 'microstax status' and its log."
            ) from error

    async def _publish(self, state: State) -> None:
        nodes = plans.envoy_nodes(state)
        for node_id in sorted(self._plans.keys() - set(nodes)):
            self._xds.clear(node_id)
            del self._plans[node_id]
        self.problems = {node_id: text for node_id, text in self.problems.items() if node_id in nodes}
        for node_id in nodes:
            try:
                await self._give(node_id, plans.plan_of(state, node_id))
            except MicrostaxError as error:
                self._keep(node_id, error.message)
            except Exception:  # noqa: BLE001  # one node's plan must not stop the others from being served
                _log.exception("the configuration of %s cannot be built", node_id)
                self._keep(node_id, "the new one cannot be built, the log has the details.")
            else:
                self.problems.pop(node_id, None)

    async def _give(self, node_id: str, plan: EnvoyPlan) -> None:
        if self._plans.get(node_id) != plan:
            resources = await asyncio.to_thread(lambda: list(self._build(plan)))
            self._xds.set_snapshot(node_id, Snapshot.of(resources))
            self._plans[node_id] = plan

    def _keep(self, node_id: str, why: str) -> None:
        self.problems[node_id] = f"{node_id} keeps its last configuration: {why}"
