"""A diff report as text: table, JSON, JUnit, Markdown, HTML, and one pair side by side.

PURE: a renderer reads the report document and formats; it computes no figure, reads no clock and does no I/O.
`microstax.report.render` is the entry; importing this package alone imports none of the formats.
"""
