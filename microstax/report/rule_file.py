"""Suggested ignore rules as a microstax.yaml with their evidence, or as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import yaml

from microstax.model.ignore import NEVER, IgnoreRule
from microstax.model.report import ReportDocument
from microstax.report.suggest import Suggestion
from microstax.report.text import visible

_KEYS: Final = ("service", "endpoint", "path", "kind", "reason", "owner")
_WIDE: Final = 1 << 20


def as_yaml(suggestions: Sequence[Suggestion], document: ReportDocument) -> str:
    """Return the suggestions as a microstax.yaml, each with its evidence as a comment."""
    about = f"{document['overlay']} against {document['baseline']}, since {document['since']}"
    lines = [
        f"# {visible(f'Noise of {about}.')}",
        "# Read each rule before you keep it: it hides what will differ there, too.",
        "ignore:" if suggestions else "ignore: []",
    ]
    for one in suggestions:
        lines += [f"  # {visible(comment)}" for comment in _comments(one)]
        lines += _entry(one.rule)
    return "\n".join(lines) + "\n"


def as_json(suggestions: Iterable[Suggestion]) -> list[dict[str, Any]]:
    """Return the suggestions as JSON types: the fields of a rule, and `evidence`."""
    return [
        {
            **_fields(one.rule),
            "expires": _last_day(one.rule),
            "signature": list(one.rule.signature),
            "evidence": {
                "findings": one.findings,
                "endpoints": one.endpoints,
                "count": one.count,
                "pairs": one.pairs,
                "noise_rate": one.noise_rate,
                "judged": one.judged,
                "pair": one.pair,
            },
        }
        for one in suggestions
    ]


def _comments(one: Suggestion) -> Iterator[str]:
    noise = "no control measured its noise" if one.noise_rate is None else f"noise rate {one.noise_rate:.3g}"
    where = f" at {one.endpoints} endpoints" if one.endpoints > 1 else ""
    yield f"seen {one.count:,} times in {one.pairs:,} pairs{where}; {noise}; pair {one.pair or 'not kept'}"
    if not one.judged:
        yield "NOT JUDGED: this may be drift; mirror with '--control copy' before you hide it"


def _entry(rule: IgnoreRule) -> list[str]:
    lines = [f"{key}: {_scalar(value)}" for key, value in _fields(rule).items() if value]
    lines.append(f"expires: {_last_day(rule)}")
    if rule.signature:
        lines.append(f"signature: [{', '.join(map(_scalar, rule.signature))}]")
    return [f"{'  - ' if number == 0 else '    '}{line}" for number, line in enumerate(lines)]


def _scalar(text: str) -> str:
    """Return a text as YAML, also inside a list in brackets; what does not print is written as an escape."""
    if not text.isprintable():
        return str(yaml.safe_dump(text, default_style='"', width=_WIDE)).strip()
    listed = str(yaml.safe_dump([text], default_flow_style=True, width=_WIDE, allow_unicode=True))
    return listed.strip().removeprefix("[").removesuffix("]")


def _fields(rule: IgnoreRule) -> dict[str, str]:
    return {key: getattr(rule, key) for key in _KEYS}


def _last_day(rule: IgnoreRule) -> str:
    return rule.expires.isoformat() if rule.expires else NEVER
