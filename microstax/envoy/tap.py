"""The request that opens an admin tap, in the one form that is safe.

A `streaming_grpc` sink, or a format that a sink does not support, aborts the Envoy process; `streaming_admin` has no
back-pressure, so a slow reader makes Envoy grow without bound. Nothing here can produce either.
"""

import json
from typing import Final

from microstax.envoy.names import TAP_CONFIG_ID

MAX_TRACES: Final = 100_000


def tap_request(max_traces: int, timeout_ms: int, max_body: int) -> bytes:
    """Return the body of a `POST /tap` that is answered after `max_traces` traces or `timeout_ms` milliseconds.

    The answer is a sequence of `envoy.data.tap.v3.TraceWrapper`, each with its length as a varint before it. Of every
    body the first `max_body` bytes are kept. Raises ValueError where a number is out of range.
    """
    if not 1 <= max_traces <= MAX_TRACES or timeout_ms < 1 or max_body < 0:
        raise ValueError(f"no such tap: {max_traces} traces, {timeout_ms} ms, {max_body} bytes of a body")
    sink = {
        "format": "PROTO_BINARY_LENGTH_DELIMITED",
        "buffered_admin": {"max_traces": max_traces, "timeout": f"{timeout_ms / 1000:.3f}s"},
    }
    output = {"sinks": [sink], "max_buffered_rx_bytes": max_body, "max_buffered_tx_bytes": max_body}
    tap = {"match": {"any_match": True}, "output_config": output}
    return json.dumps({"config_id": TAP_CONFIG_ID, "tap_config": tap}).encode()
