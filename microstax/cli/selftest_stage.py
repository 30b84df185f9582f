"""The stage of a self-test: the unchanged baseline as an overlay of its own, deleted whatever happens."""

import json
import secrets
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from microstax.cli.connection import Settings
from microstax.cli.progress import follow
from microstax.errors import EXIT_UNDECIDED, MicrostaxError, NotFoundError, RefusedError, UndecidedError

if TYPE_CHECKING:
    from microstax.api.client import Client
    from microstax.generated.management.microstax.management.v1 import EnvironmentInfo, ServiceInfo
    from microstax.model.record import StoredPair
    from microstax.model.report import ReportDocument

POLL_S: Final = 0.5
MAX_RPS: Final = 1_000_000
"""No budget: the user sends what is to be tested with."""
NO_LIMIT: Final = 100_000
CONCURRENT: Final = 1_000
"""What the bridge lets pass to each service: calls a second, and calls under way."""
_LISTED: Final = 3
_TCP: Final = "tcp"
_LATE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the options said. `pairs` are wanted, `wait_s` is how long they may take to come."""

    baseline: str
    services: tuple[str, ...]
    pairs: int
    wait_s: float
    control: str
    alpha: float
    tolerance: float
    keep: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What was mirrored: the pairs in the order in which they came, and the live report on all of them."""

    pairs: list["StoredPair"]
    document: "ReportDocument"


def captured(settings: Settings, client: "Client", wish: Wish) -> Captured:
    """Shadow the baseline with itself until there are enough pairs. Raises UndecidedError where none came."""
    services = _chosen(client, wish)
    for service in services:
        if not service.command:
            settings.warn(
                f"{service.name} is a server that runs already, at {service.address}, and microstax cannot start a "
                "second one: it is compared with itself, so a restart or a second copy of it is not tested, and it "
                "receives every mirrored request once more."
            )
    with _overlay(settings, client, wish, services) as overlay:
        _enable(settings, client, overlay, wish, services)
        document = _waited(settings, client, overlay, wish, services)
        wanted = min(wish.pairs, document["coverage"]["paired"])
        return Captured(pairs=_exported(client, overlay, wanted=wanted), document=document)


def patch_of(services: "Sequence[ServiceInfo]") -> str:
    """Return the patch.yaml that modifies nothing: every service by its name, a running server by its url too."""
    entries = [{"name": one.name} if one.command else {"name": one.name, "url": _url(one.address)} for one in services]
    # JSON is YAML, and its strings are always quoted. All traffic is mirrored, so the bridge must not limit calls.
    return json.dumps({"services": entries, "bridge": {"maxRps": NO_LIMIT, "maxConcurrent": CONCURRENT}})


def _url(address: str) -> str:
    return address if "://" in address else f"http://{address}"


def _chosen(client: "Client", wish: Wish) -> "list[ServiceInfo]":
    from microstax.api.methods import GET_ENVIRONMENT

    found: EnvironmentInfo = client.call(GET_ENVIRONMENT, GET_ENVIRONMENT.request(name=wish.baseline))
    if not found.promoted:
        raise RefusedError(
            f"{wish.baseline} is no baseline yet: promote it with 'microstax env promote {wish.baseline}'."
        )
    known = {service.name: service for service in found.services}
    unknown = [name for name in wish.services if name not in known]
    if unknown:
        raise NotFoundError(f"{wish.baseline} has no service {unknown[0]!r}: it has {', '.join(known)}.")
    databases = [name for name in wish.services if known[name].protocol == _TCP]
    if databases:
        raise RefusedError(f"{databases[0]} is a TCP service: nothing of it can be compared, so nothing can be tested.")
    chosen = [service for service in known.values() if service.protocol != _TCP]
    if not chosen:
        raise RefusedError(f"{wish.baseline} has TCP services only: nothing of them can be compared.")
    return [service for service in chosen if not wish.services or service.name in wish.services]


@contextmanager
def _overlay(settings: Settings, client: "Client", wish: Wish, services: "Sequence[ServiceInfo]") -> Iterator[str]:
    """Create the overlay; delete it at the end, also on Ctrl-C and SIGTERM, unless it is to be kept."""
    name = f"selftest-{secrets.token_hex(3)}"
    with _terminated_like_interrupted():
        try:
            _create(settings, client, name, wish, services)
            yield name
        finally:
            if wish.keep:
                settings.warn(f"{name} is kept: 'microstax overlay delete {name}' removes it.")
            else:
                _delete(settings, client, name)


def _create(settings: Settings, client: "Client", name: str, wish: Wish, services: "Sequence[ServiceInfo]") -> None:
    from microstax.api.methods import CREATE_OVERLAY
    from microstax.generated.management.microstax.management.v1 import SourceFile

    source = SourceFile(name="the self-test's patch", text=patch_of(services), directory=str(Path.cwd()))
    request = CREATE_OVERLAY.request(name=name, baseline=wish.baseline, file=source)
    for progress in client.stream(CREATE_OVERLAY, request):
        if not progress.warning:  # they say that nothing is changed, which is the point here
            settings.say(progress.message)


def _delete(settings: Settings, client: "Client", name: str) -> None:
    """Delete the overlay. A creation that was interrupted is undone by the control plane, which may be first."""
    from microstax.api.methods import DELETE_OVERLAY

    try:
        follow(settings, client.stream(DELETE_OVERLAY, DELETE_OVERLAY.request(name=name)))
    except MicrostaxError:
        if _is_there(client, name):
            raise


def _is_there(client: "Client", name: str) -> bool:
    from microstax.api.methods import LIST_OVERLAYS

    return any(one.name == name for one in client.call(LIST_OVERLAYS, LIST_OVERLAYS.request()).overlays)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: what it started is taken down first."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _enable(settings: Settings, client: "Client", overlay: str, wish: Wish, services: "Sequence[ServiceInfo]") -> None:
    from microstax.api.methods import SET_SHADOW

    # A server that runs already has no copy; that it answers a share of the requests once more measures its noise.
    only_servers = not any(service.command for service in services)
    request = SET_SHADOW.request(
        overlay=overlay,
        enable=True,
        max_rps=MAX_RPS,
        control=wish.control or ("self" if only_servers else ""),
        keep_pairs=wish.pairs,
    )
    for progress in client.stream(SET_SHADOW, request):
        (settings.warn if progress.warning else settings.say)(progress.message)


def _waited(
    settings: Settings, client: "Client", overlay: str, wish: Wish, services: "Sequence[ServiceInfo]"
) -> "ReportDocument":
    """Return the report when there are enough pairs, or those that came in time."""
    addresses = ", ".join(f"{one.name} at {one.url}" for one in services[:_LISTED])
    settings.say(f"Mirroring {wish.baseline} into {overlay}. Send traffic: {addresses}.")
    ends, shown = time.monotonic() + wish.wait_s, -1
    while True:
        document = _report(client, overlay, wish)
        paired = document["coverage"]["paired"] if document else 0
        if document and paired >= wish.pairs:
            return document
        if time.monotonic() >= ends:
            break
        if paired != shown:
            settings.say(f"{paired:,} of {wish.pairs:,} pairs")
            shown = paired
        time.sleep(POLL_S)
    if not document or not paired:
        raise UndecidedError(
            f"No request of {wish.baseline} was mirrored within {wish.wait_s:.0f} s: send traffic to {addresses}, or "
            "wait longer with --wait."
        )
    return document


def _report(client: "Client", overlay: str, wish: Wish) -> "ReportDocument | None":
    from microstax.api.methods import GET_REPORT

    request = GET_REPORT.request(overlay=overlay, alpha=wish.alpha, tolerance=wish.tolerance)
    try:
        document: ReportDocument = json.loads(client.call(GET_REPORT, request).document)
    except MicrostaxError as error:
        if error.exit_code != EXIT_UNDECIDED:
            raise
        return None
    return document


def _exported(client: "Client", overlay: str, *, wanted: int) -> "list[StoredPair]":
    """Return the pairs that were kept; `wanted` were counted, and the last of them may still be on their way."""
    ends = time.monotonic() + _LATE_S
    while True:
        pairs = _export(client, overlay)
        if len(pairs) >= wanted or time.monotonic() >= ends:
            return sorted(pairs, key=lambda pair: (pair.captured_ms, pair.triple.id))
        time.sleep(POLL_S)


def _export(client: "Client", overlay: str) -> "list[StoredPair]":
    from microstax.api.methods import EXPORT_PAIRS
    from microstax.model.record import decode_pair

    records = client.stream(EXPORT_PAIRS, EXPORT_PAIRS.request(overlay=overlay))
    return [decode_pair(record.record, file=f"the pairs of {overlay}") for record in records]
