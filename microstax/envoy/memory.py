"""How much memory an Envoy holds, as it says itself."""

from typing import Final

import orjson

MEMORY_PATH: Final = "/memory"
"""The admin path to GET; `read_memory` takes what it answers."""
_PHYSICAL: Final = "total_physical_bytes"


def read_memory(answer: bytes) -> int:
    """Return the bytes of memory behind an Envoy's heap, 0 where the answer does not say."""
    try:
        found = orjson.loads(answer)
    except ValueError:
        return 0
    physical = found.get(_PHYSICAL) if isinstance(found, dict) else None
    return int(physical) if isinstance(physical, str | int) and str(physical).isdecimal() else 0
