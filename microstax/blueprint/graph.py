"""Who has to be ready before whom."""

from collections.abc import Mapping

from microstax.model.environment import ServiceSpec


def start_waves(services: tuple[ServiceSpec, ...]) -> tuple[tuple[ServiceSpec, ...], ...]:
    """Return the services in waves: each wave needs only earlier ones, and keeps the file's order.

    Dependencies on services that are not among `services` are not waited for. Raises ValueError on a cycle.
    """
    names = {service.name for service in services}
    placed: set[str] = set()
    waves: list[tuple[ServiceSpec, ...]] = []
    while len(placed) < len(services):
        wave = tuple(
            service
            for service in services
            if service.name not in placed and all(name in placed or name not in names for name in service.depends_on)
        )
        if not wave:
            raise ValueError("the services depend on each other in a cycle")
        waves.append(wave)
        placed.update(service.name for service in wave)
    return tuple(waves)


def find_cycle(depends_on: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """Return a cycle as its names in order, first one repeated at the end (`a, b, a`), or None if there is none."""
    finished: set[str] = set()
    for start in depends_on:
        cycle = _walk(start, depends_on, finished)
        if cycle:
            return cycle
    return None


def _walk(start: str, depends_on: Mapping[str, tuple[str, ...]], finished: set[str]) -> tuple[str, ...] | None:
    path = [start]
    pending = [iter(depends_on.get(start, ()))]
    while path:
        name = next(pending[-1], None)
        if name is None:
            finished.add(path.pop())
            pending.pop()
        elif name in path:
            return (*path[path.index(name) :], name)
        elif name not in finished:
            path.append(name)
            pending.append(iter(depends_on.get(name, ())))
    return None
