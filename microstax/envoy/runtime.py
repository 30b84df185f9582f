"""The runtime layer: every mirror's share, served by RTDS."""

from envoy_data_plane.envoy.service.runtime.v3 import Runtime
from envoy_data_plane.google.protobuf import Struct

from microstax.envoy import names
from microstax.envoy.resources import RUNTIME_TYPE, BuiltResource
from microstax.model.plan import TeeService


def layer(services: tuple[TeeService, ...]) -> BuiltResource:
    """Build the layer; without mirrors an empty one, since an Envoy waits for its layer when it starts."""
    shares = {
        names.fraction_key(service.name, mirror.side, mirror.overlay): mirror.ppm
        for service in services
        for mirror in service.mirrors
    }
    fields = {key: {"numerator": ppm, "denominator": "MILLION"} for key, ppm in sorted(shares.items())}
    message = Runtime(name=names.RUNTIME_LAYER, layer=Struct.from_dict(fields))
    return BuiltResource(type_url=RUNTIME_TYPE, name=names.RUNTIME_LAYER, body=bytes(message))
