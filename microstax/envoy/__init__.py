"""What an Envoy is to do, said in Envoy's words: plan -> resources, bootstrap, tap request, counters.

PURE: no I/O, no clock. Every name that Envoy sees is made in microstax.envoy.names. The builders (`envoy.build`, and
`envoy.check` with them) are not part of this facade: importing envoy-data-plane costs half a second, and the worker,
which reads traces and counters, has no use for it.
"""

from microstax.envoy.bootstrap import arguments, bootstrap, concurrency_of
from microstax.envoy.names import COPY_HEADER, LOCAL_HEADER, RUNTIME_LAYER, TAP_CONFIG_ID
from microstax.envoy.tap import tap_request

__all__ = [
    "COPY_HEADER",
    "LOCAL_HEADER",
    "RUNTIME_LAYER",
    "TAP_CONFIG_ID",
    "arguments",
    "bootstrap",
    "concurrency_of",
    "tap_request",
]
