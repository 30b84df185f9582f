"""Discovery messages as bytes, against Envoy's own definitions."""

from typing import Any

import pytest
from envoy_data_plane.envoy.config.core.v3 import BuildVersion
from envoy_data_plane.envoy.config.core.v3 import Node as EnvoyNode
from envoy_data_plane.envoy.service.discovery.v3 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from envoy_data_plane.envoy.service.discovery.v3 import Resource as EnvoyResource
from envoy_data_plane.envoy.type.v3 import SemanticVersion
from envoy_data_plane.google.protobuf import Struct
from envoy_data_plane.google.rpc import Status
from hypothesis import given
from hypothesis import strategies as st

from microstax.xds import Node, Resource, Variant
from microstax.xds.codec import decode_request, encode_response
from microstax.xds.messages import DeltaRequest, Item, SendResponse, SotwRequest
from microstax.xds.type_urls import CLUSTER, WRAPPED_RESOURCE


def envoy_node() -> EnvoyNode:
    node = EnvoyNode(id="edge", cluster="west", user_agent_name="envoy", client_features=["ttl"])
    node.metadata = Struct.from_dict({"zone": "a"})
    return node


def test_a_request_of_the_state_of_the_world_is_read() -> None:
    sent = DiscoveryRequest(
        version_info="v", node=envoy_node(), resource_names=["a", "b"], type_url=CLUSTER, response_nonce="n",
        error_detail=Status(code=3, message="no"),
    )  # fmt: skip
    request = decode_request(Variant.SOTW, bytes(sent))
    node = Node("edge", "west", frozenset({"ttl"}), "envoy")
    expected = SotwRequest(type_url=CLUSTER, node=node, names=("a", "b"), version="v", nonce="n", error="no")
    assert request == expected
    assert request.node is not None
    assert request.node.metadata == {"zone": "a"}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (EnvoyNode(user_agent_name="gRPC", user_agent_version="1.71"), "gRPC 1.71"),
        (
            EnvoyNode(
                user_agent_name="envoy",
                user_agent_build_version=BuildVersion(
                    version=SemanticVersion(major_number=1, minor_number=40, patch=2)
                ),
            ),
            "envoy 1.40.2",
        ),
    ],
)
def test_a_clients_version_is_read_as_text_and_as_numbers(node: EnvoyNode, expected: str) -> None:
    request = decode_request(Variant.DELTA, bytes(DeltaDiscoveryRequest(node=node)))
    assert request.node is not None
    assert request.node.user_agent == expected


def test_a_delta_request_is_read() -> None:
    sent = DeltaDiscoveryRequest(
        node=envoy_node(), type_url=CLUSTER, resource_names_subscribe=["a"], resource_names_unsubscribe=["b"],
        initial_resource_versions={"c": "1"}, response_nonce="n", error_detail=Status(),
    )  # fmt: skip
    request = decode_request(Variant.DELTA, bytes(sent))
    node = Node("edge", "west", frozenset({"ttl"}), "envoy")
    expected = DeltaRequest(
        type_url=CLUSTER, node=node, subscribe=("a",), unsubscribe=("b",), initial_versions={"c": "1"}, nonce="n",
        error="",
    )  # fmt: skip
    assert request == expected


def test_an_empty_request_has_neither_node_nor_error() -> None:
    request = decode_request(Variant.SOTW, b"")
    assert (request.node, request.error) == (None, None)


def response(**item: Any) -> SendResponse:
    resource = Resource("a", CLUSTER, b"\x0a\x01a", ttl_s=1.5)
    return SendResponse(type_url=CLUSTER, nonce="n", version="v", items=(Item(resource, **item),), removed=("gone",))


def test_a_response_of_the_state_of_the_world_is_what_envoy_defines() -> None:
    message = DiscoveryResponse.parse(encode_response(Variant.SOTW, response(), at=0))
    assert (message.version_info, message.nonce, message.type_url) == ("v", "n", CLUSTER)
    assert [(r.type_url, r.value) for r in message.resources] == [(CLUSTER, b"\x0a\x01a")]


def test_a_resource_with_a_ttl_is_wrapped() -> None:
    message = DiscoveryResponse.parse(encode_response(Variant.SOTW, response(with_ttl=True), at=0))
    assert message.resources[0].type_url == WRAPPED_RESOURCE
    wrapped = EnvoyResource.parse(message.resources[0].value)
    assert wrapped.ttl is not None
    assert (wrapped.name, wrapped.version, wrapped.ttl.total_seconds()) == ("a", "v", 1.5)


@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize(("at", "remaining_s"), [(1000.0, 50.25), (1050.0, 0.25), (1050.25, 0.001), (2000.0, 0.001)])
def test_an_end_is_sent_as_the_time_that_remains(variant: Variant, at: float, remaining_s: float) -> None:
    """However late it is sent; 0 would mean that it never ends."""
    item = Item(Resource("a", CLUSTER, b"1", expires_at=1050.25), with_ttl=True)
    data = encode_response(variant, SendResponse(type_url=CLUSTER, nonce="n", version="v", items=(item,)), at=at)
    if variant is Variant.DELTA:
        wrapped = DeltaDiscoveryResponse.parse(data).resources[0]
    else:
        wrapped = EnvoyResource.parse(DiscoveryResponse.parse(data).resources[0].value)
    assert wrapped.ttl is not None
    assert wrapped.ttl.total_seconds() == pytest.approx(remaining_s)


@pytest.mark.parametrize("heartbeat", [False, True])
def test_a_delta_response_is_what_envoy_defines(*, heartbeat: bool) -> None:
    data = encode_response(Variant.DELTA, response(with_ttl=heartbeat, heartbeat=heartbeat), at=0)
    message = DeltaDiscoveryResponse.parse(data)
    assert (message.system_version_info, message.nonce, message.removed_resources) == ("v", "n", ["gone"])
    resource = message.resources[0]
    assert (resource.name, resource.version) == ("a", Resource("a", CLUSTER, b"\x0a\x01a", ttl_s=1.5).version)
    assert (resource.resource is None, resource.ttl is not None) == (heartbeat, heartbeat)


@pytest.mark.parametrize("variant", Variant)
def test_bytes_that_are_no_request_are_refused_with_a_sentence(variant: Variant) -> None:
    with pytest.raises(ValueError, match="the request is no discovery request"):
        decode_request(variant, b"\xff\xff\xff")


@pytest.mark.parametrize("variant", Variant)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(variant: Variant, data: bytes) -> None:
    try:
        request = decode_request(variant, data)
    except ValueError:
        return
    assert isinstance(request, SotwRequest | DeltaRequest)
