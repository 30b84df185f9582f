"""The processes that the state asks for: started in order, adopted after a crash, stopped when no longer wanted."""

import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any, Final

from microstax.blueprint import start_waves
from microstax.control import layout, processes
from microstax.control.tasks import all_of
from microstax.errors import MicrostaxError
from microstax.model.environment import ServiceSpec, ServiceStatus
from microstax.runtime.port import ProcessKey, ProcessSpec, Runtime
from microstax.store.state import State

_log: Final = logging.getLogger(__name__)
ENVOY_TIMEOUT_S: Final = 30.0
Ready = Callable[[ServiceSpec, ServiceStatus], None]


class Fleet:
    """Starts and stops. `envoy_process` makes the process of a node's Envoy, writing its bootstrap file.

    `problems` has a sentence for every process that could not be brought back.
    """

    def __init__(
        self, runtime: Runtime, *, envoy_process: Callable[[str], ProcessSpec], worker_process: ProcessSpec
    ) -> None:
        self.runtime: Final = runtime
        self._envoy_process: Final = envoy_process
        self._worker_process: Final = worker_process
        self.problems: Final[dict[ProcessKey, str]] = {}

    async def restore(
        self,
        state: State,
        nodes: Iterable[str],
        *,
        found: Collection[ProcessKey],
        wanted_now: Callable[[ProcessKey], bool],
    ) -> list[Coroutine[Any, Any, None]]:
        """Take over after a restart: of the `found`, what is wanted is kept, and what nobody wants any more is stopped.

        But not a tee, nor the services behind it: a state that knows nothing of them is an old or an empty one, and
        users are served there all the same. `problems` says so. Envoys (of `nodes`) and the worker are started here.
        Returns what starts the services that do not run, to run beside serving: it asks `wanted_now` whether a user has
        changed their mind meanwhile.
        """
        specs = processes.service_processes(state)
        nodes = tuple(nodes)
        wanted = {*specs, *(layout.envoy_key(node) for node in nodes), layout.worker_key()}
        unwanted = {key for key in found if key not in wanted}
        serving = {key.group for key in unwanted if key == layout.envoy_key(layout.tee_node(key.group))}
        for name in sorted(serving):
            self._leave_alone(name)
        await all_of(self.runtime.stop(key) for key in unwanted if key.group not in serving)
        for node in nodes:
            await self._attempt(self._envoy_process(node))
        await self._attempt(self._worker_process)
        adopted = [spec for key, spec in specs.items() if key in found]
        for spec in adopted:
            await self._attempt(spec)
        groups = sorted({key.group for key in specs})
        return [self._start_missing(_services(group, state), _of(group, specs), wanted_now) for group in groups]

    def _leave_alone(self, name: str) -> None:
        sentence = (
            f"{name} is not in this state, but its Envoy runs and serves users, so it was left as it is: "
            f"'microstax env promote {name} --file env.yaml' takes it over, 'microstax down' ends it."
        )
        _log.warning("%s", sentence)
        self.problems[layout.envoy_key(layout.tee_node(name))] = sentence

    async def start_envoy(self, node_id: str) -> None:
        """Start a node's Envoy and wait until it has answered. Raises ServiceFailedError with its last words."""
        await self.runtime.start(self._envoy_process(node_id))
        await self.runtime.wait_ready(layout.envoy_key(node_id), timeout_s=ENVOY_TIMEOUT_S)

    async def start_services(
        self, services: tuple[ServiceSpec, ...], specs: Iterable[ProcessSpec], ready: Ready
    ) -> None:
        """Start processes, those that others depend on first, and wait for the health of all of them.

        Calls `ready` for each. Raises ServiceFailedError or PortInUseError; what was started is left to the caller.
        """
        by_name = {spec.key.name: spec for spec in specs}
        for wave in start_waves(services):
            await all_of(self._start_one(service, by_name[service.name], ready) for service in wave)

    async def stop(self, keys: Iterable[ProcessKey]) -> None:
        """Stop processes side by side."""
        await all_of(self.runtime.stop(key) for key in keys)

    async def _start_one(self, service: ServiceSpec, spec: ProcessSpec, ready: Ready) -> None:
        await self.runtime.start(spec)
        timeout_s = service.health.start_period_s + service.health.timeout_s
        ready(service, await self.runtime.wait_ready(spec.key, timeout_s=timeout_s))

    async def _start_missing(
        self, services: tuple[ServiceSpec, ...], specs: tuple[ProcessSpec, ...], wanted: Callable[[ProcessKey], bool]
    ) -> None:
        for wave in start_waves(services):
            by_name = {service.name: service for service in wave}
            waiting = [spec for spec in specs if spec.key.name in by_name]
            await all_of(self._bring_back(spec, by_name[spec.key.name], wanted) for spec in waiting)

    async def _bring_back(self, spec: ProcessSpec, service: ServiceSpec, wanted: Callable[[ProcessKey], bool]) -> None:
        try:
            if wanted(spec.key):
                await self.runtime.start(spec)
            if not wanted(spec.key):
                await self.runtime.stop(spec.key)
                return
            await self.runtime.wait_ready(spec.key, timeout_s=service.health.start_period_s)
        except MicrostaxError as error:
            # The others must not wait for it.
            self._note(spec.key, error)

    async def _attempt(self, spec: ProcessSpec) -> None:
        try:
            await self.runtime.start(spec)
        except MicrostaxError as error:
            self._note(spec.key, error)

    def _note(self, key: ProcessKey, error: MicrostaxError) -> None:
        _log.warning("%s", error.message)
        if self.runtime.status(key) is None:
            self.problems[key] = error.message


def _of(group: str, specs: Mapping[ProcessKey, ProcessSpec]) -> tuple[ProcessSpec, ...]:
    return tuple(spec for key, spec in specs.items() if key.group == group)


def _services(group: str, state: State) -> tuple[ServiceSpec, ...]:
    if group in state.environments:
        return state.environments[group].spec.services
    return state.overlays[group].spec.services
