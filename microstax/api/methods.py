"""The methods of the management API: their paths on the wire, message types and kinds."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import betterproto2

from microstax.generated.management.microstax.management import v1

Request = TypeVar("Request", bound=betterproto2.Message)
Response = TypeVar("Response", bound=betterproto2.Message)

PACKAGE: Final = "microstax.management.v1"
MANAGEMENT: Final = f"{PACKAGE}.Management"
WORKERS: Final = f"{PACKAGE}.Workers"
EXIT_CODE_TRAILER: Final = "microstax-exit-code"
"""Trailing metadata of a failed call: the exit code that the command line ends with."""


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """One method; `streams` tells whether the server answers with a stream (requests never are streams)."""

    service: str
    name: str
    request: type[Request]
    response: type[Response]
    streams: bool = False

    @property
    def path(self) -> str:
        """The HTTP/2 path of a call."""
        return f"/{self.service}/{self.name}"


GET_STATUS: Final = Method(MANAGEMENT, "GetStatus", v1.GetStatusRequest, v1.GetStatusResponse)
SHUTDOWN: Final = Method(MANAGEMENT, "Shutdown", v1.ShutdownRequest, v1.Progress, streams=True)
CREATE_ENVIRONMENT: Final = Method(
    MANAGEMENT, "CreateEnvironment", v1.CreateEnvironmentRequest, v1.Progress, streams=True
)
LIST_ENVIRONMENTS: Final = Method(
    MANAGEMENT, "ListEnvironments", v1.ListEnvironmentsRequest, v1.ListEnvironmentsResponse
)
GET_ENVIRONMENT: Final = Method(MANAGEMENT, "GetEnvironment", v1.GetEnvironmentRequest, v1.EnvironmentInfo)
DELETE_ENVIRONMENT: Final = Method(
    MANAGEMENT, "DeleteEnvironment", v1.DeleteEnvironmentRequest, v1.Progress, streams=True
)
PROMOTE_ENVIRONMENT: Final = Method(
    MANAGEMENT, "PromoteEnvironment", v1.PromoteEnvironmentRequest, v1.Progress, streams=True
)
STREAM_LOGS: Final = Method(MANAGEMENT, "StreamLogs", v1.StreamLogsRequest, v1.LogChunk, streams=True)
CREATE_OVERLAY: Final = Method(MANAGEMENT, "CreateOverlay", v1.CreateOverlayRequest, v1.Progress, streams=True)
LIST_OVERLAYS: Final = Method(MANAGEMENT, "ListOverlays", v1.ListOverlaysRequest, v1.ListOverlaysResponse)
GET_OVERLAY: Final = Method(MANAGEMENT, "GetOverlay", v1.GetOverlayRequest, v1.OverlayInfo)
DELETE_OVERLAY: Final = Method(MANAGEMENT, "DeleteOverlay", v1.DeleteOverlayRequest, v1.Progress, streams=True)
SET_SHADOW: Final = Method(MANAGEMENT, "SetShadow", v1.SetShadowRequest, v1.Progress, streams=True)
DISABLE_SHADOWS: Final = Method(MANAGEMENT, "DisableShadows", v1.DisableShadowsRequest, v1.Progress, streams=True)
GET_REPORT: Final = Method(MANAGEMENT, "GetReport", v1.GetReportRequest, v1.GetReportResponse)
GET_PAIR: Final = Method(MANAGEMENT, "GetPair", v1.GetPairRequest, v1.PairRecord)
EXPORT_PAIRS: Final = Method(MANAGEMENT, "ExportPairs", v1.ExportPairsRequest, v1.PairRecord, streams=True)
ADD_IGNORE_RULE: Final = Method(MANAGEMENT, "AddIgnoreRule", v1.IgnoreRule, v1.IgnoreRule)
LIST_IGNORE_RULES: Final = Method(MANAGEMENT, "ListIgnoreRules", v1.ListIgnoreRulesRequest, v1.ListIgnoreRulesResponse)
REMOVE_IGNORE_RULE: Final = Method(
    MANAGEMENT, "RemoveIgnoreRule", v1.RemoveIgnoreRuleRequest, v1.RemoveIgnoreRuleResponse
)
WATCH_TARGETS: Final = Method(WORKERS, "WatchTargets", v1.WatchTargetsRequest, v1.TargetList, streams=True)
SUBMIT_DELTA: Final = Method(WORKERS, "SubmitDelta", v1.Delta, v1.DeltaAck)
