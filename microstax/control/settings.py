"""What a shadow's settings become from what a user asked for. Pure; everything that does not fit is refused here."""

from dataclasses import dataclass, replace
from typing import Final

from microstax.blueprint.place import nearest
from microstax.control import queries
from microstax.errors import RefusedError, UsageError
from microstax.model.header_names import stripped
from microstax.model.overlay import SAFE_METHODS
from microstax.model.shadow import (
    DEFAULT_MAX_BODY,
    DEFAULT_MAX_RPS,
    DEFAULT_MAX_TOTAL_RPS,
    MILLION,
    MOST_KEPT_PAIRS,
    MOST_RECHECK_RPS,
    MOST_TTL_MS,
    ControlMode,
    ShadowSettings,
)
from microstax.store.state import OverlayRecord, State

LEAST_TTL_MS: Final = 1_000
_DAY_MS: Final = 86_400_000
_CAPTURED: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `env shadow --enable` said; None and empty mean: as it is, or the default where the shadow is off.

    `strip_nothing` takes no header out of copies any more; a `ttl_ms` of 0 means that it does not end by itself.
    """

    sample_ppm: int | None = None
    max_rps: int | None = None
    methods: tuple[str, ...] = ()
    unsafe_methods: bool = False
    control: str = ""
    services: tuple[str, ...] = ()
    max_body_bytes: int | None = None
    recheck_rps: int | None = None
    keep_pairs: int | None = None
    strip_headers: tuple[str, ...] = ()
    strip_nothing: bool = False
    ttl_ms: int | None = None
    max_total_rps: int | None = None


def decide(state: State, record: OverlayRecord, wish: Wish) -> ShadowSettings:
    """Return the settings to enable. Raises UsageError or RefusedError with what to say instead."""
    shadow = queries.enabled(state, record.spec.name)
    current = shadow.settings if shadow else ShadowSettings(control=ControlMode.COPY)
    chosen = replace(
        current,
        enabled=True,
        sample_ppm=_range("--sample", wish.sample_ppm, current.sample_ppm, most=MILLION),
        max_rps=_range("--max-rps", wish.max_rps, current.max_rps or DEFAULT_MAX_RPS, most=MILLION),
        max_total_rps=_range(
            "--max-total-rps", wish.max_total_rps, current.max_total_rps or DEFAULT_MAX_TOTAL_RPS, most=MILLION
        ),
        max_body_bytes=_range("--max-body", wish.max_body_bytes, current.max_body_bytes or DEFAULT_MAX_BODY, least=0),
        recheck_rps=_range("--recheck-rps", wish.recheck_rps, current.recheck_rps, least=0, most=MOST_RECHECK_RPS),
        keep_pairs=_range("--keep-pairs", wish.keep_pairs, current.keep_pairs, least=0, most=MOST_KEPT_PAIRS),
        methods=_methods(wish, current),
        strip_headers=_strip_headers(wish, current),
        ttl_ms=_ttl_ms(wish, current),
        services=_services(record, wish) or current.services,
        control=_control(wish) or current.control,
    )
    if wish.control == ControlMode.COPY:
        _check_copies(state, record, chosen)
    return chosen


def _range(flag: str, asked: int | None, otherwise: int, *, least: int = 1, most: int | None = None) -> int:
    if asked is None:
        return otherwise
    if asked < least or (most is not None and asked > most):
        upper = f" and at most {most}" if most is not None else ""
        raise UsageError(f"{flag} is {asked}, and must be at least {least}{upper}.")
    return asked


def _methods(wish: Wish, current: ShadowSettings) -> tuple[str, ...]:
    methods = tuple(dict.fromkeys(method.upper() for method in wish.methods)) or current.methods
    unknown = [method for method in methods if method not in _CAPTURED]
    if unknown:
        raise UsageError(f"--methods {', '.join(unknown)} cannot be mirrored: use {', '.join(_CAPTURED)}.")
    unsafe = [method for method in methods if method not in SAFE_METHODS]
    if wish.methods and unsafe and not wish.unsafe_methods:
        raise RefusedError(
            f"{', '.join(unsafe)} may change the world, and the branch would do it a second time: add "
            "--unsafe-methods if that is what you want."
        )
    return methods


def _strip_headers(wish: Wish, current: ShadowSettings) -> tuple[str, ...]:
    if wish.strip_nothing and wish.strip_headers:
        raise UsageError("--strip-header and --no-strip-headers contradict each other: leave one of them out.")
    return () if wish.strip_nothing else stripped(wish.strip_headers) or current.strip_headers


def _ttl_ms(wish: Wish, current: ShadowSettings) -> int:
    if wish.ttl_ms is None:
        return current.ttl_ms
    if wish.ttl_ms and not LEAST_TTL_MS <= wish.ttl_ms <= MOST_TTL_MS:
        raise UsageError(
            f"--ttl is {wish.ttl_ms / 1000:,.10g} s, and must be at least {LEAST_TTL_MS // 1000} s and at most "
            f"{MOST_TTL_MS // _DAY_MS} days; 'never' lets a shadow not end by itself."
        )
    return wish.ttl_ms


def _services(record: OverlayRecord, wish: Wish) -> tuple[str, ...]:
    names = [spec.name for spec in record.spec.services if not spec.is_tcp]
    databases = [spec.name for spec in record.spec.services if spec.is_tcp]
    for name in wish.services:
        if name in databases:
            raise RefusedError(
                f"{name} is a TCP service: of its connections no request can be read, so none can be mirrored or "
                "compared. Only HTTP services can be shadowed."
            )
        if name not in names:
            hint = nearest(name, names) or "."
            raise UsageError(
                f"{record.spec.name} does not run {name!r} but {', '.join(names)}, so there is nothing to mirror "
                f"into{hint}"
            )
    if not names:
        raise RefusedError(
            f"{record.spec.name} runs TCP services only ({', '.join(databases)}), of which nothing can be mirrored: "
            "let its patch.yaml change an HTTP service as well."
        )
    return tuple(name for name in names if name in wish.services)


def _control(wish: Wish) -> ControlMode | None:
    if not wish.control:
        return None
    try:
        return ControlMode(wish.control)
    except ValueError:
        known = ", ".join(mode.value for mode in ControlMode)
        raise UsageError(f"--control {wish.control!r} is none of {known}.") from None


def _check_copies(state: State, record: OverlayRecord, chosen: ShadowSettings) -> None:
    for spec in record.spec.services:
        if spec.is_tcp or (chosen.services and spec.name not in chosen.services):
            continue
        base = queries.base_service(state, record, spec.name)
        if not base.command:
            raise RefusedError(
                f"{spec.name} of {record.spec.baseline} is a server at {base.url} that microstax did not start, so it "
                "cannot start a copy: use --control self or --control none."
            )
