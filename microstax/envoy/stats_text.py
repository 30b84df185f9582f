"""The text of an Envoy's /stats answer as counters by name. What a broken or lying admin interface says is refused."""

from typing import Any, Final

import orjson

_MOST: Final = 1 << 63


def parse_stats(answer: bytes) -> dict[str, int]:
    """Return the counters and gauges of the JSON `answer` by name; histograms and what is no count are left out.

    Raises ValueError for what is no such answer.
    """
    document: Any = orjson.loads(answer)
    entries = document.get("stats") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("expected an object with a list of statistics")  # noqa: TRY004  # one error for all of it
    return {entry["name"]: entry["value"] for entry in entries if isinstance(entry, dict) and _is_count(entry)}


def _is_count(entry: dict[str, Any]) -> bool:
    value = entry.get("value")
    return isinstance(entry.get("name"), str) and type(value) is int and 0 <= value < _MOST
