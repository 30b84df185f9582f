"""The methods of the management API: from messages to operations and back. Decides nothing."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from microstax.api import methods
from microstax.api.methods import Method
from microstax.control import describe, queries
from microstax.control.demand import Demand
from microstax.control.draining import Drain
from microstax.control.endings import Endings
from microstax.control.environments import Environments
from microstax.control.intake import Intake
from microstax.control.kill_switch import KillSwitch
from microstax.control.logs import Logs
from microstax.control.overlays import Overlays
from microstax.control.plane import Plane
from microstax.control.progress import Operation, run
from microstax.control.reports import Reports
from microstax.control.rules import Rules
from microstax.control.settings import Wish
from microstax.control.shadows import Shadows
from microstax.control.status import StatusReport
from microstax.errors import RefusedError, UsageError
from microstax.generated.management.microstax.management import v1


class Management:
    """Answers the calls. `shut_down` stops everything and then this control plane."""

    def __init__(
        self,
        plane: Plane,
        *,
        intake: Intake,
        watch_timeout_s: float,
        drain: Drain,
        demand: Demand,
        reports: Reports,
        status: StatusReport,
        endings: Endings,
        shut_down: Operation,
    ) -> None:
        self._plane: Final = plane
        self._reports: Final = reports
        self._status: Final = status
        self._shut_down: Final = shut_down
        self._kill_switch: Final = KillSwitch(plane, endings)
        self._shadows: Final = Shadows(
            plane,
            controls=endings.controls,
            kill_switch=self._kill_switch,
            watches=intake.watches,
            has_workers=lambda: bool(intake.workers),
            watch_timeout_s=watch_timeout_s,
            drain=drain,
            demand=demand,
        )
        self._environments: Final = Environments(plane)
        self._overlays: Final = Overlays(plane, self._shadows)
        self._rules: Final = Rules(plane)
        self._logs: Final = Logs(plane)

    def methods(self) -> dict[Method[Any, Any], Callable[[Any], Any]]:
        """Return what answers each method."""
        return {
            methods.GET_STATUS: lambda _: self._status.get(),
            methods.SHUTDOWN: lambda _: run(self._shut_down),
            methods.CREATE_ENVIRONMENT: self.create_environment,
            methods.LIST_ENVIRONMENTS: self.list_environments,
            methods.GET_ENVIRONMENT: self.get_environment,
            methods.DELETE_ENVIRONMENT: self.delete_environment,
            methods.PROMOTE_ENVIRONMENT: self.promote_environment,
            methods.STREAM_LOGS: self._logs.stream,
            methods.CREATE_OVERLAY: self.create_overlay,
            methods.LIST_OVERLAYS: self.list_overlays,
            methods.GET_OVERLAY: self.get_overlay,
            methods.DELETE_OVERLAY: self.delete_overlay,
            methods.SET_SHADOW: self.set_shadow,
            methods.DISABLE_SHADOWS: lambda _: run(self._kill_switch.pull),
            methods.GET_REPORT: self._reports.get,
            methods.GET_PAIR: self._reports.pair,
            methods.EXPORT_PAIRS: self._reports.export,
            methods.ADD_IGNORE_RULE: self._rules.add,
            methods.LIST_IGNORE_RULES: self.list_ignore_rules,
            methods.REMOVE_IGNORE_RULE: self.remove_ignore_rule,
        }

    def create_environment(self, request: v1.CreateEnvironmentRequest) -> AsyncIterator[v1.Progress]:
        """Start an environment."""
        file = _file(request.file, "env.yaml")
        return run(lambda tell: self._environments.create(request.name, file, tell))

    def promote_environment(self, request: v1.PromoteEnvironmentRequest) -> AsyncIterator[v1.Progress]:
        """Make a baseline."""
        if request.context or request.namespace:
            raise RefusedError(
                "--context and --namespace are about a Kubernetes cluster, and this control plane runs services on "
                "this machine: leave them out."
            )
        return run(lambda tell: self._environments.promote(request.name, request.file, tell))

    def delete_environment(self, request: v1.DeleteEnvironmentRequest) -> AsyncIterator[v1.Progress]:
        """Stop and forget an environment."""
        return run(lambda tell: self._environments.delete(request.name, tell))

    async def list_environments(self, _: v1.ListEnvironmentsRequest) -> v1.ListEnvironmentsResponse:
        """Return all environments, by name."""
        found = sorted(self._plane.state.environments.items())
        return v1.ListEnvironmentsResponse(
            environments=[describe.environment_info(self._plane, record) for _, record in found]
        )

    async def get_environment(self, request: v1.GetEnvironmentRequest) -> v1.EnvironmentInfo:
        """Return one environment."""
        return describe.environment_info(self._plane, queries.environment(self._plane.state, request.name))

    def create_overlay(self, request: v1.CreateOverlayRequest) -> AsyncIterator[v1.Progress]:
        """Start an overlay, or say what would run."""
        file = _file(request.file, "patch.yaml")
        return run(
            lambda tell: self._overlays.create(request.name, request.baseline, file, dry_run=request.dry_run, tell=tell)
        )

    async def list_overlays(self, _: v1.ListOverlaysRequest) -> v1.ListOverlaysResponse:
        """Return all overlays, by name."""
        found = sorted(self._plane.state.overlays.items())
        return v1.ListOverlaysResponse(overlays=[describe.overlay_info(self._plane, record) for _, record in found])

    async def get_overlay(self, request: v1.GetOverlayRequest) -> v1.OverlayInfo:
        """Return one overlay."""
        return describe.overlay_info(self._plane, queries.overlay(self._plane.state, request.name))

    def delete_overlay(self, request: v1.DeleteOverlayRequest) -> AsyncIterator[v1.Progress]:
        """Stop and forget an overlay."""
        return run(lambda tell: self._overlays.delete(request.name, tell))

    def set_shadow(self, request: v1.SetShadowRequest) -> AsyncIterator[v1.Progress]:
        """Switch a shadow on, or off."""
        if not request.enable:
            return run(lambda tell: self._shadows.disable(request.overlay, tell))
        wish = Wish(
            sample_ppm=request.sample_ppm,
            max_rps=request.max_rps,
            methods=tuple(request.methods),
            unsafe_methods=request.unsafe_methods,
            control=request.control,
            services=tuple(request.services),
            max_body_bytes=request.max_body_bytes,
            recheck_rps=request.recheck_rps,
            keep_pairs=request.keep_pairs,
            strip_headers=tuple(request.strip_headers),
            strip_nothing=request.strip_nothing,
            ttl_ms=request.ttl_ms,
            max_total_rps=request.max_total_rps,
        )
        return run(lambda tell: self._shadows.enable(request.overlay, wish, tell))

    async def list_ignore_rules(self, request: v1.ListIgnoreRulesRequest) -> v1.ListIgnoreRulesResponse:
        """Return the ignore rules."""
        return v1.ListIgnoreRulesResponse(rules=self._rules.list(request.overlay))

    async def remove_ignore_rule(self, request: v1.RemoveIgnoreRuleRequest) -> v1.RemoveIgnoreRuleResponse:
        """Remove an ignore rule."""
        await self._rules.remove(request.id)
        return v1.RemoveIgnoreRuleResponse()


def _file(file: v1.SourceFile | None, expected: str) -> v1.SourceFile:
    if file is None:
        raise UsageError(f"The request has no file: send the text of {expected}.")
    return file
