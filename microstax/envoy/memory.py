"""How much memory an Envoy holds, as it says itself."""

import json
from typing import Final

MEMORY_PATH: Final = "/memory"
"""The admin path to GET; `read_memory` takes what it answers."""
_PHYSICAL: Final = "total_physical_bytes"


def read_memory(answer: bytes) -> int:
    """Return the bytes of memory behind an Envoy's heap, 0 where the answer does not say."""
    try:
        found = json.loads(answer)
        return int(found.get(_PHYSICAL, 0)) if isinstance(found, dict) else 0
    except ValueError:
        return 0
