"""The findings of an endpoint by what occurs together, and what is said about each group."""

from dataclasses import dataclass

from microstax.model.report import EndpointReport, Group
from microstax.model.wording import counted
from microstax.report.figures import number, percent
from microstax.report.findings import LABELS, NOISE, Finding, findings, importance


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Findings of one cause, most important first; `group` is None where the document names none."""

    group: Group | None
    findings: list[Finding]

    @property
    def sentence(self) -> str:
        """What is known about them as a group; empty where that is nothing.

        `3 differences that always occur together, 412 times, only when query country=DE (100% of the requests that show
        it, 2.1% of the others)`
        """
        group = self.group
        if group is None or (group["findings"] < 2 and not group["condition"]):  # noqa: PLR2004  # alone
            return ""
        together = ""
        if group["findings"] > 1:
            together = f"{counted(group['findings'], 'difference')} that always occur together"
        parts = (together, f"{number(group['count'])} {'time' if group['count'] == 1 else 'times'}", _condition(group))
        return ", ".join(part for part in parts if part)


def clusters(endpoint: EndpointReport) -> list[Cluster]:
    """Return what is no noise by group, the most important group first."""
    groups = {group["group"]: group for group in endpoint["groups"]}
    members: dict[int, list[Finding]] = {}
    alone: list[Cluster] = []
    for finding in findings(endpoint):
        if finding.label == NOISE:
            continue
        if finding.judged["group"] in groups:
            members.setdefault(finding.judged["group"], []).append(finding)
        else:
            alone.append(Cluster(group=None, findings=[finding]))
    grouped = [Cluster(group=groups[number], findings=_led(groups[number], found)) for number, found in members.items()]
    return sorted([*grouped, *alone], key=lambda cluster: importance(cluster.findings[0]))


def _led(group: Group, found: list[Finding]) -> list[Finding]:
    """Return the findings with the one first that the document calls the group's weightiest."""
    return sorted(found, key=lambda finding: (LABELS.index(finding.label), finding.name != group["lead"]))


def noise(endpoint: EndpointReport) -> list[Finding]:
    """Return the findings that noise explains."""
    return [finding for finding in findings(endpoint) if finding.label == NOISE]


def _condition(group: Group) -> str:
    """Return `only when query country=DE (100% of the requests that show it, 2.1% of the others)`; may be empty."""
    if not group["condition"]:
        return ""
    failing, passing = group["failing_share"], group["passing_share"]
    adverb = "only" if failing is None or failing == 1 else "mostly"
    shares = [] if failing is None else [f"{percent(failing)} of the requests that show it"]
    shares += [] if passing is None else [f"{percent(passing)} of the others"]
    return f"{adverb} when {group['condition']}" + (f" ({', '.join(shares)})" if shares else "")
