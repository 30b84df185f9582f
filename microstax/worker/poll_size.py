"""How much one poll of a tap may bring. Pure."""

from typing import Final

_ENVOY_BYTES: Final = 64 * 1024 * 1024
"""What one poll may make an Envoy hold."""
_ANSWER_BYTES: Final = 512 * 1024
"""What an answer should have: above 1 MiB, Envoy does not look at the next poll before we have read most of it."""
_FEWEST_TRACES: Final = 50
_HEADER_BYTES: Final = 4 * 1024


def traces_per_poll(*, max_body: int, mean_bytes: float | None) -> int:
    """Return how many traces one poll may wait for.

    `mean_bytes` is the mean size of the traces so far, None before the first; `max_body` what the tap keeps of a body.
    Were all traces suddenly as large as they can be, an Envoy would still hold no more than 64 MiB.
    """
    largest = max_body + _HEADER_BYTES
    wanted = _ANSWER_BYTES / max(mean_bytes or _HEADER_BYTES, 1.0)
    return int(max(1, min(max(wanted, _FEWEST_TRACES), _ENVOY_BYTES / largest)))
