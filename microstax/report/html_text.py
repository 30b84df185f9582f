"""Text as HTML: whatever was captured is escaped here, and nowhere else."""

from html import escape

from microstax.report.text import visible


def text(value: str) -> str:
    """Return the value as HTML text or attribute."""
    return escape(visible(value), quote=True)


def code(value: str, css: str = "") -> str:
    """Return the value in the typeface of code; empty stays empty."""
    opening = f'<code class="{css}">' if css else "<code>"
    return f"{opening}{text(value)}</code>" if value else ""


def css_class(label: str) -> str:
    """Return the class of a verdict or another word: `not comparable` is `not-comparable`."""
    return label.replace(" ", "-")


def badge(label: str, shown: str = "") -> str:
    """Return a verdict in its colour, or what is `shown` for it."""
    return f'<span class="badge {css_class(label)}">{text(shown or label)}</span>'
