"""The findings of an endpoint as one list of one form, most important first: every format prints this list."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from microstax.model.report import EndpointReport, HeaderFinding, ShapeFinding, StatusFinding, ValueFinding, Verdict
from microstax.report.text import number, percent

VERDICT_ORDER: Final = ("different", "undecided", "not comparable", "same")
NOTHING: Final = "(nothing)"
_GROUPS: Final = ("status", "shape", "value", "header")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One discrepancy, ready to print but not escaped. `rate` and `noise` are 0..1; a status has counts only.

    `noise` is None where no control answered: nothing measured it.
    """

    group: str
    kind: str
    where: str
    baseline: str
    branch: str
    count: int
    rate: float | None
    noise: int | float | None
    verdict: Verdict
    pair: str

    @property
    def change(self) -> str:
        """What became of what: `number -> string`; empty where the document does not say."""
        if not (self.baseline or self.branch):
            return ""
        return f"{self.baseline or NOTHING} -> {self.branch or NOTHING}"

    @property
    def label(self) -> str:
        """The verdict as people read it: a finding that noise explains is called that."""
        return "noise" if self.verdict == "same" else self.verdict

    @property
    def times(self) -> str:
        """How often: `12 times (1.5%)`."""
        share = f" ({self.share})" if self.share else ""
        return f"{number(self.count)} {'time' if self.count == 1 else 'times'}{share}"

    @property
    def share(self) -> str:
        """The rate as text."""
        return "" if self.rate is None else percent(self.rate)

    @property
    def noise_text(self) -> str:
        """The noise as text: a count for a status, a rate otherwise."""
        if self.noise is None:
            return "not measured"
        return number(self.noise) if isinstance(self.noise, int) and self.rate is None else percent(self.noise)


def findings(endpoint: EndpointReport) -> list[Finding]:
    """Return the endpoint's findings: drift before doubt before noise, status before shape before values."""
    found = sorted(_all(endpoint), key=_importance)
    measured = endpoint["latency"]["control"] is not None
    return found if measured else [replace(one, noise=None) for one in found]


def _importance(finding: Finding) -> tuple[int, int, int, str, str]:
    verdict = VERDICT_ORDER.index(finding.verdict)
    return verdict, _GROUPS.index(finding.group), -finding.count, finding.where, finding.kind


def _all(endpoint: EndpointReport) -> Iterator[Finding]:
    yield from map(_status, endpoint["status"])
    yield from map(_shape, endpoint["shape"])
    yield from map(_value, endpoint["values"])
    yield from map(_header, endpoint["headers"])


def _status(found: StatusFinding) -> Finding:
    return Finding(
        group="status",
        kind="grpc status" if found.get("grpc") else "status",
        where="",
        baseline=str(found["baseline"]),
        branch=str(found["branch"]),
        count=found["count"],
        rate=None,
        noise=found["noise"],
        verdict=found["verdict"],
        pair=found["pair"],
    )


def _shape(found: ShapeFinding) -> Finding:
    rated = _rated(found, group="shape", kind=found["kind"], where=found["path"])
    return replace(rated, baseline=found["baseline"], branch=found["branch"])


def _value(found: ValueFinding) -> Finding:
    return _rated(found, group="value", kind="value", where=found["path"])


def _header(found: HeaderFinding) -> Finding:
    return _rated(found, group="header", kind=f"header {found['kind']}", where=found["name"])


def _rated(found: ShapeFinding | ValueFinding | HeaderFinding, *, group: str, kind: str, where: str) -> Finding:
    """Return a finding that has a rate, without what became of what."""
    return Finding(
        group=group,
        kind=kind,
        where=where,
        baseline="",
        branch="",
        count=found["count"],
        rate=found["rate"],
        noise=found["noise_rate"],
        verdict=found["verdict"],
        pair=found["pair"],
    )
