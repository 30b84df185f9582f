"""A diff report as text: table, JSON, JUnit, Markdown, HTML, and one pair side by side.

PURE: a renderer reads the report document and formats; it computes no figure, reads no clock and opens no file but the
style and script of the page, which lie in this package. Figures are written by `figures` alone, so that one figure is
the same text everywhere. `microstax.report.render` is the entry; importing this package alone imports none of the
formats.
"""
