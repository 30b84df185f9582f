"""The sentences about a whole report that are the same in every format: coverage that adds up, policy, rechecks."""

from typing import Final

from microstax.model.report import EndpointReport, ReportDocument
from microstax.model.wording import counted
from microstax.report import account, bridge
from microstax.report.figures import listed, more, number, percent, threshold
from microstax.report.findings import DECLARED
from microstax.report.ranking import is_slower, standing

_FALLBACK: Final = {
    "same": "Nothing differs beyond noise.",
    "different": "The branch differs beyond noise.",
    "undecided": "There is not enough traffic for a verdict yet.",
    "not comparable": "Nothing that was mirrored could be compared.",
}


def title(document: ReportDocument) -> str:
    """Return the first line: what was compared with what, and the verdict."""
    return f"{document['overlay']} against {document['baseline']}: {document['verdict'].upper()}"


def why(document: ReportDocument) -> list[str]:
    """Return the sentences that say why, the weightiest first; never empty."""
    return document["reasons"] or [_FALLBACK[document["verdict"]]]


def facts(document: ReportDocument) -> list[tuple[str, str]]:
    """Return what is known about the report as a whole, as (name, sentence); what there is nothing of is left out."""
    found = (
        ("since", document["since"]),
        ("until", until(document)),
        ("coverage", coverage_sum(document)),
        *account.facts(document),
        ("rate", rate(document)),
        ("accuracy", accuracy(document)),
        ("noise", noise_source(document)),
        ("rechecks", rechecks(document)),
        ("policy", policy(document)),
        ("not mirrored", skipped(document)),
        ("blocked", "" if document["bridge"] else blocked(document)),
        *bridge.facts(document),
    )
    return [(name, text) for name, text in found if text]


def until(document: ReportDocument) -> str:
    """Return when mirroring ends by itself, and how it does not; empty where it does not end, or is over."""
    end = document["until"]
    return f"{end}, unless 'microstax env shadow {document['overlay']} --enable' is said again before" if end else ""


def standing_text(endpoint: EndpointReport) -> str:
    """Return an endpoint's verdict, with the latency's beside it where the branch is slower: `same, slower`."""
    verdict = standing(endpoint)
    verdict = endpoint["verdict"] if verdict == "slower" else verdict
    if endpoint["latency"]["verdict"] == "slower":
        return f"{verdict}, slower"
    return f"{verdict}, spikes" if is_slower(endpoint) else verdict


def endpoint_needs(endpoint: EndpointReport) -> str:
    """Return how many more requests decide the endpoint; empty where it is decided or nobody can tell."""
    return more(endpoint["needs"], endpoint["needs_minutes"]) if endpoint["verdict"] == "undecided" else ""


def coverage_parts(document: ReportDocument) -> list[tuple[str, int]]:
    """Return what became of the mirrored requests: `compared` first, then the reasons, largest first."""
    coverage = document["coverage"]
    lost = sorted(coverage["not_compared"].items(), key=lambda item: (-item[1], item[0]))
    return [("compared", coverage["paired"]), *lost]


def coverage_sum(document: ReportDocument) -> str:
    """Return the sum that must add up: mirrored = compared + what was not, by reason."""
    parts = " + ".join(f"{number(count)} {name}" for name, count in coverage_parts(document))
    return f"{number(document['coverage']['mirrored'])} mirrored = {parts}"


def rate(document: ReportDocument) -> str:
    """Return how many pairs a minute bring; empty where that is unknown."""
    pairs = document["pairs_per_minute"]
    return "" if pairs is None else f"{pairs:,.1f} pairs a minute"


def skipped(document: ReportDocument) -> str:
    """Return what was not mirrored and why; empty where everything was."""
    coverage = document["coverage"]
    parts = [f"{listed(coverage['skipped_methods'].items())} (method)"] if coverage["skipped_methods"] else []
    if others := coverage.get("skipped"):
        parts.append(listed(others.items()))
    return ", ".join(parts)


def blocked(document: ReportDocument) -> str:
    """Return what the bridge stopped; empty where it stopped nothing."""
    calls = document["coverage"]["blocked_calls"]
    return f"{counted(calls, 'unsafe call')} of the branch to the baseline" if calls else ""


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
        return "measured on a control: a second answer of the baseline"
    return "uncalibrated: no control ran, so what varies by itself was guessed from its format"


def policy(document: ReportDocument) -> str:
    """Return how sure the verdicts are."""
    chosen = document["policy"]
    hypotheses = f"{number(chosen['hypotheses'])} {'hypothesis' if chosen['hypotheses'] == 1 else 'hypotheses'}"
    return (
        f"alpha {chosen['alpha']:g} over {hypotheses}, tolerance {threshold(chosen['tolerance'])}, "
        f"latency tolerance {threshold(chosen['latency_tolerance'])}, "
        f"at least {counted(chosen['min_pairs'], 'pair')} an endpoint"
    )


def rechecks(document: ReportDocument) -> str:
    """Return what came of asking again; empty where nothing is asked again."""
    found = document["rechecks"]
    if found is None:
        return ""
    parts = [f"{number(found['persisted'])} persisted"]
    parts += [f"{number(found['failed'])} could not be asked"] if found["failed"] else []
    parts += [f"{number(found['over_budget'])} more were over the budget"] if found["over_budget"] else []
    what = f"{number(found['vanished'])} of {counted(found['asked'], 'mismatch')}".replace("mismatchs", "mismatches")
    return f"{what} vanished when asked again, {', '.join(parts)}"


def affected(endpoint: EndpointReport) -> str:
    """Return `298 of 600 distinct requests`; empty where none is."""
    failing = endpoint["failing_contexts"]
    return f"{number(failing)} of {counted(endpoint['contexts'], 'distinct request')}" if failing else ""


def is_quiet(endpoint: EndpointReport) -> bool:
    """Tell whether there is nothing about the endpoint that anybody has to read."""
    return standing(endpoint) in {"same", DECLARED} and endpoint["latency"]["verdict"] in {"same", "undecided"}
