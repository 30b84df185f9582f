"""`microstax ignore suggest`: rules for what a report shows as noise, ready for microstax.yaml."""

import getpass
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.judging import Judging, judging, judging_options
from microstax.cli.listing import echo_json, output_option
from microstax.cli.shape import command
from microstax.cli.values import FILE, day
from microstax.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from microstax.model.report import ReportDocument

    Ask = Callable[[Judging], ReportDocument]

DAYS: Final = 90
"""How long a suggested rule holds where nobody says otherwise: somebody should look at it again."""


@command(
    None,
    "suggest",
    examples=[
        "microstax ignore suggest shadow-test > suggested.yaml",
        "microstax ignore suggest shadow-test --owner team-catalog --expires 2027-03-01",
        "microstax ignore suggest --pairs-file pairs.msgpack -o json",
    ],
)
@click.argument("name", required=False)
@click.option("--pairs-file", type=FILE, metavar="FILE", help="Look at this file of pairs instead of an overlay.")
@click.option("--owner", default="", metavar="TEAM", help="Who owns the rules.  [default: your login name]")
@click.option(
    "--expires", type=day, metavar="DATE", help=f"Their last day, YYYY-MM-DD, or never.  [default: in {DAYS} days]"
)
@judging_options
@output_option(("yaml", "json"))
@settings_options
@pass_settings
def suggest(
    settings: Settings,
    /,
    *,
    name: str | None,
    pairs_file: str | None,
    owner: str,
    expires: str | None,
    output: str,
    **verdicts: Any,
) -> None:
    """Suggest ignore rules for noise, with the evidence for each.

    NAME is the overlay whose report is looked at. What differs, or may still turn out to, is never suggested; what
    the rules of today hide is not suggested again.
    """
    if (name is None) == (pairs_file is None):
        raise UsageError("Name an overlay, or a file of pairs with --pairs-file: one of the two.")
    asked = judging(settings, **verdicts)
    owner = owner or _login()
    if pairs_file is not None:
        _suggest(settings, lambda how: _of_file(pairs_file, how), asked, owner=owner, expires=expires, output=output)
        return
    from microstax.cli.reports import Question

    question = Question(overlay=name or "")
    with settings.client() as client:
        _suggest(
            settings,
            lambda how: replace(question, judging=how).ask(client),
            asked,
            owner=owner,
            expires=expires,
            output=output,
        )


def _suggest(settings: Settings, ask: "Ask", asked: Judging, *, owner: str, expires: str | None, output: str) -> None:
    """Make rules of a report, have them applied once to learn what they hide, and print them."""
    from microstax.generated.management.microstax.management.v1 import SourceFile
    from microstax.model.ignore import expiry_of
    from microstax.report.rule_file import as_json, as_yaml
    from microstax.report.suggest import signed, suggest

    document = ask(asked)
    last = datetime.now(UTC).date() + timedelta(days=DAYS) if expires is None else expiry_of(expires or "never")
    found = suggest(document, owner=owner, expires=last)
    if found:
        trial = SourceFile(name="the suggested rules", text=as_yaml(found, document))
        found = signed(found, ask(replace(asked, rules=trial)))
    if output == "json":
        echo_json(as_json(found))
    else:
        click.echo(as_yaml(found, document), nl=False)
    if not found:
        settings.write(_why_none(document))


def _why_none(document: "ReportDocument") -> str:
    """Return the sentence for a report without noise that a rule could hide."""
    waiting = sum(report["verdict"] == "undecided" for one in document["services"] for report in one["endpoints"])
    if not waiting:
        return "No rule is suggested: there is no noise that one could hide."
    endpoints = "1 endpoint is" if waiting == 1 else f"{waiting:,} endpoints are"
    return f"No rule is suggested: {endpoints} undecided, and what may still turn out to differ is not hidden."


def _of_file(file: str, asked: Judging) -> "ReportDocument":
    from microstax.cli.offline_diff import selection
    from microstax.offline import report_of

    return report_of(file, selection(asked))


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError("The rules need an owner, and you have no login name: give --owner.") from error
