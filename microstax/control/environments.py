"""Operations on environments: create, promote, delete."""

import asyncio
from dataclasses import replace
from typing import Final

from microstax.blueprint import parse_environment, service_version
from microstax.control import describe, layout, processes, queries
from microstax.control.plane import Plane
from microstax.control.ports import check_tee_ports
from microstax.control.progress import Outcome, Teller
from microstax.control.tasks import finish
from microstax.errors import (
    EnvoyError,
    NotFoundError,
    PortInUseError,
    RefusedError,
    ServiceFailedError,
    TakenError,
    UsageError,
)
from microstax.generated.management.microstax.management.v1 import SourceFile
from microstax.model.environment import (
    EnvironmentSpec,
    PromotedService,
    Promotion,
    ServicePhase,
    ServiceSpec,
    ServiceStatus,
)
from microstax.model.names import check_name
from microstax.store.state import DropEnvironment, EnvironmentRecord, PutEnvironment


class Environments:
    """Creates environments and makes baselines of them."""

    def __init__(self, plane: Plane) -> None:
        self._plane: Final = plane

    async def create(self, name: str, file: SourceFile, tell: Teller) -> Outcome:
        """Start an environment's services. What was started is stopped again when one of them fails."""
        async with self._plane.locks.hold(name):
            record = await self._create(name, file, tell)
            info = describe.environment_info(self._plane, record)
            return Outcome(
                message=f"{name} runs. Make it a baseline with 'microstax env promote {name}'.",
                object_json=info.to_json(),
            )

    async def promote(self, name: str, file: SourceFile | None, tell: Teller) -> Outcome:
        """Make a healthy environment a baseline; `file` creates it first where it does not exist."""
        async with self._plane.locks.hold(name):
            if name not in self._plane.state.environments and file is not None:
                await self._create(name, file, tell)
            record = self._promotable(name)
            for spec in record.spec.services:
                await self._check_healthy(name, spec)
                tell.say(f"{spec.name} is healthy")
            await self._check_tee(name)
            promoted = replace(record, promotion=self._promotion(record.spec))
            await self._plane.journal.commit(PutEnvironment(promoted))
            info = describe.environment_info(self._plane, promoted)
            return Outcome(
                message=f"{name} is a baseline now, with {_count(len(record.spec.services), 'service')}.",
                object_json=info.to_json(),
            )

    async def delete(self, name: str, tell: Teller) -> Outcome:
        """Stop an environment's services and forget it. Refused while overlays stand on it."""
        async with self._plane.locks.hold(name):
            queries.environment(self._plane.state, name)
            overlays = [overlay.spec.name for overlay in queries.overlays_of(self._plane.state, name)]
            if overlays:
                raise RefusedError(
                    f"{name} is the baseline of {', '.join(overlays)}: delete these first with "
                    "'microstax overlay delete'."
                )
            tell.say(f"stopping {name}")
            await finish(self._remove(name), name=f"delete {name}")
            return Outcome(message=f"{name} is deleted.")

    async def _create(self, name: str, file: SourceFile, tell: Teller) -> EnvironmentRecord:
        spec = parse_environment(name, file.text, file=file.name, directory=file.directory)
        self._check_free(name)
        await asyncio.to_thread(check_tee_ports, spec)
        self._check_own_ports(spec)
        record = EnvironmentRecord(spec=spec, created_ms=self._plane.now_ms())
        keys = [layout.process_port(name, service.name) for service in spec.services if service.command]
        try:
            await self._plane.journal.choose_ports(keys, self._plane.fleet.runtime.free_port)
            await self._plane.journal.commit(PutEnvironment(record))
            await self._start(record, tell)
        except BaseException:
            await finish(self._remove(name), name=f"undo {name}")
            raise
        return record

    async def _start(self, record: EnvironmentRecord, tell: Teller) -> None:
        # The tee first: a service may call another one as soon as it runs, and finds it at the tee.
        tell.say("starting Envoy")
        node = layout.tee_node(record.spec.name)
        await self._plane.fleet.start_envoy(node)
        await self._plane.publisher.settled(node)

        def ready(service: ServiceSpec, status: ServiceStatus) -> None:
            where = f"{service.protocol}://{queries.tee_address(service)}"
            tell.say(f"{service.name} is ready at {where} (its process is at {status.address})")

        specs = processes.environment_processes(self._plane.state, record)
        await self._plane.fleet.start_services(record.spec.services, specs, ready)

    async def _remove(self, name: str) -> None:
        try:
            await self._plane.journal.commit(DropEnvironment(name))
            await self._plane.journal.store.forget_node(layout.tee_node(name))
        finally:
            # Also where the disk is full: what nobody will ask for again must not run on.
            await self._plane.fleet.runtime.stop_group(name)

    def _check_free(self, name: str) -> None:
        check_name("environment", name)
        state = self._plane.state
        if name in state.environments:
            raise TakenError(
                f"There is an environment {name!r} already: use another name, or delete it with "
                f"'microstax env delete {name}'."
            )
        if name in state.overlays:
            raise TakenError(f"There is an overlay {name!r} already: environments and overlays share their names.")
        if name == layout.OWN_GROUP:
            raise UsageError(f"The name {name!r} is ours: use another one.")

    def _check_own_ports(self, spec: EnvironmentSpec) -> None:
        owners = {
            service.port: (record.spec.name, service.name)
            for record in self._plane.state.environments.values()
            for service in record.spec.services
        }
        for service in spec.services:
            if service.port in owners:
                environment, other = owners[service.port]
                raise PortInUseError(
                    f"Port {service.port} of {service.name} is where {other} of {environment} listens: "
                    "give one of them another port."
                )

    def _promotable(self, name: str) -> EnvironmentRecord:
        state = self._plane.state
        if name in state.overlays:
            raise RefusedError(
                f"{name} is an overlay of {state.overlays[name].spec.baseline}; only an environment becomes a baseline."
            )
        if name not in state.environments:
            raise NotFoundError(
                f"There is no environment {name!r}: create it with 'microstax env create {name} --file env.yaml', or "
                "let 'env promote' do that with --file."
            )
        return state.environments[name]

    async def _check_healthy(self, name: str, spec: ServiceSpec) -> None:
        runtime, key = self._plane.fleet.runtime, layout.service_key(name, spec.name)
        status = runtime.status(key)
        if status is not None and status.phase is ServicePhase.STARTING:
            try:
                status = await runtime.wait_ready(key, timeout_s=spec.health.start_period_s)
            except ServiceFailedError as error:
                raise RefusedError(f"{name} cannot be promoted: {error.message}") from error
        if status is None or status.phase is not ServicePhase.READY:
            phase = status.phase.value if status else "not running"
            why = f" ({status.message})" if status and status.message else ""
            raise RefusedError(
                f"{name} cannot be promoted: {spec.name} is {phase}{why}. See 'microstax env logs {name} {spec.name}'."
            )

    async def _check_tee(self, name: str) -> None:
        """Raise EnvoyError where the traffic of an environment cannot pass: its Envoy refused what it should do."""
        try:
            await self._plane.publisher.settled(layout.tee_node(name))
        except EnvoyError as error:
            raise EnvoyError(f"{name} cannot be promoted: {error.message}") from error

    def _promotion(self, spec: EnvironmentSpec) -> Promotion:
        services = tuple(
            PromotedService(name=one.name, version=service_version(one), command=one.command, url=one.url)
            for one in spec.services
        )
        return Promotion(environment=spec.name, at_ms=self._plane.now_ms(), services=services)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
