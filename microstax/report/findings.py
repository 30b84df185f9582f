"""The findings of an endpoint as one list of one form, most important first: every format prints this list."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from microstax.model.report import (
    EndpointReport,
    Judged,
    Rated,
    StatusFinding,
    Verdict,
)
from microstax.model.wording import counted
from microstax.report.figures import e_value, more, number, percent

NOTHING: Final = "(nothing)"
NOISE: Final = "noise"
DECLARED: Final = "expected"
LABELS: Final = ("different", DECLARED, "undecided", "not comparable", NOISE)
"""What a finding is called, most important first: one that noise explains is noise, a declared one expected."""
_LEANING: Final = 0.5
"""log10 of the evidence from which on a finding leans to drift: three times what noise would show."""
_FAMILIES: Final = ("status", "shape", "value", "header")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One discrepancy, ready to print but not escaped. `rate` and `noise` are 0..1; a status has counts only.

    `noise` is how often baseline and control showed it, None where no control answered: nothing measured it.
    """

    family: str
    kind: str
    where: str
    baseline: str
    branch: str
    judged: Judged
    rate: float | None
    noise: int | float | None

    @property
    def verdict(self) -> Verdict:
        """The verdict on it."""
        return self.judged["verdict"]

    @property
    def label(self) -> str:
        """The verdict as people read it, one of LABELS."""
        if self.verdict == "same":
            return NOISE
        return DECLARED if self.verdict == "different" and self.judged["expected"] else self.verdict

    @property
    def count(self) -> int:
        """How many pairs show it."""
        return self.judged["count"]

    @property
    def pair(self) -> str:
        """The id of a pair that shows it; may be empty."""
        return self.judged["pair"]

    @property
    def change(self) -> str:
        """What became of what: `number -> string`; empty where the document does not say."""
        if not (self.baseline or self.branch):
            return ""
        return f"{self.baseline or NOTHING} -> {self.branch or NOTHING}"

    @property
    def name(self) -> str:
        """What it is about: `type $.items[].price`, `status 200 -> 500`."""
        return f"{self.kind} {self.where or self.change}".strip()

    @property
    def share(self) -> str:
        """The rate as text; empty for a status."""
        return "" if self.rate is None else percent(self.rate)

    @property
    def times(self) -> str:
        """How often: `12 times (1.5%)`."""
        return counted(self.count, "time") + (f" ({self.share})" if self.share else "")

    @property
    def noise_text(self) -> str:
        """The noise as text: a count for a status, a rate otherwise."""
        if self.noise is None:
            return "not measured"
        return number(self.noise) if isinstance(self.noise, int) and self.rate is None else percent(self.noise)

    @property
    def evidence(self) -> str:
        """The evidence against noise as text; empty where there is none to tell."""
        evidence = self.judged["evidence"]
        return "" if evidence is None or self.verdict == "same" else e_value(evidence)

    @property
    def excess(self) -> str:
        """How much more often the branch shows it than the control: `excess 3.2%, at most 4.1%`; may be empty."""
        excess, high = self.judged["excess"], self.judged["excess_high"]
        if excess is None:
            return ""
        return f"excess {percent(excess)}" + (f", at most {percent(high)}" if high is not None else "")

    @property
    def needs(self) -> str:
        """How many more requests decide it; empty where it is decided or more would not help."""
        return more(self.judged["needs"], self.judged["needs_minutes"]) if self.verdict == "undecided" else ""

    @property
    def is_noise_so_far(self) -> bool:
        """Tell whether only the number of requests keeps it from being called noise: the control shows it as often."""
        evidence, noise = self.judged["evidence"], self.noise
        return self.verdict == "undecided" and bool(noise) and evidence is not None and evidence < _LEANING

    @property
    def figures(self) -> list[str]:
        """Everything that was counted, in the order in which every format shows it."""
        contexts = self.judged["contexts"]
        found = [
            f"{self.times} on {counted(contexts, 'distinct request')}" if contexts else self.times,
            f"noise {self.noise_text}",
            self.evidence,
            self.excess,
            self.needs,
        ]
        return [part for part in found if part]


def findings(endpoint: EndpointReport) -> list[Finding]:
    """Return the endpoint's findings: drift before doubt before noise, status before shape before values."""
    return sorted(_all(endpoint), key=importance)


def importance(finding: Finding) -> tuple[int, int, int, str, str]:
    """Return what findings are sorted by."""
    family = _FAMILIES.index(finding.family)
    return LABELS.index(finding.label), family, -finding.count, finding.where, finding.kind


def _all(endpoint: EndpointReport) -> Iterator[Finding]:
    measured = endpoint["latency"]["control"] is not None
    for status in endpoint["status"]:
        yield _status(status, measured=measured)
    for shape in endpoint["shape"]:
        yield _rated(shape, family="shape", kind=shape["kind"], where=shape["path"], measured=measured)
    for value in endpoint["values"]:
        yield _rated(value, family="value", kind=value["kind"], where=value["path"], measured=measured)
    for header in endpoint["headers"]:
        yield _rated(header, family="header", kind=f"header {header['kind']}", where=header["name"], measured=measured)


def _status(found: StatusFinding, *, measured: bool) -> Finding:
    return Finding(
        family="status",
        kind="grpc status" if found["grpc"] else "status",
        where="",
        baseline=str(found["baseline"]),
        branch=str(found["branch"]),
        judged=found,
        rate=None,
        noise=found["noise"] if measured else None,
    )


def _rated(found: Rated, *, family: str, kind: str, where: str, measured: bool) -> Finding:
    """Return a finding that has a rate."""
    return Finding(
        family=family,
        kind=kind,
        where=where,
        baseline=found["baseline"],
        branch=found["branch"],
        judged=found,
        rate=found["rate"],
        noise=found["noise_rate"] if measured else None,
    )
