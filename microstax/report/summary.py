"""The sentences of a report that are the same in every format: coverage that adds up, accuracy, latency, noise."""

from collections.abc import Mapping
from typing import Final

from microstax.model.report import Effect, EndpointReport, Latency, Quantiles, ReportDocument
from microstax.report.text import counted, milliseconds, number, percent

_RULE_KEYS: Final = ("service", "endpoint", "path", "kind")


def title(document: ReportDocument) -> str:
    """Return the first line: what was compared with what, and the verdict."""
    return f"{document['overlay']} against {document['baseline']}: {document['verdict'].upper()}"


def standing(endpoint: EndpointReport) -> str:
    """Return an endpoint's verdict, with the latency's beside it where the branch is slower: `same, slower`."""
    slower = endpoint["latency"]["verdict"] == "slower"
    return f"{endpoint['verdict']}, slower" if slower else endpoint["verdict"]


def coverage_sum(document: ReportDocument) -> str:
    """Return the sum that must add up: mirrored = compared + what was not, by reason."""
    coverage = document["coverage"]
    reasons = sorted(coverage["not_compared"].items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{number(coverage['paired'])} compared", *(f"{number(count)} {reason}" for reason, count in reasons)]
    return f"{number(coverage['mirrored'])} mirrored = {' + '.join(parts)}"


def skipped(document: ReportDocument) -> str:
    """Return what was not mirrored and why; empty where everything was."""
    coverage = document["coverage"]
    parts = [f"{counted(coverage['skipped_methods'].items())} (method)"] if coverage["skipped_methods"] else []
    if others := coverage.get("skipped"):
        parts.append(counted(others.items()))
    return ", ".join(parts)


def blocked(document: ReportDocument) -> str:
    """Return what the bridge stopped; empty where it stopped nothing."""
    calls = document["coverage"]["blocked_calls"]
    return f"{number(calls)} unsafe {'call' if calls == 1 else 'calls'} of the branch to the baseline" if calls else ""


def accuracy(part: ReportDocument | EndpointReport) -> str:
    """Return the share of distinct requests without drift, with its counts; empty where nothing was compared."""
    share = part["accuracy"]
    if share is None:
        return ""
    good = part["contexts"] - part["failing_contexts"]
    return f"{percent(share)} ({number(good)} of {number(part['contexts'])} distinct requests without drift)"


def noise_source(document: ReportDocument) -> str:
    """Return how the noise was told from drift; empty where nothing was compared."""
    if not document["services"]:
        return ""
    if document["calibrated"]:
        return "measured on a second copy of the baseline"
    return "uncalibrated: no control ran, so what varies by itself was guessed from its format"


def quantile(latency: Latency, name: str) -> str:
    """Return `p50 12.1 -> 12.4 ms (control 12.2)` for the quantile; empty where nothing was measured."""
    sides: list[Quantiles] = [latency["baseline"], latency["branch"]]
    baseline, branch = (_at(side, name) for side in sides)
    if baseline is None and branch is None:
        return ""
    control = _at(latency["control"], name) if latency["control"] else None
    aside = f" (control {milliseconds(control)})" if control is not None else ""
    return f"{name} {milliseconds(baseline)} -> {milliseconds(branch)} ms{aside}"


def effect(name: str, found: Effect) -> str:
    """Return `p50 x1.04 (0.98..1.10)`: branch over reference, with its interval; empty where it is unknown."""
    if found["ratio"] is None:
        return ""
    interval = "" if found["low"] is None or found["high"] is None else f" ({found['low']:.2f}..{found['high']:.2f})"
    return f"{name} x{found['ratio']:.2f}{interval}"


def effects(latency: Latency) -> str:
    """Return the effects on both quantiles; empty where both are unknown."""
    parts = (effect("p50", latency["effect"]["p50"]), effect("p99", latency["effect"]["p99"]))
    return ", ".join(part for part in parts if part)


def spikes(latency: Latency) -> str:
    """Return how often only the branch was slow, and a pair to look at; empty where it never was."""
    if not latency["spikes"]:
        return ""
    pair = f", pair {latency['spike_pair']}" if latency.get("spike_pair") else ""
    return f"{number(latency['spikes'])} {'spike' if latency['spikes'] == 1 else 'spikes'}{pair}"


def measured(latency: Latency) -> bool:
    """Tell whether there is any latency to show."""
    return any(quantile(latency, name) for name in ("p50", "p90", "p99"))


def ignored(document: ReportDocument) -> list[str]:
    """Return a line a rule: what it matches, how much it hid, and why."""
    return [_ignored(rule) for rule in document.get("ignored", [])]


def _ignored(rule: Mapping[str, str | int]) -> str:
    where = " ".join(f"{key} {rule[key]}" for key in _RULE_KEYS if rule.get(key))
    findings, count = int(rule.get("findings", 0)), int(rule.get("count", 0))
    reason = f" ({rule['reason']})" if rule.get("reason") else ""
    hid = f"{number(findings)} {'finding' if findings == 1 else 'findings'}, seen {number(count)} times"
    return f"{where}: {hid}{reason}"


def _at(side: Quantiles, name: str) -> float | None:
    if name == "p50":
        return side["p50"]
    return side["p90"] if name == "p90" else side["p99"]
