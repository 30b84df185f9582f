"""Resources and snapshots: versions, differences, and what is found inconsistent."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.generated.wire import discovery_pb2 as wire
from microstax.xds import FindingKind, Resource, Snapshot
from microstax.xds.playbook import thing
from microstax.xds.resources import empty_endpoints
from microstax.xds.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, send_rank, short_name

C, E, L, R, S = (partial(thing, t) for t in (CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET))


def consistent() -> list[Resource]:
    return [
        C("a", needs=[(ENDPOINT, "a")]),
        E("a"),
        L("l", needs=[(ROUTE, "r"), (SECRET, "s")]),
        R("r", needs=[(CLUSTER, "a")]),
        S("s"),
    ]


def test_a_consistent_snapshot_has_no_findings() -> None:
    assert Snapshot.of(consistent()).findings() == ()


@pytest.mark.parametrize(("missing", "kind", "sentence"), [
    (("a", CLUSTER), FindingKind.DANGLING, "Cluster 'a': dangling (RouteConfiguration 'r')"),
    (("r", ROUTE), FindingKind.DANGLING, "RouteConfiguration 'r': dangling (Listener 'l')"),
    (("s", SECRET), FindingKind.DANGLING, "Secret 's': dangling (Listener 'l')"),
    (("a", ENDPOINT), FindingKind.NO_ENDPOINTS, "ClusterLoadAssignment 'a': no endpoints (Cluster 'a')"),
])  # fmt: skip
def test_a_reference_that_nothing_answers_is_found(missing: tuple[str, str], kind: FindingKind, sentence: str) -> None:
    snapshot = Snapshot.of(r for r in consistent() if (r.name, r.type_url) != missing)
    found = [f for f in snapshot.findings() if f.kind is kind]
    assert [str(f) for f in found] == [sentence]


def test_what_nothing_refers_to_is_found() -> None:
    findings = Snapshot.of([*consistent(), E("orphan"), R("unused")]).findings()
    assert [(f.kind, f.name) for f in findings] == [
        (FindingKind.UNREFERENCED, "orphan"),
        (FindingKind.UNREFERENCED, "unused"),
    ]


def test_a_mirror_that_is_not_there_is_found() -> None:
    mirrored = R("r", needs=[(CLUSTER, "a"), (CLUSTER, "mirror")])
    findings = Snapshot.of([*(r for r in consistent() if r.type_url != ROUTE), mirrored]).findings()
    assert [(f.kind, f.name) for f in findings] == [(FindingKind.DANGLING, "mirror")]


def test_parents_that_are_served_elsewhere_are_not_missed() -> None:
    assert Snapshot.of([E("a"), R("r")]).findings() == ()


def test_the_difference_of_two_snapshots() -> None:
    old, new = Snapshot.of([C("a"), C("b"), E("e")]), Snapshot.of([C("a", "2"), C("c"), E("e")])
    assert new.changed_since(old) == {CLUSTER: frozenset({"a", "b", "c"})}
    assert new.changed_since(new) == {}
    assert new.changed_since(None) == {CLUSTER: frozenset({"a", "c"}), ENDPOINT: frozenset({"e"})}


names = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), min_size=1, max_size=300)


@given(names)
def test_an_empty_set_of_endpoints_is_a_message_with_its_name(name: str) -> None:
    """The wire form of ClusterLoadAssignment.cluster_name is that of Locality.region: string, field 1."""
    assert wire.Locality.FromString(empty_endpoints(name).body).region == name


@given(st.dictionaries(names, st.binary(max_size=20), max_size=8), st.randoms(use_true_random=False))
def test_a_version_depends_on_content_alone(contents: dict[str, bytes], random: object) -> None:
    resources = [Resource(name, CLUSTER, body) for name, body in contents.items()]
    shuffled = list(resources)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Snapshot.of(resources).version(CLUSTER) == Snapshot.of(shuffled).version(CLUSTER)
    if resources:
        changed = [*resources[1:], Resource(resources[0].name, CLUSTER, resources[0].body + b"!")]
        assert Snapshot.of(resources).version(CLUSTER) != Snapshot.of(changed).version(CLUSTER)


def test_unknown_types_are_sent_last_and_named_by_themselves() -> None:
    order = sorted(["zzz", ROUTE, "aaa", CLUSTER], key=send_rank)
    assert order == [CLUSTER, ROUTE, "aaa", "zzz"]
    assert (short_name(CLUSTER), short_name("plain")) == ("Cluster", "plain")


def test_a_version_tells_ends_apart_and_not_how_much_time_remains() -> None:
    versions = {Resource("a", CLUSTER, b"1", expires_at=end).version for end in (None, 10.0, 10.001, 10.0)}
    assert len(versions) == 3
    assert Resource("a", CLUSTER, b"1", ttl_s=10.0).version not in versions


def test_what_is_renewed_has_no_end() -> None:
    with pytest.raises(ValueError, match="renewing it would move the end"):
        Resource("a", CLUSTER, b"1", ttl_s=10.0, expires_at=10.0)


def test_what_has_ended_is_not_in_a_snapshot_any_more() -> None:
    snapshot = Snapshot.of([Resource(name, SECRET, b"1", expires_at=end) for name, end in (("a", 10.0), ("b", 20.0))])
    assert snapshot.next_end == 10.0
    assert snapshot.at(9.999) is snapshot
    later = snapshot.at(10.0)
    assert (set(later.resources(SECRET)), later.next_end) == ({"b"}, 20.0)
    assert later.changed_since(snapshot) == {SECRET: frozenset({"a"})}
    assert later.at(20.0).changed_since(later) == {SECRET: frozenset({"b"})}
    assert Snapshot.of(consistent()).next_end is None
