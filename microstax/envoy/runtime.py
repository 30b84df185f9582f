"""The runtime layer: every mirror's share, served by RTDS."""

from envoy_data_plane.envoy.service.runtime.v3 import Runtime
from envoy_data_plane.google.protobuf import Struct

from microstax.envoy import names
from microstax.envoy.resources import RUNTIME_TYPE, BuiltResource
from microstax.model.plan import TeeService


def layer(services: tuple[TeeService, ...], *, until_ms: int = 0) -> BuiltResource:
    """Build the layer; without mirrors an empty one, since an Envoy waits for its layer when it starts.

    At `until_ms` (Unix milliseconds; 0: never) Envoy forgets the layer, also if nobody is there to say so: then the
    route table's own share holds, which is 0.
    """
    shares = {
        names.fraction_key(service.name, mirror.side, mirror.overlay): mirror.ppm
        for service in services
        for mirror in service.mirrors
    }
    fields = {key: {"numerator": ppm, "denominator": "MILLION"} for key, ppm in sorted(shares.items())}
    message = Runtime(name=names.RUNTIME_LAYER, layer=Struct.from_dict(fields))
    expires_at = until_ms / 1000 if until_ms and shares else None
    return BuiltResource(type_url=RUNTIME_TYPE, name=names.RUNTIME_LAYER, body=bytes(message), expires_at=expires_at)
