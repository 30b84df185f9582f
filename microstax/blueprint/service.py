"""The fields that describe a service, in env.yaml and in patch.yaml alike."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from microstax.blueprint.place import MAX_PORT, Place, nearest
from microstax.model.environment import Address, HealthCheck, Protocol

RESERVED_VARIABLE: Final = "PORT"
RESERVED_PREFIX: Final = "MICROSTAX_"
_VARIABLE: Final = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9a-fA-F:.]+")
_HEALTH_FIELDS: Final = ("path", "interval", "timeout", "startPeriod")
_HTTP_PORT: Final = 80
_TCP: Final = "tcp://"


def named_services(place: Place, *, what: str) -> list[tuple[str, Place]]:
    """Return the services under `services`, written as a list with `name` or as a map of names; names are unique."""
    found: dict[str, Place] = {}
    for name, service in _list_or_map(place, what=what):
        if name in found:
            service.fail(f"there is a second service {name!r} (the first is in line {found[name].line}).")
        found[name] = service
    if not found:
        place.fail("there is no service in it: name at least one.")
    return list(found.items())


def _list_or_map(place: Place, *, what: str) -> list[tuple[str, Place]]:
    if place.is_map():
        entries = place.entries(what=what)
        for name, service in entries:
            _check_map_name(name, service)
        return entries
    if not place.is_list():
        place.fail(f"{what} must be a list of services or a map from names to services.")
    return [(_name_in(service), service) for service in place.items(what=what)]


def _check_map_name(name: str, service: Place) -> None:
    named = next((place for key, place in service.entries(what="a service") if key == "name"), None)
    if named is not None and named.text(what="name") != name:
        named.fail(f"this service stands under the key {name!r}: use the same name here, or leave it out.")
    service.check_name(name, what="service")


def _name_in(service: Place) -> str:
    named = next((place for key, place in service.entries(what="a service") if key == "name"), None)
    if named is None:
        service.fail("'name' is missing: every service of a list needs one.")
    return named.name(what="service")


def read_variables(place: Place) -> Mapping[str, str]:
    """Return environment variables; numbers and words such as `on` become the text that was written."""
    return MappingProxyType({name: value.value(what=f"the variable {name}") for name, value in variable_entries(place)})


def variable_entries(place: Place) -> list[tuple[str, Place]]:
    """Return the entries of an `env` map, each name checked."""
    entries = place.entries(what="env")
    for name, value in entries:
        if not _VARIABLE.fullmatch(name):
            value.fail(f"{name!r} is no name for an environment variable.")
        if name == RESERVED_VARIABLE:
            value.fail("PORT is where microstax tells the process its own port: it cannot be set here.")
        if name.startswith(RESERVED_PREFIX):
            value.fail(f"names that start with {RESERVED_PREFIX} are microstax's own: use another one.")
    return entries


def read_health(place: Place) -> HealthCheck:
    """Return a health check, written as a path or as a map {path, interval, timeout, startPeriod}."""
    if not place.is_map():
        return HealthCheck(path=_health_path(place))
    fields = place.fields(_HEALTH_FIELDS, what="health")
    default = HealthCheck()
    seconds = {name: fields[name].seconds(what=name) for name in _HEALTH_FIELDS[1:] if name in fields}
    return HealthCheck(
        path=_health_path(fields["path"]) if "path" in fields else None,
        interval_s=seconds.get("interval", default.interval_s),
        timeout_s=seconds.get("timeout", default.timeout_s),
        start_period_s=seconds.get("startPeriod", default.start_period_s),
    )


def _health_path(place: Place) -> str:
    path = place.text(what="the health path")
    if not is_health_path(path):
        place.fail(f"the health path must start with '/' and hold no blanks, such as /healthz, not {path!r}.")
    return path


def is_health_path(path: str) -> bool:
    """Tell whether a path can stand in a request line."""
    return path.startswith("/") and path.isascii() and path.isprintable() and " " not in path


def read_protocol(place: Place) -> Protocol:
    """Return what a service speaks."""
    word = place.text(what="protocol").lower()
    if word not in set(Protocol):
        hint = nearest(word, list(Protocol)) or ": it is http (the default, also for gRPC), or tcp for anything else."
        place.fail(f"unknown protocol {word!r}{hint}")
    return Protocol(word)


def url_protocol(url: str) -> Protocol:
    """Return what the server of a `url` that was read here speaks."""
    return Protocol.TCP if url.startswith(_TCP) else Protocol.HTTP


def read_url(place: Place) -> str:
    """Return the url of a server that runs already, normalised to `http://host:port` or `tcp://host:port`."""
    text = place.text(what="url")
    problem = _url_problem(text)
    if problem:
        place.fail(f"{problem}: write http://host:port, such as http://127.0.0.1:9000, or tcp://host:port.")
    address = split_url(text)
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{url_protocol(text.lower())}://{host}:{address.port}"


def split_url(url: str) -> Address:
    """Return host and port of a url; the port is 80 where none is written."""
    parts = urlsplit(url)
    return Address(parts.hostname or "", _HTTP_PORT if parts.port is None else parts.port)


def _url_problem(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return f"the url {text!r} cannot be read"
    if parts.scheme == "https":
        return "https is not possible here, since the traffic is read on its way"
    if parts.scheme not in set(Protocol):
        return f"the url {text!r} does not start with http:// or tcp://"
    if parts.scheme == Protocol.TCP and port is None:
        return f"the url {text!r} has no port, and TCP has none by itself"
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        return f"the url {text!r} has no usable host"
    if port is not None and not 1 <= port <= MAX_PORT:
        return f"the url's port must be from 1 to {MAX_PORT}"
    if parts.username is not None or parts.path not in {"", "/"} or parts.query or parts.fragment:
        return f"the url {text!r} has more in it than a host and a port"
    return None
