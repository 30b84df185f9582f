"""One state leads to the next; the one before stays as it was."""

from microstax.model.environment import EnvironmentSpec
from microstax.model.overlay import OverlaySpec
from microstax.model.shadow import ShadowSettings
from microstax.store.state import (
    DropEnvironment,
    DropOverlay,
    DropRule,
    EnvironmentRecord,
    OverlayRecord,
    PortKey,
    PutEnvironment,
    PutOverlay,
    PutPorts,
    PutRule,
    PutShadow,
    RuleRecord,
    ShadowRecord,
    State,
    apply,
    outdated,
)

ENVIRONMENT = EnvironmentRecord(spec=EnvironmentSpec(name="prod", services=()), created_ms=1)
OVERLAY = OverlayRecord(spec=OverlaySpec(name="branch", baseline="prod", services=()), created_ms=1)
PORTS = {PortKey("prod", "a", "process"): 1, PortKey("branch", "a", "process"): 2}


def shadow(generation: int) -> ShadowRecord:
    return ShadowRecord(overlay="branch", settings=ShadowSettings(), generation=generation, since_ms=1)


def test_what_is_dropped_takes_along_what_is_its() -> None:
    state = State()
    for change in (PutEnvironment(ENVIRONMENT), PutOverlay(OVERLAY), PutShadow(shadow(1)), PutPorts(PORTS)):
        state = apply(state, change)
    without = apply(state, DropOverlay("branch"))
    assert (without.overlays, without.shadows) == ({}, {})
    assert without.ports == {PortKey("prod", "a", "process"): 1}
    assert apply(without, DropEnvironment("prod")) == State()
    assert state.overlays == {"branch": OVERLAY}


def test_rules_come_and_go() -> None:
    state = apply(State(), PutRule(RuleRecord(id=3, path="$.a")))
    assert apply(state, DropRule(3)) == State()
    assert apply(state, DropRule(4)) == state


def test_results_go_with_their_overlay_or_their_generation() -> None:
    state = apply(State(), PutShadow(shadow(1)))
    assert outdated(state, PutShadow(shadow(1))) is None
    assert outdated(state, PutShadow(shadow(2))) == "branch"
    assert outdated(State(), PutShadow(shadow(2))) is None
    assert outdated(state, DropOverlay("branch")) == "branch"
    assert outdated(state, PutPorts({})) is None
