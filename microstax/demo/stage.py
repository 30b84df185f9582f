"""Around the demo: its folders, what happens to them at the end, and what a user can do with what keeps running."""

import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO, TypeAlias

from microstax.demo.users import load_command
from microstax.demo.workspace import Workspace
from microstax.errors import FaultError

OVERLAY: Final = "shadow-test"

Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None


@contextmanager
def folders(state: Path | None, *, keep: bool, err: TextIO) -> Iterator[tuple[Path, Path]]:
    """Give the demo a folder for its files and one for its state; what went wrong can be looked at afterwards."""
    home = Path(tempfile.mkdtemp(prefix="microstax-demo-")) if state is None else state / "demo"
    folder = home / "state" if state is None else state
    home.mkdir(parents=True, exist_ok=True)
    try:
        yield home, folder
    except FaultError:
        print(f"The logs of this demo are below {folder}.", file=err)
        raise
    except BaseException:
        _remove(home)
        raise
    if not keep:
        _remove(home)


def _remove(home: Path) -> None:
    with undisturbed():
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def terminable() -> Iterator[None]:
    """End on the first Ctrl-C or SIGTERM; the next ones would only keep it from cleaning up, and are ignored."""
    ending = False

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal ending
        if not ending:
            ending = True
            raise KeyboardInterrupt

    with _handling({signal.SIGTERM: end, signal.SIGINT: end}):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let cleaning up come to its end also under Ctrl-C: half of it would leave processes behind."""
    with _handling({signal.SIGTERM: signal.SIG_IGN, signal.SIGINT: signal.SIG_IGN}):
        yield


@contextmanager
def _handling(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def how_to_look_around(workspace: Workspace, state: Path, rate: float) -> Iterator[str]:
    """Yield the lines that say how to use what was left running, and how to stop it."""
    urls = {name: workspace.url(name) for name in workspace.ports}
    yield ""
    yield "Everything keeps running. In a shell:"
    yield f"  cd {workspace.folder}"
    yield f"  export MICROSTAX_STATE={state}"
    yield "  microstax status"
    yield f"  {' '.join(load_command(urls, rate=rate))} &"
    yield f"  microstax env diffs {OVERLAY} --watch"
    yield f"  curl -s {urls['catalog']}/products/7                            # the baseline's answer"
    yield f"  curl -s -H 'x-msx-env: {OVERLAY}' {urls['catalog']}/products/7  # the branch's"
    yield "To stop it:"
    yield f"  microstax down && rm -r {workspace.folder}"
