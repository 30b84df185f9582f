"""Who is connected under which key, what they should have, and whether they have it.

A key is what `XdsOptions.key` makes of a node. This module pushes snapshots to connections and waits for their ACKs; it
neither reads nor writes a stream.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from microstax.xds.connection import Connection
from microstax.xds.messages import SnapshotChanged
from microstax.xds.resources import Snapshot
from microstax.xds.status import NackedError, NodeStatus
from microstax.xds.stream import Stream

_LONGEST_WAIT_S: Final = 60.0


@dataclass(slots=True)
class Entry:
    """What is known under one key: what was set, what went out, who is connected, who waits."""

    snapshot: Snapshot | None = None
    pushed: Snapshot | None = None
    timer: asyncio.TimerHandle | None = None
    alarm: asyncio.TimerHandle | None = None
    connections: list[Connection] = field(default_factory=list)
    waiters: set[asyncio.Future[None]] = field(default_factory=set)

    def current_streams(self) -> list[Stream]:
        """Return the newest stream of each client and type; older ones are not noticed as dead yet."""
        return list({(c.node_id, c.stream.type_url): c.stream for c in self.connections}.values())

    def notify(self) -> None:
        """Let everybody look again who waits for something to be applied."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def cancel(self) -> None:
        """Give up a push that is due, and the one at which a resource ends."""
        for handle in (self.timer, self.alarm):
            if handle is not None:
                handle.cancel()
        self.timer = self.alarm = None


class Nodes:
    """All keys. `debounce_s`: changes within this time of the first one go out as one push.

    `wall` returns the seconds since the epoch: a resource that has ended is not there any more, whether or not the
    client knows TTLs.
    """

    def __init__(self, *, debounce_s: float, wall: Callable[[], float]) -> None:
        self._debounce_s: Final = debounce_s
        self._wall: Final = wall
        self._entries: Final[dict[str, Entry]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def set(self, key: str, snapshot: Snapshot) -> None:
        """Give the nodes of this key other resources, soon."""
        entry = self._entries.setdefault(key, Entry())
        entry.snapshot = snapshot
        if not entry.connections:
            self._push(entry)
        elif entry.timer is None:
            entry.timer = asyncio.get_running_loop().call_later(self._debounce_s, self._push, entry)

    def clear(self, key: str) -> None:
        """Forget a key's resources."""
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.snapshot = None
        entry.cancel()
        self._push(entry)
        self._collect(key)

    def get(self, key: str) -> Snapshot | None:
        """Return what was last set."""
        entry = self._entries.get(key)
        return entry.snapshot if entry else None

    def cancel(self) -> None:
        """Give up all pushes that are due."""
        for entry in self._entries.values():
            entry.cancel()

    def _push(self, entry: Entry) -> None:
        entry.cancel()
        now = self._wall()
        before, entry.pushed = entry.pushed, entry.snapshot.at(now) if entry.snapshot else None
        self._wait_for_end(entry, now)
        changed = entry.pushed.changed_since(before) if entry.pushed and before else None
        if changed != {}:
            event = SnapshotChanged(entry.pushed, changed)
            for connection in list(entry.connections):
                connection.feed(event)
        entry.notify()

    def _wait_for_end(self, entry: Entry, now: float) -> None:
        end = entry.pushed.next_end if entry.pushed else None
        if end is not None:
            # The time of day may be set meanwhile: look again before long.
            delay = min(max(0.0, end - now), _LONGEST_WAIT_S)
            entry.alarm = asyncio.get_running_loop().call_later(delay, self._push, entry)

    def _collect(self, key: str) -> None:
        """Drop what is kept for a key that has neither resources, nor clients, nor somebody who waits."""
        entry = self._entries.get(key)
        if entry is not None and entry.snapshot is None and not entry.connections and not entry.waiters:
            del self._entries[key]

    def enter(self, key: str, connection: Connection) -> SnapshotChanged:
        """Add a connection; return its resources."""
        entry = self._entries.setdefault(key, Entry())
        entry.connections.append(connection)
        entry.notify()
        return SnapshotChanged(entry.pushed)

    def leave(self, connection: Connection) -> bool:
        """Remove a connection; return whether it had entered."""
        entry = self._entries.get(connection.key)
        if entry is None or connection not in entry.connections:
            return False
        entry.connections.remove(connection)
        entry.notify()
        self._collect(connection.key)
        return True

    def moved(self, connection: Connection) -> None:
        """Take notice that a stream's state may have changed."""
        entry = self._entries.get(connection.key)
        if entry is not None and entry.waiters:
            entry.notify()

    def statuses(self) -> tuple[NodeStatus, ...]:
        """Return one status a client, sorted by key and node id, and one for every key without a client."""
        found = [status for key in self._entries for status in self._of(key)]
        return tuple(sorted(found, key=lambda s: (s.key, s.node_id)))

    def _of(self, key: str, only: frozenset[str] | None = None) -> list[NodeStatus]:
        entry = self._entries.get(key, Entry())
        by_node: dict[str, list[Connection]] = {}
        for connection in entry.connections:
            by_node.setdefault(connection.node_id, []).append(connection)
        if not by_node:
            return [NodeStatus(node_id=key, key=key, connected=False, has_snapshot=entry.snapshot is not None)]
        found = [_node_status(node_id, key, entry, connections) for node_id, connections in by_node.items()]
        return found if only is None else [status.narrowed(only) for status in found]

    async def wait_applied(
        self, key: str, timeout_s: float, *, types: frozenset[str], only: frozenset[str] | None
    ) -> NodeStatus:
        """Wait until every client of a key has applied the current snapshot. See `XdsServer.wait_applied`."""
        entry = self._entries.setdefault(key, Entry())
        try:
            async with asyncio.timeout(timeout_s):
                return await self._applied(key, entry, types, only)
        except TimeoutError:
            lacks = {f"{s.node_id}: {s.lacks()}" for s in self._of(key, only)}
            problem = f"not applied within {timeout_s:g} s by {'; '.join(sorted(lacks))}"
            raise TimeoutError(problem) from None
        finally:
            self._collect(key)

    async def _applied(self, key: str, entry: Entry, types: frozenset[str], only: frozenset[str] | None) -> NodeStatus:
        while True:
            streams = entry.current_streams()
            # With many clients of one key, every ACK leads here: the long look only when it can decide something.
            decided = all(stream.applied for stream in streams) or any(stream.refused for stream in streams)
            if decided or only is not None:
                statuses = self._of(key, only)
                for status in statuses:
                    if status.nack is not None:
                        raise NackedError(status.node_id, status.nack)
                if all(s.applied and types <= {t.type_url for t in s.types} for s in statuses):
                    return statuses[0]
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry.waiters.add(waiter)
            try:
                await waiter
            finally:
                entry.waiters.discard(waiter)


def _node_status(node_id: str, key: str, entry: Entry, connections: list[Connection]) -> NodeStatus:
    # A client that has come back may have an old stream that is not noticed as dead yet: the newest one counts.
    types = {status.type_url: status for connection in connections for status in connection.stream.status()}
    newest = connections[-1]
    return NodeStatus(
        node_id=node_id,
        key=key,
        connected=True,
        has_snapshot=entry.snapshot is not None,
        user_agent=newest.stream.node.user_agent if newest.stream.node else "",
        peer=newest.peer.address,
        variants=tuple(dict.fromkeys(c.stream.variant for c in connections)),
        connected_at=newest.connected_at,
        types=tuple(types.values()),
        missing=newest.stream.unanswered(),
        push_due=entry.timer is not None,
    )
