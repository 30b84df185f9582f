"""An event loop whose clock jumps: when there is nothing to do but wait, the wait is over. Threads are calls."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing; what it was asked to wait is added to `ahead_s`."""

    ahead_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everything waits for something that never comes")
        self.ahead_s += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. For one input after the other, always with the same outcome."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the time of a clock that goes as far as somebody waited."""
        return self._jumping.ahead_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Call `func` at once; its outcome is there already."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # handed on as a thread would
            future.set_exception(error)
        return future
