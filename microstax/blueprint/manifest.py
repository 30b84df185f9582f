"""A service as a manifest, in the shape of a Kubernetes Deployment: what RFC 6902 patches are applied to.

The local runtime's manifest has the same places as a Deployment for what both can do (command, env, workingDir,
readinessProbe, replicas), so that one patch.yaml works in both. A service that is a `url` has `spec.url` instead.
"""

from types import MappingProxyType
from typing import Any, Final, TypeAlias

from microstax.blueprint.service import RESERVED_PREFIX, RESERVED_VARIABLE, is_health_path
from microstax.model.environment import EMPTY, HealthCheck, ServiceSpec

Manifest: TypeAlias = dict[str, Any]

_MAX_SECONDS: Final = 3600


class ManifestError(ValueError):
    """The manifest says something that the local runtime cannot run; the message is a clause for the user."""


def to_manifest(service: ServiceSpec) -> Manifest:
    """Return the manifest of a service."""
    if service.url is not None:
        spec: Manifest = {"url": service.url}
    else:
        spec = {"replicas": 1, "template": {"spec": {"containers": [_container(service)]}}}
    return {
        "apiVersion": "microstax.io/v1alpha1",
        "kind": "LocalService",
        "metadata": {"name": service.name},
        "spec": spec,
    }


def _container(service: ServiceSpec) -> Manifest:
    workdir = {} if service.workdir is None else {"workingDir": service.workdir}
    return {
        "name": service.name,
        "command": list(service.command),
        "env": [{"name": name, "value": value} for name, value in service.env.items()],
        **workdir,
        "readinessProbe": _probe(service.health),
    }


def _probe(health: HealthCheck) -> Manifest:
    how: Manifest = {"tcpSocket": {}} if health.path is None else {"httpGet": {"path": health.path}}
    return {
        **how,
        "periodSeconds": health.interval_s,
        "timeoutSeconds": health.timeout_s,
        "startPeriodSeconds": health.start_period_s,
    }


def from_manifest(manifest: Manifest, *, base: ServiceSpec) -> ServiceSpec:
    """Return the service that a manifest describes; name and dependencies are `base`'s. Raises ManifestError."""
    spec = _map(manifest.get("spec"), "spec")
    if _map(manifest.get("metadata"), "metadata").get("name") != base.name:
        raise ManifestError(f"metadata.name must stay {base.name!r}")
    if "template" not in spec:
        url = _text(spec.get("url"), "spec.url")
        return ServiceSpec(name=base.name, url=url, depends_on=base.depends_on, protocol=base.protocol)
    container = _first_container(spec)
    probe = container.get("readinessProbe")
    health = HealthCheck() if probe is None else _health(_map(probe, "readinessProbe"))
    if base.is_tcp and health.path is not None:
        raise ManifestError("readinessProbe.httpGet is not possible for a TCP service, only tcpSocket is")
    return ServiceSpec(
        name=base.name,
        command=_words(container, "command") + _words(container, "args"),
        env=_env(container.get("env") or []),
        health=health,
        depends_on=base.depends_on,
        protocol=base.protocol,
        workdir=None if container.get("workingDir") is None else _text(container["workingDir"], "workingDir"),
    )


def replicas(manifest: Manifest) -> int:
    """Return how many replicas a manifest asks for (1 where it does not say). Raises ManifestError."""
    wanted = _map(manifest.get("spec"), "spec").get("replicas", 1)
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
        raise ManifestError("spec.replicas must be a whole number from 1")
    return wanted


def _first_container(spec: Manifest) -> Manifest:
    template = _map(spec["template"], "spec.template")
    containers = _map(template.get("spec"), "spec.template.spec").get("containers")
    if not isinstance(containers, list) or not containers:
        raise ManifestError("spec.template.spec.containers must be a list of at least one container")
    return _map(containers[0], "containers[0]")


def _words(container: Manifest, name: str) -> tuple[str, ...]:
    words = container.get(name)
    if words is None and name == "args":
        return ()
    if not isinstance(words, list) or (name == "command" and not (words and words[0])):
        raise ManifestError(f"{name} must be a list of words")
    return tuple(_text(word, f"a word of {name}") for word in words)


def _env(entries: Any) -> MappingProxyType[str, str] | Any:
    if not isinstance(entries, list):
        raise ManifestError("env must be a list of {name, value}")
    found = dict(_variable(_map(entry, "an entry of env")) for entry in entries)
    return MappingProxyType(found) if found else EMPTY


def _variable(entry: Manifest) -> tuple[str, str]:
    name = _text(entry.get("name"), "the name of a variable")
    if "valueFrom" in entry:
        raise ManifestError(f"the variable {name} uses valueFrom, which only Kubernetes has")
    if not name or "=" in name or name == RESERVED_VARIABLE or name.startswith(RESERVED_PREFIX):
        raise ManifestError(f"a variable cannot be called {name!r}")
    return name, _text(entry.get("value", ""), f"the value of {name}")


def _health(probe: Manifest) -> HealthCheck:
    default = HealthCheck()
    path = _map(probe["httpGet"], "readinessProbe.httpGet").get("path", "/") if "httpGet" in probe else None
    if path is not None and not (isinstance(path, str) and is_health_path(path)):
        raise ManifestError("readinessProbe.httpGet.path must be a path that starts with '/'")
    return HealthCheck(
        path=path,
        interval_s=_seconds(probe, "periodSeconds", default.interval_s),
        timeout_s=_seconds(probe, "timeoutSeconds", default.timeout_s),
        start_period_s=_seconds(probe, "startPeriodSeconds", default.start_period_s),
    )


def _seconds(probe: Manifest, name: str, default: float) -> float:
    value = probe.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MAX_SECONDS:
        raise ManifestError(
            f"readinessProbe.{name} must be a number of seconds, more than 0 and at most {_MAX_SECONDS}"
        )
    return float(value)


def _map(value: Any, what: str) -> Manifest:
    if not isinstance(value, dict):
        raise ManifestError(f"{what} must be a map")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ManifestError(f"{what} must be text (write it in quotes)")
    if "\0" in value:
        raise ManifestError(f"{what} cannot hold a NUL character")
    return value
