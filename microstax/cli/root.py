"""The group `microstax`: which commands there are, and where they live."""

from typing import Final

import click

from microstax import __version__
from microstax.cli.connection import settings_options
from microstax.cli.shape import Group, Lazy

COMMANDS: Final = {
    "up": Lazy("microstax.cli.process:up", "Start the control plane, Envoy and the collector on this machine."),
    "down": Lazy("microstax.cli.process:down", "Stop the control plane and everything that it started."),
    "status": Lazy("microstax.cli.status:status", "Show the control plane, Envoys, shadows and capture."),
    "demo": Lazy("microstax.cli.process:demo", "Run the whole story on a small shop, in under a minute."),
    "env": Lazy("microstax.cli.env:env", "Environments: create, promote, shadow, read the differences."),
    "overlay": Lazy("microstax.cli.overlay:overlay", "Overlays: only what a branch changes, on top of a baseline."),
    "ignore": Lazy("microstax.cli.ignore:ignore", "Rules for differences that are meant to be there."),
    "diff": Lazy("microstax.cli.offline_diff:diff", "Compare exported pairs again, offline, by the rules of today."),
    "selftest": Lazy("microstax.cli.selftest:selftest", "Prove the verdicts on a baseline of your own."),
    "completion": Lazy("microstax.cli.completion:completion", "Print the completion script of a shell."),
}
EXAMPLES: Final = (
    "microstax up --detach",
    "microstax env create production-cluster-01 --file ./env.yaml",
    "microstax env promote production-cluster-01",
    "microstax overlay create --baseline production-cluster-01 --file ./patch.yaml --name shadow-test",
    "microstax env shadow shadow-test --enable",
    "microstax env diffs shadow-test",
)


@click.group("microstax", cls=Group, lazy=COMMANDS, examples=EXAMPLES)
@click.version_option(__version__, prog_name="microstax", message="%(prog)s %(version)s", help="Show the version.")
@settings_options
def root() -> None:
    """Traffic shadowing for microservices: see what a branch would have done to production's traffic.

    Exit codes: 0 done or no difference, 1 different, 2 wrong usage or invalid file, 3 undecided yet, 4 the control
    plane, an Envoy or the machine is at fault.
    """
