"""env.yaml to an EnvironmentSpec."""

import posixpath
from typing import Final

from microstax.blueprint.commands import read_command
from microstax.blueprint.graph import find_cycle
from microstax.blueprint.place import Place, nearest
from microstax.blueprint.service import (
    named_services,
    read_health,
    read_protocol,
    read_url,
    read_variables,
    split_url,
    url_protocol,
)
from microstax.blueprint.traffic import read_header, read_redaction
from microstax.blueprint.tree import read_tree
from microstax.errors import InvalidFileError
from microstax.model.environment import (
    EMPTY,
    PREVIEW_HEADER,
    EnvironmentSpec,
    HealthCheck,
    Protocol,
    ServiceSpec,
)
from microstax.model.names import check_name
from microstax.model.redaction import RedactionRules

_FILE_FIELDS: Final = ("services", "redact", "previewHeader")
_SERVICE_FIELDS: Final = ("name", "command", "url", "port", "env", "health", "dependsOn", "workdir", "protocol")
_ONLY_FOR_COMMANDS: Final = ("env", "workdir")
_LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # noqa: S104  # compared, not listened on


def parse_environment(name: str, text: str, *, file: str, directory: str) -> EnvironmentSpec:
    """Return the environment `name` that the text of an env.yaml describes.

    `file` is the name to use in errors; commands run in `directory` (absolute), and `workdir` is relative to it.
    Raises UsageError for an unusable `name`, InvalidFileError (file, line, key) for everything in the text.
    """
    check_name("environment", name)
    tree = read_tree(text, file=file)
    if tree is None:
        raise InvalidFileError("the file is empty: it needs 'services'.", file=file)
    fields = Place(file, "", tree, tree.line).fields(_FILE_FIELDS, what="the file")
    if "services" not in fields:
        raise InvalidFileError("'services' is missing: a list of the services to run.", file=file, line=tree.line)
    places = named_services(fields["services"], what="services")
    services = tuple(_service(key, place, directory=directory) for key, place in places)
    _check_ports(services, dict(places))
    _check_dependencies(services, dict(places))
    return EnvironmentSpec(
        name=name,
        services=services,
        redaction=read_redaction(fields["redact"]) if "redact" in fields else RedactionRules(),
        preview_header=read_header(fields["previewHeader"]) if "previewHeader" in fields else PREVIEW_HEADER,
    )


def _service(name: str, place: Place, *, directory: str) -> ServiceSpec:
    fields = place.fields(_SERVICE_FIELDS, what="a service")
    _check_kind(place, fields)
    if "port" not in fields:
        place.fail("'port' is missing: the port on 127.0.0.1 where users and tests call this service.")
    url = read_url(fields["url"]) if "url" in fields else None
    protocol = _protocol(fields, url)
    if protocol is Protocol.TCP and "health" in fields:
        _check_tcp_health(fields["health"])
    return ServiceSpec(
        name=name,
        protocol=protocol,
        command=read_command(fields["command"]) if "command" in fields else (),
        url=url,
        port=fields["port"].port(what="port"),
        env=read_variables(fields["env"]) if "env" in fields else EMPTY,
        health=read_health(fields["health"]) if "health" in fields else HealthCheck(),
        depends_on=_names(fields["dependsOn"]) if "dependsOn" in fields else (),
        workdir=_workdir(fields, directory=directory) if "command" in fields else None,
    )


def _check_kind(place: Place, fields: dict[str, Place]) -> None:
    if "command" in fields and "url" in fields:
        fields["url"].fail("a service has a command or a url, not both: remove one.")
    if "command" not in fields and "url" not in fields:
        place.fail("a 'command' that starts this service is missing, or the 'url' of a server that runs already.")
    for name in _ONLY_FOR_COMMANDS:
        if "url" in fields and name in fields:
            fields[name].fail(f"{name!r} has no effect on a server that runs already: remove it.")


def _protocol(fields: dict[str, Place], url: str | None) -> Protocol:
    """Return what is written, or what the url says; it must not say something else."""
    said = url_protocol(url) if url else None
    if "protocol" not in fields:
        return said or Protocol.HTTP
    protocol = read_protocol(fields["protocol"])
    if said is not None and said is not protocol:
        fields["protocol"].fail(
            f"the url is {url}, which is {said} and not {protocol}: remove this, or correct the url."
        )
    return protocol


def _check_tcp_health(place: Place) -> None:
    path = "" if place.is_map() else place.text(what="the health path")
    if path or "path" in dict(place.entries(what="health")):
        place.fail("a TCP service has no path to ask: its health is that it accepts connections. Remove the path.")


def _workdir(fields: dict[str, Place], *, directory: str) -> str:
    if "workdir" not in fields:
        return directory
    return posixpath.normpath(posixpath.join(directory, fields["workdir"].text(what="workdir")))


def _names(place: Place) -> tuple[str, ...]:
    if not place.is_list():
        return (place.name(what="service"),)
    return tuple(dict.fromkeys(item.name(what="service") for item in place.items(what="dependsOn")))


def _check_ports(services: tuple[ServiceSpec, ...], places: dict[str, Place]) -> None:
    taken: dict[int, str] = {}
    for service in services:
        if service.port is None:
            continue
        if service.port in taken:
            _field(places[service.name], "port").fail(f"port {service.port} is {taken[service.port]}'s already.")
        taken[service.port] = service.name
    for service in services:
        own = split_url(service.url) if service.url else None
        if own and own.host in _LOOPBACK_HOSTS and own.port in taken:
            _field(places[service.name], "url").fail(
                f"port {own.port} is where {taken[own.port]} is to be called, so its server cannot listen there: "
                "give 'port' another number."
            )


def _check_dependencies(services: tuple[ServiceSpec, ...], places: dict[str, Place]) -> None:
    for service in services:
        for name in service.depends_on:
            if name not in places:
                hint = nearest(name, places) or "."
                _field(places[service.name], "dependsOn").fail(f"there is no service {name!r} in this file{hint}")
    cycle = find_cycle({service.name: service.depends_on for service in services})
    if cycle:
        _field(places[cycle[0]], "dependsOn").fail(
            f"the services wait for each other in a cycle: {' -> '.join(cycle)}. Remove one of these."
        )


def _field(service: Place, name: str) -> Place:
    return next(place for key, place in service.entries(what="a service") if key == name)
