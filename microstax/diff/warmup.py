"""Which pairs are measured while things are cold: the first ones of every endpoint after a shadow began.

A new process loads, compiles and connects on its first requests, and Envoy opens its connections to it; a baseline that
has been running for days does not. A worker counts them for itself, beside what it reports.
"""

from typing import Final

ENDPOINTS: Final = 1_024
"""Endpoints that are counted. Those that come when so many are there count as warm: at most their first pairs do."""


class WarmUp:
    """How many pairs of each endpoint were seen since the shadow began."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def is_cold(self, endpoint: str, cold_pairs: int) -> bool:
        """Count a pair of an endpoint; tell whether it is one of the first `cold_pairs`."""
        seen = self._seen.get(endpoint, 0)
        if seen >= cold_pairs or (not seen and len(self._seen) >= ENDPOINTS):
            return False
        self._seen[endpoint] = seen + 1
        return True

    def copy(self) -> "WarmUp":
        """Return one that goes on from here."""
        made = WarmUp()
        made._seen = self._seen.copy()
        return made

    def clear(self) -> None:
        """Begin anew: everything is cold."""
        self._seen.clear()
