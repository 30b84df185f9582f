"""The demo from beginning to end: a control plane of its own, the shop, its users, the four commands, and the check."""

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO, cast
from urllib.request import ProxyHandler, build_opener

import orjson

from microstax.demo.checker import check
from microstax.demo.commands import CommandFailedError, CommandLine
from microstax.demo.planted import PLANTED, UNSAFE_ROUTES, WITHOUT_DRIFT
from microstax.demo.progress import Progress
from microstax.demo.proof import Claim, Requests, claims
from microstax.demo.stage import OVERLAY, folders, how_to_look_around, terminable, undisturbed
from microstax.demo.users import Users
from microstax.demo.workspace import Workspace, write_files
from microstax.errors import EXIT_DIFFERENT, EXIT_DONE, FaultError, RefusedError
from microstax.model.report import ReportDocument

BASELINE: Final = "production-cluster-01"
RATE: Final = 160.0
"""Requests a second, nine in ten of them for the catalog: below the default of `--max-rps`, so all are mirrored."""
ENOUGH_PAIRS: Final = 200
"""How many pairs every endpoint must have before the report is read."""
PATIENCE_S: Final = 60.0
SETTLE_S: Final = 8.0
LOOK_EVERY_S: Final = 1.0
QUIET_LOOKS: Final = 2


def run_demo(
    *,
    state: Path | None = None,
    keep: bool = False,
    quiet: bool = False,
    out: TextIO | None = None,
    err: TextIO | None = None,
    rate: float = RATE,
    enough_pairs: int = ENOUGH_PAIRS,
) -> int:
    """Run the whole demo; return 0 if the report was right and no user noticed, else 1.

    Without `state` everything lives in a new temporary folder and goes with it; `keep` leaves it running and says how
    to look around; `quiet` leaves out the progress on `err`. Ctrl-C and SIGTERM stop all of it.
    Raises RefusedError where a control plane owns `state` already, FaultError where a step fails.
    """
    out, err = out or sys.stdout, err or sys.stderr
    with terminable(), folders(state, keep=keep, err=err) as (home, folder):
        live = err is sys.stderr and err.isatty() and not quiet
        command_line = CommandLine(state=folder, folder=home, out=out, live=live)
        _refuse_a_running_one(command_line, folder)
        progress = Progress(err, quiet=quiet)
        story = Story(command_line, write_files(home, sys.executable), out=out, progress=progress, rate=rate)
        story.forget = state is not None
        right = story.tell(enough_pairs=enough_pairs, keep=keep)
        if keep:
            print("\n".join(how_to_look_around(story.workspace, folder, rate)), file=out)
    return EXIT_DONE if right else EXIT_DIFFERENT


class Story:
    """The demo's steps. It owns nothing but the load generator; `tell` stops the control plane unless it is to stay.

    `forget` takes the shop out of the state before that, where the state outlives the demo.
    """

    def __init__(
        self, command_line: CommandLine, workspace: Workspace, *, out: TextIO, progress: Progress, rate: float
    ) -> None:
        self.workspace, self.forget = workspace, False
        self._microstax, self._out, self._progress = command_line, out, progress
        urls = {name: workspace.url(name) for name in workspace.ports}
        self._users = Users(urls, rate=rate)

    def tell(self, *, enough_pairs: int, keep: bool) -> bool:
        """Start everything, run the four commands, print the report and the check; return whether all of it holds."""
        try:
            right = self._told(enough_pairs)
        except BaseException:
            # What went wrong first is what the user must read; a control plane that is gone cannot be stopped.
            with suppress(CommandFailedError), undisturbed():
                self._stop()
            raise
        if not keep:
            with undisturbed():
                self._stop()
        return right

    def _told(self, enough_pairs: int) -> bool:
        self._set_up()
        with self._users:
            self._three_commands()
            self._wait_for_pairs(enough_pairs)
            requests = self._users.stop()
        self._settle()
        return self._report_and_check(requests)

    def _stop(self) -> None:
        self._progress.step("stopping everything")
        for noun, name in (("overlay", OVERLAY), ("env", BASELINE)) if self.forget else ():
            with suppress(CommandFailedError):
                self._microstax.run(noun, "delete", name, apart=True)
        self._microstax.run("down", apart=True)
        self._progress.end()

    def _set_up(self) -> None:
        self._progress.step("starting a control plane")
        self._microstax.run("up", "--detach", apart=True)
        self._progress.step(f"starting the shop: {', '.join(self.workspace.ports)}")
        self._progress.end()
        print(f"$ cd {self.workspace.folder}", file=self._out)
        print(f"$ export MICROSTAX_STATE={self._microstax.environ['MICROSTAX_STATE']}", file=self._out)
        self._microstax.show("env", "create", BASELINE, "--file", "./env.yaml")

    def _three_commands(self) -> None:
        self._microstax.show("env", "promote", BASELINE)
        self._microstax.show("overlay", "create", "--baseline", BASELINE, "--file", "./patch.yaml", "--name", OVERLAY)
        self._microstax.show("env", "shadow", OVERLAY, "--enable")

    def _wait_for_pairs(self, enough: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._users.check_alive()
            fewest = fewest_pairs(self._report())
            requests = self._users.requests
            self._progress.step(
                f"live traffic: {requests.sent:,} requests, {requests.failed:,} failed; "
                f"every endpoint compared at least {fewest:,} times (enough: {enough:,})"
            )
            if fewest >= enough:
                return
            time.sleep(LOOK_EVERY_S)

    def _settle(self) -> None:
        """Wait until no count moves any more: the report is then the same each time it is read."""
        self._progress.step("waiting for what is still under way")
        deadline = time.monotonic() + SETTLE_S
        before, quiet = None, 0
        while time.monotonic() < deadline and quiet < QUIET_LOOKS:
            report = self._report()
            coverage = report["coverage"] if report is not None else None
            quiet = quiet + 1 if coverage == before else 0
            before = coverage
            time.sleep(LOOK_EVERY_S)

    def _report(self) -> ReportDocument | None:
        return cast("ReportDocument | None", self._microstax.document("env", "diffs", OVERLAY))

    def _report_and_check(self, requests: Requests) -> bool:
        self._progress.end()
        self._microstax.show("env", "diffs", OVERLAY)
        report = self._report()
        if report is None:
            raise FaultError("There is no report: nothing was mirrored.")
        made = claims(
            outcome=check(report, PLANTED),
            requests=requests,
            coverage=report["coverage"],
            branch_received=_received(self._addresses("overlay", OVERLAY)["catalog"]),
            baseline_received=_received(self._addresses("env", BASELINE)["catalog"]),
            neighbour_received=self._neighbours_received(),
        )
        self._print(made)
        return all(claim.holds for claim in made)

    def _neighbours_received(self) -> dict[str, Mapping[str, int]]:
        addresses = self._addresses("env", BASELINE)
        return {service: _received(addresses[service]) for service, _route in UNSAFE_ROUTES}

    def _addresses(self, noun: str, name: str) -> dict[str, str]:
        """Return where the processes of an environment or overlay listen themselves, by service."""
        shown: Any = self._microstax.document(noun, "show", name)
        return {service["name"]: service["address"] for service in shown["services"] if service.get("address")}

    def _print(self, made: list[Claim]) -> None:
        print("The report against what was planted in the branch:", file=self._out)
        for claim in made:
            for line in claim.lines():
                print(line, file=self._out)
        self._out.flush()


def _refuse_a_running_one(command_line: CommandLine, state: Path) -> None:
    """Raise RefusedError if somebody's control plane owns the state folder: the demo would stop it at the end."""
    try:
        command_line.run("status")
    except CommandFailedError:
        return
    raise RefusedError(
        f"A control plane is running already in {state}, and the demo needs one of its own: name another folder with "
        "--state, or unset MICROSTAX_STATE to let the demo choose one."
    )


def fewest_pairs(report: ReportDocument | None) -> int:
    """Return how many pairs the endpoint with the fewest has, of those that the check looks at."""
    pairs = {
        (service["service"], endpoint["endpoint"]): endpoint["pairs"]
        for service in (report["services"] if report is not None else ())
        for endpoint in service["endpoints"]
    }
    wanted = {(finding.service, finding.endpoint) for finding in PLANTED} | set(WITHOUT_DRIFT)
    return min(pairs.get(place, 0) for place in wanted)


def _received(address: str) -> dict[str, int]:
    """Ask a service of the shop itself, past every Envoy, what it received."""
    with build_opener(ProxyHandler({})).open(f"http://{address}/__received", timeout=5) as answer:
        return cast("dict[str, int]", orjson.loads(answer.read()))
