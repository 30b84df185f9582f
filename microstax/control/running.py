"""A running control plane: its parts, in the order in which they start and stop."""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc.aio

from microstax.api.address import MANAGEMENT_SOCKET, management_address, socket_path, tidy_folders
from microstax.capture.redaction import KEY_BYTES
from microstax.control import comparing, layout, plans, ports, processes
from microstax.control.access_log import AccessLog
from microstax.control.controls import Controls
from microstax.control.demand import demand_of
from microstax.control.draining import drain_of
from microstax.control.endings import Endings
from microstax.control.envoys import envoy_binary, envoy_processes, worker_process
from microstax.control.fleet import Fleet
from microstax.control.guard import Limits
from microstax.control.guarding import Guarding
from microstax.control.intake import PRUNE_EVERY_MS, Intake
from microstax.control.journal import Journal
from microstax.control.management import Management
from microstax.control.plane import Plane
from microstax.control.progress import Outcome, Teller
from microstax.control.publisher import Publisher
from microstax.control.refusals import Refusals
from microstax.control.regulator import Regulator
from microstax.control.reports import Reports
from microstax.control.server import make_server
from microstax.control.shadows import WATCH_TIMEOUT_S
from microstax.control.status import StatusReport
from microstax.control.targets import Targets
from microstax.control.tasks import finish, in_background
from microstax.control.workers import Workers
from microstax.envoy.build import build
from microstax.errors import FaultError, MicrostaxError, PortInUseError, UsageError
from microstax.model.plan import EnvoyPlan
from microstax.runtime.local import LocalRuntime
from microstax.runtime.port import ProcessKey, Runtime
from microstax.store.port import Store
from microstax.store.sqlite import DATABASE, SqliteStore
from microstax.xds import Resource, XdsOptions, XdsServer

_log: Final = logging.getLogger(__name__)
_REDACTION_KEY: Final = "redaction"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_PORTS: Final = range(1, 65536)  # gRPC itself takes a larger one modulo 65536
GRACE_S: Final = 2.0


class ControlPlane:
    """One control plane of one state folder. The caller holds the folder's lock."""

    def __init__(
        self,
        folder: Path,
        *,
        listen: str | None = None,
        runtime: Runtime | None = None,
        store: Store | None = None,
        watch_timeout_s: float = WATCH_TIMEOUT_S,
        limits: Limits | None = None,
    ) -> None:
        self.address: Final = management_address(folder)
        self._folder: Final = folder
        self._listen: Final = listen
        self._store: Final = store or SqliteStore(folder / DATABASE)
        self._runtime: Final = runtime or LocalRuntime(folder)
        self._watch_timeout_s: Final = watch_timeout_s
        self._limits: Final = limits or Limits()
        self._stop: Final = asyncio.Event()
        self._journal: Final = Journal(self._store)
        self.xds: Final = XdsServer(XdsOptions())
        self._publisher: Final = Publisher(self.xds, build_resources)
        fleet = Fleet(
            self._runtime,
            envoy_process=envoy_processes(folder, envoy_binary()),
            worker_process=worker_process(self.address),
        )
        self.plane: Final = Plane(journal=self._journal, fleet=fleet, publisher=self._publisher)
        self.endings: Final = Endings(self.plane, Controls(self.plane))
        regulator = Regulator(self.plane, worker_memory=self._limits.worker_bytes)
        self._refusals: Final = Refusals(self.plane)
        self._intake: Final = Intake(self.plane, merge=comparing.Merger(), regulator=regulator)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve while the context is open. Raises MicrostaxError where it cannot start; processes are left running."""
        async with AsyncExitStack() as stack:
            await self._journal.open()
            stack.push_async_callback(self._store.close)
            await self._intake.renew(comparing.examples)
            redaction_key = await self._redaction_key()
            targets = Targets(self._folder, redaction_key=redaction_key)
            guarding = Guarding(self.plane, self._intake, worker_of=targets.worker_of, limits=self._limits)
            await self._refusals.open(redaction_key=redaction_key)
            stack.push_async_callback(self._last_refusals)
            self.plane.to_workers.attach(targets.follow)
            self._journal.subscribe(self.plane.to_workers.follow)
            # Listening comes before starting anything: an address that cannot be had leaves nothing behind.
            management = self._management(targets, guarding)
            stack.push_async_callback(self._runtime.detach)
            found = await self._runtime.open()
            await self._journal.replace_ports(ports.taken(self._journal.state, found), self._runtime.free_port)
            self.plane.to_workers.follow(self._journal.state)
            # What has ended meanwhile must not be mirrored by the first configuration that goes out.
            await self.endings.look()
            await self._start_publishing(stack)
            await self._start_xds(stack)
            missing = await self.plane.fleet.restore(
                self._journal.state,
                plans.envoy_nodes(self._journal.state),
                found=found,
                wanted_now=self._is_wanted,
            )
            await self._intake.look()
            await management.start()
            stack.push_async_callback(management.stop, GRACE_S)
            for number, starting in enumerate(missing):
                self._in_background(stack, starting, name=f"restore {number}")
            self._in_background(stack, self.endings.run(), name="endings")
            self._journal.subscribe(guarding.follow)
            self._in_background(stack, guarding.run(), name="guard")
            self._in_background(stack, self._tidy(), name="tidy")
            self._in_background(stack, self._refusals.run(), name="refused calls")
            yield

    def ask_to_stop(self) -> None:
        """Let `asked_to_stop` return."""
        self._stop.set()

    async def asked_to_stop(self) -> None:
        """Wait until somebody wants an end."""
        await self._stop.wait()

    async def stop_everything(self) -> None:
        """Stop all processes that were started with this state folder."""
        await self._runtime.stop_all()

    def tidy(self) -> None:
        """Remove the sockets that nobody listens on any more: the last act, after `stop_everything` and serving."""
        nodes = plans.envoy_nodes(self._journal.state)
        for name in (MANAGEMENT_SOCKET, layout.XDS_SOCKET, *(layout.admin_socket(node) for node in nodes)):
            socket_path(self._folder, name).unlink(missing_ok=True)
        tidy_folders(self._folder)

    async def _last_refusals(self) -> None:
        """Write what was refused last, once nothing more comes in."""
        try:
            await self._refusals.write()
        except MicrostaxError as error:
            _log.warning("%s", error.message)

    async def _redaction_key(self) -> bytes:
        return await self._store.secret(_REDACTION_KEY, secrets.token_bytes(KEY_BYTES))

    async def _start_publishing(self, stack: AsyncExitStack) -> None:
        """Have every Envoy's resources ready before the first of them comes back for its own."""
        self.plane.to_envoys.attach(self._publisher.follow)
        self._journal.subscribe(self.plane.to_envoys.follow)
        self._in_background(stack, self._publisher.run(), name="publisher")
        self.plane.to_envoys.follow(self._journal.state)
        await self._publisher.published()

    async def _start_xds(self, stack: AsyncExitStack) -> None:
        server = grpc.aio.server(options=self.xds.options.grpc_options())
        self.xds.add_to(server)
        AccessLog(self._refusals.take).add_to(server)
        bind_socket(server, socket_path(self._folder, layout.XDS_SOCKET))
        await server.start()
        stack.push_async_callback(server.stop, GRACE_S)
        stack.push_async_callback(self.xds.stop, 0)

    def _management(self, targets: Targets, guarding: Guarding) -> grpc.aio.Server:
        management = Management(
            self.plane,
            intake=self._intake,
            watch_timeout_s=self._watch_timeout_s,
            drain=drain_of(self._folder),
            demand=demand_of(self._folder),
            reports=Reports(self.plane, self._intake, self._refusals, build=comparing.report),
            status=StatusReport(self.plane, self._intake, guarding, folder=self._folder, nodes=self.xds.status),
            endings=self.endings,
            shut_down=self._shut_down,
        )
        workers = Workers(self.plane, self._intake, targets, learn=comparing.learned)
        server = make_server({**management.methods(), **workers.methods()})
        bind_socket(server, socket_path(self._folder, MANAGEMENT_SOCKET))
        if self._listen is not None:
            _bind_tcp(server, self._listen)
        return server

    async def _shut_down(self, tell: Teller) -> Outcome:
        tell.say("stopping services, Envoys and the worker")
        try:
            await finish(self.stop_everything(), name="stop everything")
        finally:
            self.ask_to_stop()
        return Outcome(message="microstax is stopped.")

    def _is_wanted(self, key: ProcessKey) -> bool:
        return not self._stop.is_set() and key in processes.service_processes(self._journal.state)

    async def _tidy(self) -> None:
        """Delete example pairs over the limits, every minute."""
        while True:
            await asyncio.sleep(PRUNE_EVERY_MS / 1000)
            try:
                await self._intake.prune(comparing.examples)
            except MicrostaxError as error:
                _log.warning("%s", error.message)

    @staticmethod
    def _in_background(stack: AsyncExitStack, coroutine: Any, *, name: str) -> None:
        task = in_background(coroutine, name=name)

        async def end() -> None:
            task.cancel()
            await asyncio.wait({task})

        stack.push_async_callback(end)


def build_resources(plan: EnvoyPlan) -> Iterable[Resource]:
    """Return the resources of a plan as the xDS server takes them."""
    return [
        Resource(
            name=one.name,
            type_url=one.type_url,
            body=one.body,
            references=one.references,
            expires_at=one.expires_at,
        )
        for one in build(plan)
    ]


def bind_socket(server: grpc.aio.Server, path: Path) -> None:
    """Listen on a unix socket that only we may open; one that was left behind is replaced. Raises FaultError."""
    mask = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        server.add_insecure_port(f"unix:{path}")
    except (OSError, RuntimeError) as error:  # grpc raises the latter and does not say why
        reason = f" ({error.strerror})" if isinstance(error, OSError) else ""
        raise FaultError(
            f"The socket {path} cannot be made{reason}: give yourself access to its folder, make room, or name another "
            "state folder with --state."
        ) from error
    finally:
        os.umask(mask)


def _bind_tcp(server: grpc.aio.Server, listen: str) -> None:
    host, separator, port = listen.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) not in _PORTS:
        raise UsageError(f"--listen {listen!r} is no HOST:PORT, such as 127.0.0.1:7077.")
    if host not in _LOOPBACK:
        _log.warning("--listen %s: whoever can reach it may switch shadows and read bodies", listen)
    try:
        server.add_insecure_port(listen)
    except RuntimeError as error:
        raise PortInUseError(
            f"--listen {listen} cannot be used: something listens there, or it is not ours."
        ) from error
