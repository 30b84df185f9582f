import pytest

from microstax.model.environment import EnvironmentSpec, PromotedService, Promotion, ServiceSpec
from microstax.model.overlay import BridgeAllowance, OverlaySpec
from microstax.model.shadow import ControlMode, ShadowSettings
from microstax.store.state import (
    EnvironmentRecord,
    OverlayRecord,
    PortKey,
    PutEnvironment,
    PutOverlay,
    PutPorts,
    PutShadow,
    ShadowRecord,
    State,
    apply,
)


@pytest.fixture
def state() -> State:
    """Return a baseline with three services (one a url), an overlay of two of them, its shadow on."""
    services = (
        ServiceSpec(name="catalog", command=("catalog", "$(PORT)"), port=8081, env={"MODE": "v1"}),
        ServiceSpec(name="pricing", command=("pricing",), port=8082),
        ServiceSpec(name="stock", url="http://127.0.0.1:9000", port=8083),
    )
    promotion = Promotion(environment="prod", at_ms=1, services=(PromotedService(name="catalog", version="1"),))
    overlay = OverlaySpec(
        name="branch",
        baseline="prod",
        services=(
            ServiceSpec(name="catalog", command=("catalog", "--v2"), env={"MODE": "v2"}),
            ServiceSpec(name="stock", url="http://127.0.0.1:9001"),
        ),
        bridge=(BridgeAllowance(service="pricing", methods=("POST",)),),
    )
    ports = {
        PortKey("prod", "catalog", "process"): 20001,
        PortKey("prod", "pricing", "process"): 20002,
        PortKey("branch", "catalog", "process"): 20003,
        PortKey("branch", "catalog", "control"): 20004,
        PortKey("branch", "catalog", "bridge"): 20005,
        PortKey("branch", "pricing", "bridge"): 20006,
        PortKey("branch", "stock", "bridge"): 20007,
    }
    settings = ShadowSettings(enabled=True, control=ControlMode.COPY)
    made = State()
    for change in (
        PutEnvironment(
            EnvironmentRecord(spec=EnvironmentSpec(name="prod", services=services), created_ms=1, promotion=promotion)
        ),
        PutOverlay(OverlayRecord(spec=overlay, created_ms=2)),
        PutPorts(ports),
        PutShadow(ShadowRecord(overlay="branch", settings=settings, generation=1, since_ms=3)),
    ):
        made = apply(made, change)
    return made
