"""A control plane in which everything is its own but what it would start, write or call: for the API's targets."""

import asyncio
import atexit
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Final
from unittest import mock

from hostile.virtual import VirtualLoop
from microstax.control import environments, running
from microstax.control.fleet import Fleet
from microstax.control.publisher import Publisher
from microstax.control.running import ControlPlane
from microstax.model.environment import EnvironmentSpec, PromotedService, Promotion, ServiceSpec
from microstax.model.overlay import BridgeAllowance, OverlaySpec
from microstax.model.record import StoredPair, encode_pair
from microstax.model.shadow import ControlMode, ShadowSettings
from microstax.runtime.fake import FakeRuntime
from microstax.runtime.port import ProcessKey, ProcessRole, ProcessSpec
from microstax.store.memory import MemoryStore
from microstax.store.state import (
    Change,
    EnvironmentRecord,
    OverlayRecord,
    PortKey,
    PutEnvironment,
    PutOverlay,
    PutPorts,
    PutShadow,
    ShadowRecord,
    State,
    apply,
)
from microstax.testing import a_response, a_triple

Call = Callable[[Any], Any]
FOLDER: Final = Path("/nonexistent")
NOW_MS: Final = 1_700_000_000_000
PAIR: Final = encode_pair(StoredPair(triple=a_triple(a_response(b"1"), a_response(b"2")), captured_ms=NOW_MS))


def _changes() -> tuple[Change, ...]:
    services = (
        ServiceSpec(
            name="catalog", command=("catalog", "$(PORT)"), port=18101, env={"MODE": "v1"}, depends_on=("pricing",)
        ),
        ServiceSpec(name="pricing", command=("pricing",), port=18102),
        ServiceSpec(name="stock", url="http://127.0.0.1:9000", port=18103),
    )
    promotion = Promotion(environment="prod", at_ms=1, services=(PromotedService(name="catalog", version="1"),))
    overlay = OverlaySpec(
        name="branch", baseline="prod", services=(ServiceSpec(name="catalog", command=("catalog", "--v2")),),
        bridge=(BridgeAllowance(service="pricing", methods=("POST",)),),
    )  # fmt: skip
    ports = {
        PortKey("prod", "catalog", "process"): 20001, PortKey("prod", "pricing", "process"): 20002,
        PortKey("spare", "pricing", "process"): 20008, PortKey("branch", "catalog", "process"): 20003,
        PortKey("branch", "catalog", "control"): 20004,
        PortKey("branch", "catalog", "bridge"): 20005, PortKey("branch", "pricing", "bridge"): 20006,
        PortKey("branch", "stock", "bridge"): 20007,
    }  # fmt: skip
    return (
        PutEnvironment(
            EnvironmentRecord(spec=EnvironmentSpec(name="prod", services=services), created_ms=1, promotion=promotion)
        ),
        PutEnvironment(EnvironmentRecord(spec=EnvironmentSpec(name="spare", services=services[1:2]), created_ms=1)),
        PutOverlay(OverlayRecord(spec=overlay, created_ms=2)),
        PutPorts(ports),
        PutShadow(
            ShadowRecord(
                overlay="branch",
                settings=ShadowSettings(enabled=True, control=ControlMode.NONE),
                generation=1,
                since_ms=3,
            )
        ),
    )


CHANGES: Final = _changes()


def a_state() -> State:
    """Return a baseline, an overlay of one of its services and a shadow that is on, and an environment beside."""
    state = State()
    for change in CHANGES:
        state = apply(state, change)
    return state


class _Publisher(Publisher):
    """Builds nothing, and everybody has it at once."""

    async def run(self) -> None:
        """Do nothing for ever."""
        await asyncio.Event().wait()

    async def published(self) -> None:
        """Wait for nothing."""

    async def settled(self, node_id: str, *, timeout_s: float = 0.0) -> None:
        """Wait for nothing."""


class _Xds:
    """Has no clients."""

    def __init__(self, *_: Any) -> None:
        self.options = None

    def status(self) -> tuple[()]:
        """Return the clients."""
        return ()

    def snapshot(self, node_id: str) -> None:
        """Return what a client should have."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Whatever they are given is taken, and whatever they are waited for has happened."""
        return lambda *_, **__: asyncio.sleep(0) if name.startswith("wait") else None


class _Server:
    """Listens to nobody; `methods` are what it would serve."""

    def __init__(self, methods: dict[Any, Call]) -> None:
        self.methods = methods

    async def start(self) -> None:
        """Begin."""

    async def stop(self, grace: float) -> None:
        """End."""


def _no_check(_: EnvironmentSpec) -> None:
    """Try no port."""


async def _no_xds(*_: Any) -> None:
    """Start no server."""


def _process(node_id: str) -> ProcessSpec:
    role, _, name = node_id.partition("~")
    return ProcessSpec(key=ProcessKey(name, role, ProcessRole.ENVOY), command=("envoy",))


async def _nothing_missing(*_: Any, **__: Any) -> list[Any]:
    """Find that all processes run."""
    return []


class _Plane:
    """A control plane that serves, with fakes in the places where it reaches out of its process.

    The first one starts all processes; the others take over what runs, which is most of the time that a start takes.
    """

    running: ClassVar[FakeRuntime | None] = None

    def __init__(self) -> None:
        self.methods: dict[Any, Call] = {}
        self._stack = ExitStack()

    async def open(self) -> None:
        """Serve, knowing of `a_state`."""
        store = MemoryStore()
        await store.open()
        await store.commit(*CHANGES)
        fakes: Mapping[str, Any] = {
            "XdsServer": _Xds,
            "Publisher": _Publisher,
            "envoy_processes": lambda *_: _process,
            "envoy_binary": lambda: "envoy",
            "make_server": self._serve,
            "bind_socket": lambda *_: None,
        }
        with ExitStack() as stack:
            for name, fake in fakes.items():
                stack.enter_context(mock.patch.object(running, name, fake))
            stack.enter_context(mock.patch.object(ControlPlane, "_start_xds", _no_xds))
            runtime = FakeRuntime(folder=FOLDER)
            if self.running is not None:
                runtime.specs, runtime._statuses = dict(self.running.specs), dict(self.running._statuses)
                stack.enter_context(mock.patch.object(Fleet, "restore", _nothing_missing))
            made = ControlPlane(FOLDER, runtime=runtime, store=store, watch_timeout_s=0.01)
            self._serving = made.serving()
            self.plane = made.plane
            await self._serving.__aenter__()
            if self.running is None:
                await asyncio.sleep(1.0)
                _Plane.running = FakeRuntime(folder=FOLDER)
                _Plane.running.specs, _Plane.running._statuses = dict(runtime.specs), dict(runtime._statuses)
        self._first = made.plane.state

    async def close(self) -> None:
        """End, and leave nothing behind."""
        await self._serving.__aexit__(None, None, None)
        leftover = asyncio.all_tasks() - {asyncio.current_task()}
        for task in leftover:
            task.cancel()
        await asyncio.gather(*leftover, return_exceptions=True)

    @property
    def is_as_it_was(self) -> bool:
        """Tell whether nothing was changed by calls."""
        return self.plane.state is self._first

    def _serve(self, methods: dict[Any, Call]) -> _Server:
        self.methods = methods
        return _Server(methods)


class World:
    """Control planes on one loop; one is used until something has changed, so that each input meets the same."""

    def __init__(self) -> None:
        self._loop = VirtualLoop()
        self._current: _Plane | None = None
        atexit.register(self._end)

    def _end(self) -> None:
        if self._current is not None:
            self._loop.run_until_complete(self._current.close())
        self._loop.close()

    def run(self, play: Callable[[dict[Any, Call]], Awaitable[None]], *, changing: bool = False) -> None:
        """Give `play` the methods of a control plane that knows `a_state`.

        `changing`: the calls change more than the state, so the next input gets another one.
        """
        self._loop.run_until_complete(self._run(play, changing=changing))

    async def _run(self, play: Callable[[dict[Any, Call]], Awaitable[None]], *, changing: bool) -> None:
        current = self._current
        if current is None:
            current = _Plane()
            await current.open()
            self._current = current
        try:
            with mock.patch.object(environments, "check_tee_ports", _no_check):
                await play(current.methods)
        finally:
            if changing or not current.is_as_it_was:
                self._current = None
                await current.close()
