"""How an Envoy is started."""

import json

import pytest

from microstax.envoy import arguments, bootstrap, concurrency_of
from microstax.errors import UsageError
from microstax.model.environment import Address
from microstax.model.plan import BridgePlan, TeePlan


def test_the_admin_socket_is_its_owners_alone() -> None:
    config = json.loads(bootstrap(node_id="n", cluster="c", ads="/a", admin="/b"))
    assert config["admin"]["address"] == {"pipe": {"path": "/b", "mode": 0o600}}


def test_tcp_addresses_are_possible() -> None:
    text = bootstrap(node_id="n", cluster="c", ads=Address("127.0.0.1", 1), admin=Address("127.0.0.1", 2))
    config = json.loads(text)
    assert config["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 2}


def test_a_socket_path_that_linux_refuses_is_refused_here() -> None:
    with pytest.raises(UsageError, match="longer than 107 bytes"):
        bootstrap(node_id="n", cluster="c", ads="/" + "a" * 107, admin="/b")


def test_arguments_need_no_shared_memory() -> None:
    command = arguments("/bin/envoy", "/tmp/b.json", concurrency=2)
    assert command[0] == "/bin/envoy"
    assert "--disable-hot-restart" in command
    assert command[command.index("--concurrency") + 1] == "2"


def test_a_tee_has_two_threads_and_a_bridge_one() -> None:
    tee = TeePlan(node_id="t", environment="e", services=())
    bridge = BridgePlan(node_id="b", overlay="o", baseline="e", services=())
    assert (concurrency_of(tee), concurrency_of(bridge)) == (2, 1)
