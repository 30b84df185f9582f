"""Resources that expire: when to renew them, and with what. Pure.

A client drops a resource with a TTL when nothing has renewed it in time; a heartbeat is the resource's name and version
without its body. Only clients that say so understand it (xDS protocol, "TTL"). In the state of the world resources are
renewed with their bodies: a full set must not lack one, and of the other types Envoy (measured on 1.40) takes a
heartbeat, ACKs it, and lets the resource expire all the same. A resource with an end of its own is not renewed; where
it is sent again beside others, it is with the time that remains then.
"""

from typing import Final

from microstax.xds.holding import Holding
from microstax.xds.messages import Item, Node, Variant
from microstax.xds.resources import Resource
from microstax.xds.type_urls import FULL_STATE

_TTL_FEATURE: Final = "xds.config.supports-resource-ttl"
_WRAP_FEATURE: Final = "xds.config.supports-resource-in-sotw"


def knows_ttl(node: Node | None, variant: Variant) -> bool:
    """Return whether a client takes TTLs; in the state of the world they need wrapped resources."""
    features = node.features if node else frozenset()
    return _TTL_FEATURE in features and (variant is Variant.DELTA or _WRAP_FEATURE in features)


def renewal_due(holding: Holding, now: float) -> float | None:
    """Return when the TTLs of a type have to be renewed (half of the shortest one from now); None if there are none."""
    ttls = [r.ttl_s for r in holding.in_force() if r.ttl_s is not None]
    return now + min(ttls) / 2 if ttls else None


def renewal(holding: Holding, variant: Variant) -> tuple[Item, ...]:
    """Return what renews the TTLs of a type: heartbeats in delta, bodies in the state of the world."""
    full = variant is Variant.SOTW and holding.type_url in FULL_STATE
    known = [held for held in holding.client.values() if isinstance(held, Resource)]
    listed = known if full else [r for r in known if r.ttl_s is not None]
    return tuple(Item(r, with_ttl=r.mortal, heartbeat=variant is Variant.DELTA) for r in listed)
