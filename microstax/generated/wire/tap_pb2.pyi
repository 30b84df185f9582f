from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HeaderValue(_message.Message):
    __slots__ = ("key", "value", "raw_value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    RAW_VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    raw_value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., raw_value: _Optional[bytes] = ...) -> None: ...

class Body(_message.Message):
    __slots__ = ("as_bytes", "as_string", "truncated")
    AS_BYTES_FIELD_NUMBER: _ClassVar[int]
    AS_STRING_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    as_bytes: bytes
    as_string: bytes
    truncated: bool
    def __init__(self, as_bytes: _Optional[bytes] = ..., as_string: _Optional[bytes] = ..., truncated: _Optional[bool] = ...) -> None: ...

class Timestamp(_message.Message):
    __slots__ = ("seconds", "nanos")
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    NANOS_FIELD_NUMBER: _ClassVar[int]
    seconds: int
    nanos: int
    def __init__(self, seconds: _Optional[int] = ..., nanos: _Optional[int] = ...) -> None: ...

class HttpMessage(_message.Message):
    __slots__ = ("headers", "body", "trailers", "headers_received_time")
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    TRAILERS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_RECEIVED_TIME_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedScalarFieldContainer[bytes]
    body: Body
    trailers: _containers.RepeatedScalarFieldContainer[bytes]
    headers_received_time: Timestamp
    def __init__(self, headers: _Optional[_Iterable[bytes]] = ..., body: _Optional[_Union[Body, _Mapping]] = ..., trailers: _Optional[_Iterable[bytes]] = ..., headers_received_time: _Optional[_Union[Timestamp, _Mapping]] = ...) -> None: ...

class SocketAddress(_message.Message):
    __slots__ = ("address", "port_value")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_VALUE_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    port_value: int
    def __init__(self, address: _Optional[bytes] = ..., port_value: _Optional[int] = ...) -> None: ...

class Address(_message.Message):
    __slots__ = ("socket_address",)
    SOCKET_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    socket_address: SocketAddress
    def __init__(self, socket_address: _Optional[_Union[SocketAddress, _Mapping]] = ...) -> None: ...

class Connection(_message.Message):
    __slots__ = ("local_address", "remote_address")
    LOCAL_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REMOTE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    local_address: Address
    remote_address: Address
    def __init__(self, local_address: _Optional[_Union[Address, _Mapping]] = ..., remote_address: _Optional[_Union[Address, _Mapping]] = ...) -> None: ...

class HttpBufferedTrace(_message.Message):
    __slots__ = ("request", "response", "downstream_connection")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    DOWNSTREAM_CONNECTION_FIELD_NUMBER: _ClassVar[int]
    request: HttpMessage
    response: HttpMessage
    downstream_connection: Connection
    def __init__(self, request: _Optional[_Union[HttpMessage, _Mapping]] = ..., response: _Optional[_Union[HttpMessage, _Mapping]] = ..., downstream_connection: _Optional[_Union[Connection, _Mapping]] = ...) -> None: ...

class TraceWrapper(_message.Message):
    __slots__ = ("http_buffered_trace",)
    HTTP_BUFFERED_TRACE_FIELD_NUMBER: _ClassVar[int]
    http_buffered_trace: HttpBufferedTrace
    def __init__(self, http_buffered_trace: _Optional[_Union[HttpBufferedTrace, _Mapping]] = ...) -> None: ...
