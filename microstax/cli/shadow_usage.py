"""What of `microstax env shadow` goes together: one sentence for everything that does not."""

from collections.abc import Mapping

from microstax.errors import UsageError


def check_switch(name: str | None, *, enable: bool, disable: bool, disable_all: bool) -> None:
    """Raise UsageError unless exactly one of the three is asked for, with an overlay unless it is about all."""
    if disable_all:
        if name is not None or enable or disable:
            beside = "--enable" if enable else "--disable" if disable else f"the name {name!r}"
            raise UsageError(f"--disable-all is about every shadow there is: leave {beside} out.")
        return
    if name is None:
        raise UsageError("Missing argument 'NAME': say of which overlay, or --disable-all for every one there is.")
    if enable and disable:
        raise UsageError("--enable and --disable exclude each other: give one of them.")
    if not enable and not disable:
        raise UsageError("Say --enable to start mirroring or --disable to stop it.")


def check_idle(given: Mapping[str, object], *, disable: bool, disable_all: bool) -> None:
    """Raise UsageError for settings beside --disable or --disable-all: the user may believe that they take effect."""
    idle = [flag for flag, value in given.items() if value is not None and value is not False and value != ()]
    if idle and (disable or disable_all):
        switch = "--disable-all" if disable_all else "--disable"
        raise UsageError(f"{idle[0]} says how to mirror and has no meaning with {switch}: leave it out.")


def check_pairs(*, recheck: bool, recheck_rps: int | None, strip: tuple[str, ...], strip_nothing: bool) -> None:
    """Raise UsageError for two flags that say the opposite."""
    if recheck and recheck_rps == 0:
        raise UsageError("--recheck and --recheck-rps 0 contradict each other: leave one of them out.")
    if strip and strip_nothing:
        raise UsageError("--strip-header and --no-strip-headers contradict each other: leave one of them out.")
