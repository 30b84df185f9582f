"""Which headers a user may have taken out of every copy (`--strip-header`), and why not the others."""

import re
from collections.abc import Iterable
from typing import Final

from microstax.errors import UsageError

MOST_STRIPPED: Final = 64
"""Names of headers that a shadow may strip: each is looked for in every copy."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,256}", re.ASCII)
"""A field name in lower case (RFC 9110, 5.1 and 5.6.2)."""
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "host"})
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"})
_OURS: Final = "x-microstax-"


def stripped(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of headers in lower case, sorted, each once. Raises UsageError for one that cannot be stripped."""
    found = tuple(sorted({name.strip().lower() for name in names}))
    for name in found:
        _check(name)
    if len(found) > MOST_STRIPPED:
        raise UsageError(f"--strip-header names {len(found)} headers, and at most {MOST_STRIPPED} can be taken out.")
    return found


def _check(name: str) -> None:
    if name.startswith(":"):
        raise UsageError(f"--strip-header {name} is no header but a part of the request line: a copy has to keep it.")
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"--strip-header {name!r} is no name of a header: write it like authorization or x-api-key.")
    if name in _FRAMING:
        raise UsageError(f"--strip-header {name} would leave a request that no server can read: leave it out.")
    if name in _HOP_BY_HOP:
        raise UsageError(
            f"--strip-header {name} is about one connection (RFC 9110, 7.6.1), and no copy carries the client's: leave "
            "it out."
        )
    if name.startswith(_OURS):
        raise UsageError(f"--strip-header {name} is microstax's own, and no branch gets it: leave it out.")
