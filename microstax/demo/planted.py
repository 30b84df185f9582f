"""What is planted in the shop's second catalog, as data: the report has to find all of it and nothing else. PURE."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """In which way the branch differs."""

    STATUS = "status"
    MISSING = "missing"
    EXTRA = "extra"
    TYPE = "type"
    NESTING = "nesting"
    LENGTH = "length"
    ORDER = "order"
    VALUE = "value"
    HEADER = "header"
    SLOWER = "slower"
    FASTER = "faster"
    SPIKE = "spike"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One drift at one place: a path of the report's grammar, a header's name, two status codes, or nothing (time)."""

    service: str
    endpoint: str
    kind: Kind
    place: str = ""

    def __str__(self) -> str:
        return f"{self.service}: {self.endpoint}: {self.kind}{f' {self.place}' if self.place else ''}"


CATALOG: Final = "catalog"

PLANTED: Final = (
    Finding(CATALOG, "GET /products", Kind.ORDER, "$.products"),
    Finding(CATALOG, "GET /products/{id}", Kind.MISSING, "$.price"),
    Finding(CATALOG, "GET /products/{id}", Kind.EXTRA, "$.amount"),
    Finding(CATALOG, "GET /products/{id}/shipping", Kind.NESTING, "$.weightGrams"),
    Finding(CATALOG, "GET /products/{id}/price", Kind.TYPE, "$.amount"),
    Finding(CATALOG, "GET /products/{id}/discount", Kind.VALUE, "$.percent"),
    Finding(CATALOG, "GET /products/{id}/availability", Kind.SLOWER),
    Finding(CATALOG, "GET /products/{id}/recommendations", Kind.SPIKE),
    Finding(CATALOG, "GET /categories", Kind.HEADER, "cache-control"),
    Finding(CATALOG, "GET /categories/{id}", Kind.LENGTH, "$.items"),
    Finding(CATALOG, "GET /search", Kind.STATUS, "200 -> 500"),
)
"""One line for each thing that `shop/catalog_v2.py` does differently."""

WITHOUT_DRIFT: Final = ((CATALOG, "GET /feed"),)
"""Endpoints with nothing but noise: a timestamp, an id, a counter, an array in random order."""

UNSAFE_ROUTES: Final = (("inventory", "POST /stock/{id}/holds"),)
"""What the branch tries to call on the baseline, and the bridge has to stop: the service must never have seen it."""
