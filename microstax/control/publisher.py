"""From the state to the Envoys: plans, resources, snapshots. Everything is rebuilt; what is equal is not sent.

Building takes milliseconds a resource, so it happens in a thread, and only for a node whose plan changed.
A plan that cannot be built becomes a problem of its node, which keeps its last good configuration.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from microstax.control import plans
from microstax.envoy import runtime
from microstax.envoy.resources import RUNTIME_TYPE
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

    def snapshot(self, node_id: str) -> Snapshot | None:
        """Return what a node was given last."""

    async def wait_applied(self, node_id: str, timeout_s: float, *, only: frozenset[str] | None = None) -> NodeStatus:
        """Wait for a node's ACKs, with `only` for those of these types.

        Raises EnvoyError with the node's reason, TimeoutError with what is missing.
        """


Build = Callable[[EnvoyPlan], Iterable[Resource]]


class Publisher:
    """Follows the state. `problems` has a sentence for every node whose plan could not be built.

    States are numbered as they come; `_silent` has, of nodes that are silenced, the number of the first that has the
    reason in it.
    """

    def __init__(self, xds: XdsPort, build: Build) -> None:
        self._xds: Final = xds
        self._build: Final = build
        self._wanted = State()
        self._number = 0
        self._silent: dict[str, int] = {}
        self._published: State | None = None
        self._plans: dict[str, EnvoyPlan] = {}
        self._changed: Final = asyncio.Event()
        self._done: Final = asyncio.Condition()
        self.problems: dict[str, str] = {}

    def follow(self, state: State) -> None:
        """Take the newest state; what it asks for goes out soon."""
        self._wanted = state
        self._number += 1
        self._changed.set()

    def silence(self, node_ids: Iterable[str]) -> None:
        """Take all shares from nodes at once, by what they have: nothing is built, and nothing is waited for.

        What is being built at the moment cannot bring shares back. The newest state that was followed does: it has to
        say the same already.
        """
        for node_id in node_ids:
            self._silent[node_id] = self._number
            self._plans.pop(node_id, None)
            snapshot = self._xds.snapshot(node_id)
            if snapshot is not None:
                self._xds.set_snapshot(node_id, silenced(snapshot))
        self._changed.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._changed.wait()
            # An operation commits several changes in a row; one push is enough for them.
            await asyncio.sleep(DEBOUNCE_S)
            self._changed.clear()
            state, number = self._wanted, self._number
            await self._publish(state, number)
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

    async def shares_settled(self, node_id: str, *, timeout_s: float) -> None:
        """Wait until a node's Envoy has the shares that it was given last, whatever else it lacks or refuses.

        Raises EnvoyError.
        """
        try:
            await self._xds.wait_applied(node_id, timeout_s, only=frozenset({RUNTIME_TYPE}))
        except TimeoutError as error:
            raise EnvoyError(f"{error}.") from error

    async def _publish(self, state: State, number: int) -> None:
        nodes = plans.envoy_nodes(state)
        for node_id in sorted((self._plans.keys() | self._silent.keys()) - set(nodes)):
            self._xds.clear(node_id)
            self._plans.pop(node_id, None)
            self._silent.pop(node_id, None)
        self.problems = {node_id: text for node_id, text in self.problems.items() if node_id in nodes}
        for node_id in nodes:
            try:
                await self._give(node_id, plans.plan_of(state, node_id), number)
            except MicrostaxError as error:
                self._keep(node_id, error.message)
            except Exception:  # noqa: BLE001  # one node's plan must not stop the others from being served
                _log.exception("the configuration of %s cannot be built", node_id)
                self._keep(node_id, "the new one cannot be built, the log has the details.")
            else:
                self.problems.pop(node_id, None)

    async def _give(self, node_id: str, plan: EnvoyPlan, number: int) -> None:
        if self._plans.get(node_id) == plan:
            return
        snapshot = Snapshot.of(await asyncio.to_thread(lambda: list(self._build(plan))))
        if self._silent.get(node_id, number) > number:
            self._xds.set_snapshot(node_id, silenced(snapshot))
            return
        self._silent.pop(node_id, None)
        self._xds.set_snapshot(node_id, snapshot)
        self._plans[node_id] = plan

    def _keep(self, node_id: str, why: str) -> None:
        self.problems[node_id] = f"{node_id} keeps its last configuration: {why}"


def silenced(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot without any share: then the route tables' own hold, which are 0."""
    layer = runtime.layer(())
    nothing = Resource(name=layer.name, type_url=layer.type_url, body=layer.body)
    kept = (r for type_url in snapshot.type_urls for r in snapshot.resources(type_url).values())
    return Snapshot.of(nothing if r.type_url == layer.type_url and r.name == layer.name else r for r in kept)
