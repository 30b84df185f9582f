"""What a test left running: processes that name its folder in their arguments or their environment."""

import os
import time
from pathlib import Path


def processes_with(text: str) -> list[str]:
    """Return pid and command line of the other processes of this machine that name `text`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            if int(folder.name) != os.getpid() and text.encode() in words + (folder / "environ").read_bytes():
                found.append(f"{folder.name} {words.replace(bytes(1), b' ').decode(errors='replace')}")
        except OSError:  # it ended meanwhile, or is not ours to see
            continue
    return found


def still_there(text: str, *, within_s: float = 20.0) -> list[str]:
    """Wait until no process names `text`; return those that still do."""
    deadline = time.monotonic() + within_s
    while (left := processes_with(text)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
