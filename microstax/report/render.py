"""One entry for all formats."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from microstax.model.report import ReportDocument
from microstax.report.html_page import render_html
from microstax.report.json_text import render_json
from microstax.report.junit import render_junit
from microstax.report.markdown import render_markdown
from microstax.report.pair import ComparedPair
from microstax.report.table import render_table

RENDERERS: Final[Mapping[str, Callable[[ReportDocument], str]]] = MappingProxyType(
    {
        "table": render_table,
        "json": render_json,
        "html": render_html,
        "junit": render_junit,
        "markdown": render_markdown,
    }
)
FORMATS: Final = tuple(RENDERERS)


def render(
    document: ReportDocument,
    format_name: str,
    *,
    width: int = 80,
    colour: bool = False,
    pairs: Mapping[str, ComparedPair] | None = None,
) -> str:
    """Return the report in one of FORMATS, ending with a line break.

    `width` and `colour` matter to the table, `pairs` to HTML: the examples by id, those that
    microstax.report.examples.pairs_shown names.
    """
    if format_name == "table":
        return render_table(document, width=width, colour=colour)
    if format_name == "html":
        return render_html(document, pairs=pairs)
    return RENDERERS[format_name](document)
