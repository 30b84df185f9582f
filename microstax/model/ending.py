"""When a shadow ends by itself, in words. Times are Unix milliseconds."""

from datetime import UTC, datetime


def moment(at_ms: int) -> str:
    """Return `2026-11-25 14:50:18 UTC`."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def will_end(expires_ms: int) -> str:
    """Say when a shadow that is on ends; 0: never."""
    if not expires_ms:
        return "It does not end by itself."
    return f"It ends by itself at {moment(expires_ms)}, unless it is enabled again before."


def has_ended(overlay: str, expires_ms: int) -> str:
    """Say when a shadow ended by itself, and how to go on."""
    return (
        f"The shadow of {overlay} ended by itself at {moment(expires_ms)} (--ttl): 'microstax env shadow {overlay} "
        "--enable' switches it on again, with a new report."
    )
