"""What an Envoy is to do, said in Envoy's words: plan -> resources, bootstrap, tap request, counters.

PURE: no I/O, no clock. Every name that Envoy sees is made in microstax.envoy.names. Importing the builders costs half a
second (envoy-data-plane), so nothing that only shows results may import this package.
"""

from microstax.envoy.bootstrap import arguments, bootstrap, concurrency_of
from microstax.envoy.build import build
from microstax.envoy.check import PlanError, check
from microstax.envoy.names import COPY_HEADER, LOCAL_HEADER, RUNTIME_LAYER, TAP_CONFIG_ID
from microstax.envoy.resources import BuiltResource
from microstax.envoy.tap import tap_request

__all__ = [
    "COPY_HEADER",
    "LOCAL_HEADER",
    "RUNTIME_LAYER",
    "TAP_CONFIG_ID",
    "BuiltResource",
    "PlanError",
    "arguments",
    "bootstrap",
    "build",
    "check",
    "concurrency_of",
    "tap_request",
]
