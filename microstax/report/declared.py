"""What became of what the user declared beforehand: expected changes, and rules for differences to ignore."""

from dataclasses import dataclass
from typing import Final

from microstax.model.report import ExpectedReport, IgnoredRule, ReportDocument
from microstax.model.wording import counted

_WORDS: Final = {"appeared": "appeared", "missing": "MISSING", "undecided": "not seen yet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One declared thing as a sentence; `state` is `appeared`, `missing`, `undecided`, `ignored`, `news`, `expired`."""

    state: str
    origin: str
    what: str
    result: str

    @property
    def name(self) -> str:
        """Where it stands and what it is about."""
        return f"{self.origin}: {self.what}" if self.origin else self.what

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        return f"{self.name}: {self.result}"


def expected(document: ReportDocument) -> list[Line]:
    """Return a line a declared change, what is missing first."""
    order = ("missing", "undecided", "appeared")
    return [_expected(one) for one in sorted(document["expected"], key=lambda one: order.index(one["verdict"]))]


def ignored(document: ReportDocument) -> list[Line]:
    """Return a line a rule, expired ones and those that hide something new first."""
    lines = [_ignored(rule) for rule in document["ignored"]]
    return sorted(lines, key=lambda line: ("expired", "news", "ignored").index(line.state))


def subject(rule: ExpectedReport | IgnoredRule) -> str:
    """Return what a rule or a declared change is about: `service catalog path $.price kind type`."""
    parts = [
        f"{name} {text}"
        for name, text in (
            ("service", rule["service"]),
            ("endpoint", rule["endpoint"]),
            ("path", rule["path"]),
            ("kind", rule["kind"]),
        )
        if text
    ]
    return " ".join(parts) or "everything"


def _expected(change: ExpectedReport) -> Line:
    seen = f", {_seen(change)}" if change["count"] or change["findings"] else ""
    reason = f" ({change['reason']})" if change["reason"] else ""
    result = f"{_WORDS[change['verdict']]}{seen}{reason}"
    return Line(state=change["verdict"], origin=change["origin"], what=subject(change), result=result)


def _ignored(rule: IgnoredRule) -> Line:
    aside = ", ".join(part for part in (rule["reason"], f"owner {rule['owner']}" if rule["owner"] else "") if part)
    aside = f" ({aside})" if aside else ""
    origin, what = rule["origin"], subject(rule)
    if rule["expired"]:
        result = f"expired on {rule['expires']}, so it hides nothing any more{aside}"
        return Line(state="expired", origin=origin, what=what, result=result)
    until = f", until {rule['expires']}" if rule["expires"] else ""
    ways = f", which differ by {', '.join(rule['signature'])}" if rule["signature"] and not rule["news"] else ""
    news = f"; NEW: what it hides now differs by {', '.join(rule['news'])}" if rule["news"] else ""
    result = f"hides {_seen(rule)}{ways}{until}{news}{aside}"
    return Line(state="news" if rule["news"] else "ignored", origin=origin, what=what, result=result)


def _seen(rule: ExpectedReport | IgnoredRule) -> str:
    return f"{counted(rule['findings'], 'finding')}, seen {counted(rule['count'], 'time')}"
