"""When a stream has to end, and with which status. Pure.

Ends by design carry OK or UNAVAILABLE only: other codes have leaked into the calls that a gRPC client makes (gRPC A54).
"""

from typing import Final

from microstax.xds.messages import CloseStream
from microstax.xds.rules import Rules


class Lifetime:
    """The clocks of one stream. `identified`: the client has said who it is; `answered`: it has had a response."""

    def __init__(self, rules: Rules, *, opened_at: float) -> None:
        self.identified = False
        self.answered = False
        self.writing_since: float | None = None
        self._rules: Final = rules
        self._opened_at: Final = opened_at
        self._drain_by: float | None = None

    def drain(self, by: float) -> None:
        """End as soon as the client has had a response, and at the latest then."""
        self._drain_by = by

    def end(self, now: float) -> CloseStream | None:
        """Return the end that is due, if one is."""
        rules = self._rules
        if not self.identified and now >= self._opened_at + rules.first_request_s:
            return CloseStream("UNAVAILABLE", f"no request within {rules.first_request_s:g} s")
        if self.writing_since is not None and now >= self.writing_since + rules.write_s:
            return CloseStream("UNAVAILABLE", f"the client took no data for {rules.write_s:g} s")
        too_old = rules.max_age_s is not None and now >= self._opened_at + rules.max_age_s
        # A stream without any response counts as an outage for gRPC, which then backs off (gRPC A57).
        if (too_old or self._drain_by is not None) and self.answered and self.writing_since is None:
            return CloseStream("OK", "")
        if self._drain_by is not None and now >= self._drain_by:
            return CloseStream("UNAVAILABLE", "the server is shutting down")
        return None

    def deadlines(self) -> list[float]:
        """Return the times at which an end may be due."""
        times = [] if self._drain_by is None else [self._drain_by]
        if not self.identified:
            times.append(self._opened_at + self._rules.first_request_s)
        if self.writing_since is not None:
            times.append(self.writing_since + self._rules.write_s)
        elif self._rules.max_age_s is not None and self.answered:
            times.append(self._opened_at + self._rules.max_age_s)
        return times
