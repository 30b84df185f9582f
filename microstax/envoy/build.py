"""A plan in, resources out."""

from microstax.envoy import bridge, tee
from microstax.envoy.check import check
from microstax.envoy.resources import BuiltResource
from microstax.model.plan import EnvoyPlan, TeePlan


def build(plan: EnvoyPlan) -> tuple[BuiltResource, ...]:
    """Return every resource of `plan`'s node, sorted by type and name.

    Equal plans give equal bytes. Parts that were built before are taken from a cache, since building is slow (about
    3 ms a cluster). Raises PlanError for a plan that cannot be carried out.
    """
    check(plan)
    found = tee.resources(plan) if isinstance(plan, TeePlan) else bridge.resources(plan)
    return tuple(sorted(found, key=lambda resource: (resource.type_url, resource.name)))
