"""`microstax ignore`: rules for differences that are meant to be there."""

from typing import TYPE_CHECKING

import click

from microstax.cli.connection import Settings, pass_settings, settings_options
from microstax.cli.listing import echo_facts, echo_json, echo_table, output_option, plain
from microstax.cli.shape import Group, command
from microstax.cli.suggest import suggest
from microstax.cli.values import day
from microstax.errors import UsageError
from microstax.model.ignore import KINDS

if TYPE_CHECKING:
    from microstax.generated.management.microstax.management.v1 import IgnoreRule


@click.group(
    "ignore",
    cls=Group,
    examples=(
        "microstax ignore add --path '$.generated_at'",
        "microstax ignore list",
        "microstax ignore suggest shadow-test",
    ),
)
def ignore() -> None:
    """Rules for differences that are meant to be there."""


@command(
    ignore,
    "add",
    examples=[
        "microstax ignore add --path '$.generated_at' --kind value --reason 'a timestamp' --expires 2027-03-01",
        "microstax ignore add --overlay shadow-test --service catalog --endpoint 'GET /products/{id}' --kind extra",
    ],
)
@click.option("--overlay", default="", metavar="N", help="Only in this overlay.")
@click.option("--service", default="", metavar="S", help="Only of this service.")
@click.option("--endpoint", default="", metavar="E", help="Only at this endpoint, as the report names it.")
@click.option("--path", default="", metavar="P", help="Only at this path of the body (or this header's name).")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    metavar="K",
    help=f"Only this kind of difference: {', '.join(KINDS)}.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why; shown in the list of rules.")
@click.option("--owner", default="", metavar="NAME", help="Who to ask about it; shown in the list of rules.")
@click.option(
    "--expires",
    type=day,
    default="never",
    show_default=True,
    metavar="DATE",
    help="The last day, YYYY-MM-DD (UTC), or never.",
)
@output_option()
@settings_options
@pass_settings
def add(
    settings: Settings,
    *,
    overlay: str,
    service: str,
    endpoint: str,
    path: str,
    kind: str | None,
    reason: str,
    owner: str,
    expires: str,
    output: str,
) -> None:
    """Add a rule: what matches all of its options is counted as ignored and is no drift."""
    if not (service or endpoint or path or kind):
        raise UsageError("A rule without --service, --endpoint, --path or --kind would ignore everything: give one.")
    from microstax.api.methods import ADD_IGNORE_RULE

    request = ADD_IGNORE_RULE.request(
        overlay=overlay,
        service=service,
        endpoint=endpoint,
        path=path,
        kind=kind or "",
        reason=reason,
        owner=owner,
        expires=expires,
    )
    with settings.client() as client:
        made = client.call(ADD_IGNORE_RULE, request)
    if output == "json":
        echo_json(plain(made))
    else:
        echo_facts((("rule", str(made.id)), *_facts(made)))


@command(ignore, "list", examples=["microstax ignore list", "microstax ignore list --overlay shadow-test -o json"])
@click.option("--overlay", default="", metavar="N", help="Only the rules that hold for this overlay.")
@output_option()
@settings_options
@pass_settings
def list_rules(settings: Settings, *, overlay: str, output: str) -> None:
    """List the rules."""
    from microstax.api.methods import LIST_IGNORE_RULES

    with settings.client() as client:
        rules = client.call(LIST_IGNORE_RULES, LIST_IGNORE_RULES.request(overlay=overlay)).rules
    if output == "json":
        echo_json(plain(rules))
        return
    rows = [(str(rule.id), *(value or "any" for _, value in _where(rule)), *_said(rule)) for rule in rules]
    echo_table(
        ("RULE", "OVERLAY", "SERVICE", "ENDPOINT", "PATH", "KIND", "EXPIRES", "OWNER", "REASON"),
        rows,
        empty="No ignore rule: 'microstax ignore add --path PATH --reason TEXT' makes one.",
    )


@command(ignore, "remove", examples=["microstax ignore remove 3"])
@click.argument("rule", type=click.IntRange(min=1))
@settings_options
@pass_settings
def remove(settings: Settings, *, rule: int) -> None:
    """Remove the rule with the number RULE, as `ignore list` shows it."""
    from microstax.api.methods import REMOVE_IGNORE_RULE

    with settings.client() as client:
        client.call(REMOVE_IGNORE_RULE, REMOVE_IGNORE_RULE.request(id=rule))
    settings.say(f"Removed rule {rule}.")


def _facts(rule: "IgnoreRule") -> tuple[tuple[str, str], ...]:
    return (*_where(rule), ("expires", rule.expires or "never"), ("owner", rule.owner), ("reason", rule.reason))


def _where(rule: "IgnoreRule") -> tuple[tuple[str, str], ...]:
    return (
        ("overlay", rule.overlay),
        ("service", rule.service),
        ("endpoint", rule.endpoint),
        ("path", rule.path),
        ("kind", rule.kind),
    )


def _said(rule: "IgnoreRule") -> tuple[str, str, str]:
    return rule.expires or "never", rule.owner, rule.reason


ignore.add_command(suggest)
