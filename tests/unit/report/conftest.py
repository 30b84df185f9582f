"""The document that the golden files show, and how to compare with them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import report_documents

from microstax.model.report import ReportDocument

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "report"


@pytest.fixture
def document() -> ReportDocument:
    """Return a document with every field and every verdict, new for each test."""
    return report_documents.full()


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare text with a golden file; MICROSTAX_UPDATE_GOLDEN=1 writes it anew."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("MICROSTAX_UPDATE_GOLDEN"):
            path.write_text(text)
        assert text == path.read_text()

    return compare
