"""The one holder of the desired state: every change is on disk before anybody sees it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from microstax.control.tasks import finish
from microstax.errors import StorageError
from microstax.store.port import Applied, DeltaRecord, Merge, Store
from microstax.store.state import Change, PortKey, PutPorts, State, apply

Listener = Callable[[State], None]


class Journal:
    """Commits changes one after the other and tells listeners the state that results.

    `trouble` is the sentence of a store that does not write at the moment, None while it does.
    """

    def __init__(self, store: Store) -> None:
        self.store: Final = store
        self.state = State()
        self.trouble: str | None = None
        self._listeners: list[Listener] = []
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Read the state; raises StorageError."""
        self.state = await self.store.open()

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the state after every change."""
        self._listeners.append(listener)

    async def commit(self, *changes: Change) -> State:
        """Write the changes, then show them; all or nothing, also when the caller is cancelled. Raises StorageError."""
        return await self.amend(lambda _: changes)

    async def amend(self, changes: Callable[[State], Sequence[Change]]) -> State:
        """Commit the changes that the state of that moment calls for. Raises StorageError."""
        return await finish(self._commit(changes), name="commit")

    async def choose_ports(self, keys: Iterable[PortKey], free_port: Callable[[], int]) -> Mapping[PortKey, int]:
        """Choose a free port for every key that has none, and remember them. Raises StorageError."""
        await self.replace_ports([key for key in keys if key not in self.state.ports], free_port)
        return self.state.ports

    async def replace_ports(self, keys: Iterable[PortKey], free_port: Callable[[], int]) -> None:
        """Choose another free port for every key, and remember them. Raises StorageError."""
        taken = set(self.state.ports.values()) | _tee_ports(self.state)
        chosen: dict[PortKey, int] = {}
        for key in keys:
            chosen[key] = _next_free(free_port, taken)
            taken.add(chosen[key])
        if chosen:
            await self.commit(PutPorts(chosen))

    async def apply_delta(self, delta: DeltaRecord, merge: Merge) -> Applied | None:
        """Apply a worker's delta, once. Raises StorageError."""
        try:
            applied = await self.store.apply_delta(delta, merge)
        except StorageError as error:
            self.trouble = error.message
            raise
        self.trouble = None
        return applied

    async def _commit(self, wanted: Callable[[State], Sequence[Change]]) -> State:
        async with self._turn:
            changes = wanted(self.state)
            if not changes:
                return self.state
            try:
                await self.store.commit(*changes)
            except StorageError as error:
                self.trouble = error.message
                raise
            self.trouble = None
            for change in changes:
                self.state = apply(self.state, change)
            for listener in self._listeners:
                listener(self.state)
            return self.state


def _tee_ports(state: State) -> set[int]:
    return {spec.port for record in state.environments.values() for spec in record.spec.services if spec.port}


def _next_free(free_port: Callable[[], int], taken: set[int]) -> int:
    port = free_port()
    while port in taken:
        port = free_port()
    return port
