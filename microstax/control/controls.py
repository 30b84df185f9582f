"""Control copies: second processes of the baseline's version, that run while a shadow measures noise by them."""

from dataclasses import replace
from typing import Final

from microstax.control import layout, processes, queries
from microstax.control.plane import Plane
from microstax.control.progress import Teller
from microstax.model.environment import ServiceSpec, ServiceStatus
from microstax.runtime.port import ProcessKey
from microstax.store.state import OverlayRecord, ShadowRecord


class Controls:
    """Starts and stops them. The caller holds the overlay's lock."""

    def __init__(self, plane: Plane) -> None:
        self._plane: Final = plane

    async def start(self, record: OverlayRecord, shadow: ShadowRecord, tell: Teller) -> None:
        """Start the copies that a shadow needs and wait until they are healthy. Raises FaultError."""
        name, fleet = record.spec.name, self._plane.fleet
        copies = queries.control_copies(self._plane.state, record, shadow)
        keys = [layout.control_port(name, spec.name) for spec in copies]
        await self._plane.journal.choose_ports(keys, fleet.runtime.free_port)

        def ready(service: ServiceSpec, status: ServiceStatus) -> None:
            tell.say(
                f"a second {service.name} of {record.spec.baseline} measures the noise, at http://{status.address}"
            )

        specs = processes.control_processes(self._plane.state, record, shadow)
        await fleet.start_services(tuple(replace(spec, depends_on=()) for spec in copies), specs, ready)

    async def stop_unwanted(self, record: OverlayRecord) -> None:
        """Stop the copies that the committed shadow has no use for."""
        shadow = queries.enabled(self._plane.state, record.spec.name)
        wanted = (
            {spec.key for spec in processes.control_processes(self._plane.state, record, shadow)} if shadow else set()
        )
        await self._plane.fleet.stop(key for key in self._running(record) if key not in wanted)

    def _running(self, record: OverlayRecord) -> list[ProcessKey]:
        name = record.spec.name
        possible = {layout.control_key(name, spec.name) for spec in record.spec.services}
        return [key for key in self._plane.fleet.runtime.statuses(name) if key in possible]
