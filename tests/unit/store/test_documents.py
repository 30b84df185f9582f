"""What goes into the database comes out the same, and an older or newer document is still read."""

from hypothesis import given
from hypothesis import strategies as st

from microstax.model.environment import EnvironmentSpec, HealthCheck, PromotedService, Promotion, ServiceSpec
from microstax.model.shadow import ControlMode, ShadowSettings
from microstax.store.documents import decode, encode
from microstax.store.state import RuleRecord

TEXT = st.text(max_size=8)
HEALTH = st.builds(HealthCheck, path=st.none() | TEXT, interval_s=st.floats(0, 9))
SERVICES = st.builds(
    ServiceSpec,
    name=TEXT,
    command=st.lists(TEXT, max_size=3).map(tuple),
    url=st.none() | TEXT,
    port=st.none() | st.integers(1, 65535),
    env=st.dictionaries(TEXT, TEXT, max_size=3),
    health=HEALTH,
    depends_on=st.lists(TEXT, max_size=2).map(tuple),
)
DOCUMENTS = st.one_of(
    st.builds(EnvironmentSpec, name=TEXT, services=st.lists(SERVICES, max_size=3).map(tuple)),
    st.builds(
        Promotion,
        environment=TEXT,
        at_ms=st.integers(0, 2**53),
        services=st.lists(st.builds(PromotedService, name=TEXT, version=TEXT), max_size=2).map(tuple),
    ),
    st.builds(
        ShadowSettings,
        enabled=st.booleans(),
        methods=st.lists(TEXT, max_size=3).map(tuple),
        control=st.sampled_from(ControlMode),
    ),
)


@given(DOCUMENTS)
def test_what_goes_in_comes_out(document: object) -> None:
    text = encode(document)
    assert decode(type(document), text) == document
    assert encode(decode(type(document), text)) == text


def test_a_field_that_an_older_version_did_not_write_has_its_default() -> None:
    assert decode(ShadowSettings, '{"enabled": true}') == ShadowSettings(enabled=True)


def test_a_rule_that_was_stored_before_rules_could_expire_holds_for_ever() -> None:
    text = '{"id": 3, "path": "$.at", "reason": "a clock"}'
    assert decode(RuleRecord, text) == RuleRecord(id=3, path="$.at", reason="a clock", owner="", expires="")


def test_a_field_of_a_newer_version_is_left_out() -> None:
    assert decode(HealthCheck, '{"path": "/up", "colour": "green"}') == HealthCheck(path="/up")
