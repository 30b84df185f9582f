"""The tap request, the counters and the flags: what we ask an Envoy, and how its answers are read."""

import json
import re
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.envoy import TAP_CONFIG_ID, tap_request
from microstax.envoy.stats import STATS_PATH, MirrorCounters, MirrorKey, read_counters
from microstax.model.exchange import Side


@given(st.integers(1, 100_000), st.integers(1, 10_000_000), st.integers(0, 2**31))
def test_a_tap_request_can_only_have_the_safe_sink_and_format(traces: int, timeout_ms: int, body: int) -> None:
    """A streaming_grpc sink, or a format that the sink does not support, aborts the Envoy process."""
    request = json.loads(tap_request(traces, timeout_ms, body))
    assert request["config_id"] == TAP_CONFIG_ID
    output = request["tap_config"]["output_config"]
    (sink,) = output["sinks"]
    assert set(sink) == {"format", "buffered_admin"}
    assert sink["format"] == "PROTO_BINARY_LENGTH_DELIMITED"
    assert sink["buffered_admin"]["max_traces"] == traces
    assert float(sink["buffered_admin"]["timeout"].removesuffix("s")) * 1000 == pytest.approx(timeout_ms)
    assert "streaming" not in output
    assert output["max_buffered_rx_bytes"] == output["max_buffered_tx_bytes"] == body


@pytest.mark.parametrize("wrong", [(0, 1, 1), (100_001, 1, 1), (1, 0, 1), (1, 1, -1)])
def test_a_tap_request_out_of_range_is_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no such tap"):
        tap_request(*wrong)


def test_counters_are_read_by_their_names_and_the_filter_lets_them_pass() -> None:
    values = {
        "server.uptime": 12,
        "cluster.copy/catalog/branch/next.upstream_rq_total": 10,
        "cluster.copy/catalog/branch/next.upstream_rq_active_overflow": 2,
        "cluster.copy/catalog/branch/next.upstream_rq_active": 1,
        "cluster.branch/catalog/branch/next/h1.upstream_rq_timeout": 3,
        "cluster.branch/catalog/branch/next/h2.upstream_rq_timeout": 4,
        "cluster.branch/catalog/branch/next/h1.upstream_rq_pending_overflow": 1,
        "cluster.branch/catalog/branch/next/h1.upstream_rq_active_overflow": 1,
        "cluster.branch/catalog/branch/next/h1.upstream_rq_pending_failure_eject": 5,
        "cluster.branch/catalog/branch/next/h1.upstream_rq_rx_reset": 6,
        "cluster.branch/catalog/branch/next/h1.upstream_cx_destroy_with_active_rq": 8,
        "cluster.branch/catalog/branch/next/h2.upstream_cx_destroy_with_active_rq": 2,
        "cluster.baseline/catalog.upstream_rq_pending_failure_eject": 11,
        "http.tee/catalog.downstream_rq_total": 60,
        "http.tee/catalog.downstream_rq_rx_reset": 4,
        "http.tee/catalog.tap.rq_tapped": 12,
        "http.copies/catalog.tap.rq_tapped": 10,
        "vhost.tee/catalog.route.mirrored/next.upstream_rq_total": 5,
        "vhost.tee/catalog.route.mirrored/next+other.upstream_rq_total": 7,
        "vhost.tee/catalog.route.skipped/preview.upstream_rq_total": 3,
        "vhost.tee/catalog.route.skipped/method/POST.upstream_rq_total": 7,
        "vhost.tee/catalog.route.skipped/size.upstream_rq_total": 8,
        "vhost.tee/catalog.route.skipped/sampling.upstream_rq_total": 9,
        "vhost.tee/catalog.route.skipped/upgrade.upstream_rq_total": 1,
        "cluster.bridge/pricing.upstream_rq_total": 20,
        "cluster.bridge/pricing.upstream_rq_active_overflow": 1,
        "http.bridge/pricing.rbac.policy.POST.denied": 4,
    }
    (pattern,) = parse_qs(STATS_PATH.partition("?")[2])["filter"]
    assert all(re.search(pattern, name) for name in values)
    assert not re.search(pattern, "cluster.baseline/catalog.upstream_rq_total")
    assert not re.search(pattern, "http.tee/catalog.rds.tee/catalog.update_attempt")
    counters = read_counters(values)
    assert counters.uptime_s == 12
    assert counters.mirrors == {
        MirrorKey("catalog", "next", Side.BRANCH): MirrorCounters(
            mirrored=10,
            dropped=2,
            overflow=2,
            timeouts=7,
            connect_failures=5,
            resets=6,
            h1_timeouts=3,
            h1_ended=8,
            h2_ended=2,
            active=1,
        )
    }
    skipped = counters.skipped["catalog"]
    assert (dict(skipped.methods), skipped.size, skipped.sampling, skipped.upgrade) == ({"POST": 7}, 8, 9, 1)
    assert skipped.preview == 3
    tee = counters.tees["catalog"]
    assert (tee.entered, tee.unreached, tee.given_up, tee.tapped) == (60, 11, 4, 22)
    assert dict(tee.routed) == {("next",): 5, ("next", "other"): 7}
    bridge = counters.bridges["pricing"]
    assert (bridge.passed, bridge.overflow, dict(bridge.blocked)) == (20, 1, {"POST": 4})


def test_an_envoy_that_has_counted_nothing() -> None:
    counters = read_counters({})
    assert (counters.uptime_s, dict(counters.mirrors), dict(counters.skipped)) == (0, {}, {})
