"""How fast new streams are let in. Pure: the caller says what time it is, and waits."""


class Admission:
    """A token bucket: `burst` streams at once, then `rate` a second.

    A fresh replica that meets a whole fleet serves it in turn, instead of preparing all first answers at once.
    """

    def __init__(self, rate: float, burst: int, *, now: float) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("an admission rate must be above 0, and a burst at least 1")
        self._interval = 1 / rate
        self._slack = (burst - 1) * self._interval
        self._next = now - self._slack

    def reserve(self, now: float) -> float:
        """Take a place in the line; return how many seconds to wait before using it."""
        start = max(self._next, now - self._slack)
        self._next = start + self._interval
        return max(0.0, start - now)

    def wait(self, now: float) -> float:
        """Return how many seconds a stream that came now would wait, without taking a place."""
        return max(0.0, self._next - now)
