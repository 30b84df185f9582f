"""What the settings of a shadow make of its services' shares. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from microstax.control import budget
from microstax.control.budget import Limits
from microstax.model.shadow import MILLION, ShadowSettings

_PER_PERCENT: Final = MILLION / 100


def limits_of(settings: ShadowSettings, demands: Iterable[float]) -> Limits:
    """Return the limits of every service of a shadow, where these are all its services' requests a second."""
    wanted = (min(settings.max_rps, one * settings.sample_ppm / MILLION) for one in demands)
    level = budget.water_level(wanted, settings.max_total_rps)
    return Limits(
        sample_ppm=settings.sample_ppm,
        rps=min(settings.max_rps, level),
        flag="--max-rps" if settings.max_rps <= level else "--max-total-rps",
    )


def first_shares(settings: ShadowSettings, demand: Mapping[str, float], *, seconds: float) -> dict[str, int]:
    """Return the shares in parts per million with which services begin whose demand was seen for so many seconds.

    Those that begin with what was asked for are left out.
    """
    limits = limits_of(settings, demand.values())
    found = {service: budget.first_ppm(rps, limits, seconds=seconds) for service, rps in demand.items()}
    return {service: ppm for service, ppm in found.items() if ppm < settings.sample_ppm}


def percent(ppm: int) -> str:
    """Return a share in words: "12.5%"."""
    return f"{ppm / _PER_PERCENT:.3g}%"
