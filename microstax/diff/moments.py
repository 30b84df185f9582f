"""Which slow answers are one event: a process that stalls for a moment makes all requests late that wait for it.

Under equal behaviour a slow answer is the branch's or the reference's with the same chance, but not independently of
those that were slow beside it: half a second of a busy machine is hundreds of them, all on one side. So of the slow
answers of an endpoint that came in one second, on either side, the first one counts as evidence. They came together, as
what waited for a stalled process is answered when it goes on. A worker keeps this for itself, beside its reports.
"""

from typing import Final

MOMENT_US: Final = 1_000_000
ENDPOINTS: Final = 1_024


class Moments:
    """The last moment (Unix seconds) in which an endpoint had a slow answer; when it is full it begins anew."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def is_first(self, endpoint: str, ended_us: int | None) -> bool:
        """Note a slow answer that came at `ended_us`; tell whether it is the first of its moment, or nobody knows."""
        if ended_us is None:
            return True
        moment = ended_us // MOMENT_US
        if moment <= self._last.get(endpoint, moment - 1):
            return False
        if len(self._last) >= ENDPOINTS and endpoint not in self._last:
            self._last.clear()
        self._last[endpoint] = moment
        return True

    def copy(self) -> "Moments":
        """Return one that goes on from here."""
        made = Moments()
        made._last = self._last.copy()
        return made
