"""The document that the golden files show, and how to compare with them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "report"


@pytest.fixture
def document() -> Any:
    return json.loads((GOLDEN / "document.json").read_text())


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare text with a golden file; MICROSTAX_UPDATE_GOLDEN=1 writes it anew."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("MICROSTAX_UPDATE_GOLDEN"):
            path.write_text(text)
        assert text == path.read_text()

    return compare
