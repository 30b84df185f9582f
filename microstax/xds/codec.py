"""Discovery messages as bytes. The only module that knows the protobuf classes."""

from datetime import timedelta
from typing import Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from microstax.generated.wire import discovery_pb2 as wire
from microstax.xds.messages import DeltaRequest, Item, Node, Request, SendResponse, SotwRequest, Variant
from microstax.xds.type_urls import WRAPPED_RESOURCE

IDENTIFIER: Final = "microstax"
"""What responses say about who sent them; the same on every replica, so that equal responses are equal bytes."""


def decode_request(variant: Variant, data: bytes) -> Request:
    """Parse a request of the variant. Raises ValueError if the bytes are none."""
    try:
        if variant is Variant.DELTA:
            return _delta_request(wire.DeltaDiscoveryRequest.FromString(data))
        return _sotw_request(wire.DiscoveryRequest.FromString(data))
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the request is no discovery request: {error}") from error


def _sotw_request(message: wire.DiscoveryRequest) -> SotwRequest:
    return SotwRequest(
        type_url=message.type_url,
        node=_node(message.node) if message.HasField("node") else None,
        names=tuple(message.resource_names),
        version=message.version_info,
        nonce=message.response_nonce,
        error=message.error_detail.message.strip() if message.HasField("error_detail") else None,
    )


def _delta_request(message: wire.DeltaDiscoveryRequest) -> DeltaRequest:
    return DeltaRequest(
        type_url=message.type_url,
        node=_node(message.node) if message.HasField("node") else None,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=message.error_detail.message.strip() if message.HasField("error_detail") else None,
    )


def _node(node: wire.Node) -> Node:
    return Node(
        id=node.id,
        cluster=node.cluster,
        features=frozenset(node.client_features),
        user_agent=f"{node.user_agent_name} {_version(node)}".strip(),
        metadata=MessageToDict(node.metadata) if node.HasField("metadata") else {},
    )


def _version(node: wire.Node) -> str:
    """Return the client's version: gRPC says it as text, Envoy as numbers."""
    if node.WhichOneof("user_agent_version_type") != "user_agent_build_version":
        return node.user_agent_version
    version = node.user_agent_build_version.version
    return f"{version.major_number}.{version.minor_number}.{version.patch}"


def encode_response(variant: Variant, response: SendResponse, *, at: float) -> bytes:
    """Serialise a response for the variant, as it is sent `at` this time (seconds since the epoch)."""
    if variant is Variant.DELTA:
        return wire.DeltaDiscoveryResponse(
            system_version_info=response.version,
            resources=[_wrapped(item, item.resource.version, at) for item in response.items],
            type_url=response.type_url,
            nonce=response.nonce,
            removed_resources=response.removed,
            control_plane=wire.ControlPlane(identifier=IDENTIFIER),
        ).SerializeToString()
    message = wire.DiscoveryResponse(
        version_info=response.version,
        type_url=response.type_url,
        nonce=response.nonce,
        control_plane=wire.ControlPlane(identifier=IDENTIFIER),
    )
    for item in response.items:
        if item.with_ttl:
            # Envoy knows a heartbeat by the version of the whole response, which in this form is the only version.
            wrapped = _wrapped(item, response.version, at)
            message.resources.add(type_url=WRAPPED_RESOURCE, value=wrapped.SerializeToString())
        else:
            message.resources.add(type_url=item.resource.type_url, value=item.resource.body)
    return message.SerializeToString()


def _wrapped(item: Item, version: str, at: float) -> wire.Resource:
    resource = item.resource
    message = wire.Resource(name=resource.name, version=version)
    if not item.heartbeat:
        message.resource.type_url = resource.type_url
        message.resource.value = resource.body
    remaining_s = resource.remaining_s(at)
    if item.with_ttl and remaining_s is not None:
        message.ttl.FromTimedelta(timedelta(seconds=remaining_s))
    return message
