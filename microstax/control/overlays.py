"""Operations on overlays: create (or say what would run), delete."""

from typing import Final

from microstax.blueprint import OverlayBlueprint, apply_patch, parse_patch
from microstax.control import describe, layout, past, plans, processes, queries
from microstax.control.plane import Plane
from microstax.control.progress import Outcome, Teller
from microstax.control.shadows import Shadows
from microstax.control.tasks import finish
from microstax.envoy.check import check
from microstax.errors import NotFoundError, RefusedError, TakenError, UsageError
from microstax.generated.management.microstax.management.v1 import SourceFile
from microstax.model.environment import ServiceSpec, ServiceStatus
from microstax.model.names import check_name
from microstax.store.state import DropOverlay, EnvironmentRecord, OverlayRecord, PortKey, PutOverlay, apply


class Overlays:
    """Creates overlays over baselines. Everything that can be refused is refused before anything starts."""

    def __init__(self, plane: Plane, shadows: Shadows) -> None:
        self._plane: Final = plane
        self._shadows: Final = shadows

    async def create(self, name: str, baseline: str, file: SourceFile, *, dry_run: bool, tell: Teller) -> Outcome:
        """Start the modified services and the bridge to the rest; with `dry_run` only say what would run."""
        async with self._plane.locks.hold(name, baseline):
            blueprint = self._blueprint(name, baseline, file)
            for note in blueprint.notes:
                tell.warn(note)
            if open_ways := past.warning(blueprint.spec, can_deny=self._can_deny_ports()):
                tell.warn(open_ways)
            if dry_run:
                return Outcome(message="Nothing was started.", output=blueprint.manifest_diff)
            record = await self._create(blueprint, tell)
            info = describe.overlay_info(self._plane, record)
            return Outcome(
                message=f"{name} runs {_names(record)}. Mirror traffic into it with 'microstax env shadow {name} "
                "--enable'.",
                object_json=info.to_json(),
            )

    async def delete(self, name: str, tell: Teller) -> Outcome:
        """Switch the shadow off, stop the overlay's services and forget it with all that was found."""
        async with self._plane.locks.hold(name):
            queries.overlay(self._plane.state, name)
            if queries.enabled(self._plane.state, name):
                await self._shadows.switch_off(name, tell)
            tell.say(f"stopping {name}")
            await finish(self._remove(name), name=f"delete {name}")
            return Outcome(message=f"{name} is deleted.")

    def _blueprint(self, name: str, baseline: str, file: SourceFile) -> OverlayBlueprint:
        record = self._baseline(baseline)
        self._check_free(name)
        patch = parse_patch(file.text, file=file.name)
        return apply_patch(patch, overlay_name=name, baseline=record.spec, file=file.name, directory=file.directory)

    def _can_deny_ports(self) -> bool:
        return self._plane.fleet.runtime.can_deny_ports()

    def _baseline(self, name: str) -> EnvironmentRecord:
        state = self._plane.state
        if name in state.overlays:
            raise RefusedError(
                f"{name} is an overlay; its baseline is {state.overlays[name].spec.baseline}: "
                f"use --baseline {state.overlays[name].spec.baseline}."
            )
        if name not in state.environments:
            promoted = [one.spec.name for one in state.environments.values() if one.promotion]
            hint = f": there are {', '.join(sorted(promoted))}." if promoted else ": promote an environment first."
            raise NotFoundError(f"There is no baseline {name!r}{hint}")
        record = state.environments[name]
        if record.promotion is None:
            raise RefusedError(f"{name} is no baseline yet: promote it with 'microstax env promote {name}'.")
        return record

    def _check_free(self, name: str) -> None:
        check_name("overlay", name)
        if name in self._plane.state.overlays:
            raise TakenError(
                f"There is an overlay {name!r} already: use another name, or delete it with "
                f"'microstax overlay delete {name}'."
            )
        if name in self._plane.state.environments:
            raise TakenError(f"There is an environment {name!r} already: environments and overlays share their names.")
        if name == layout.OWN_GROUP:
            raise UsageError(f"The name {name!r} is ours: use another one.")

    async def _create(self, blueprint: OverlayBlueprint, tell: Teller) -> OverlayRecord:
        spec = blueprint.spec
        record = OverlayRecord(spec=spec, created_ms=self._plane.now_ms(), manifest_diff=blueprint.manifest_diff)
        try:
            await self._plane.journal.choose_ports(self._ports(record), self._plane.fleet.runtime.free_port)
            self._check_plans(record)
            await self._plane.journal.commit(PutOverlay(record))
            await self._start(record, tell)
        except BaseException:
            await finish(self._remove(spec.name), name=f"undo {spec.name}")
            raise
        return record

    def _ports(self, record: OverlayRecord) -> list[PortKey]:
        name = record.spec.name
        own = [layout.process_port(name, spec.name) for spec in record.spec.services if spec.command]
        baseline = self._plane.state.environments[record.spec.baseline].spec
        return [*own, *(layout.bridge_port(name, spec.name) for spec in baseline.services)]

    def _check_plans(self, record: OverlayRecord) -> None:
        """Refuse what no Envoy can do (a url that is the tee itself) while nothing depends on it yet."""
        state = apply(self._plane.state, PutOverlay(record))
        check(plans.tee_plan(state, state.environments[record.spec.baseline]))
        check(plans.bridge_plan(state, record))

    async def _start(self, record: OverlayRecord, tell: Teller) -> None:
        # The bridge first: the branch may call the baseline as soon as it runs.
        tell.say("starting the bridge")
        node = layout.bridge_node(record.spec.name)
        await self._plane.fleet.start_envoy(node)
        await self._plane.publisher.settled(node)

        def ready(service: ServiceSpec, status: ServiceStatus) -> None:
            tell.say(f"{service.name} of {record.spec.name} is ready at {service.protocol}://{status.address}")

        specs = processes.overlay_processes(self._plane.state, record)
        await self._plane.fleet.start_services(record.spec.services, specs, ready)

    async def _remove(self, name: str) -> None:
        try:
            await self._plane.journal.commit(DropOverlay(name))
            await self._plane.journal.store.forget_node(layout.bridge_node(name))
        finally:
            # Also where the disk is full: what nobody will ask for again must not run on.
            await self._plane.fleet.runtime.stop_group(name)


def _names(record: OverlayRecord) -> str:
    return ", ".join(spec.name for spec in record.spec.services)
