"""What a tee does on a real Envoy."""

from typing import Any

import pytest

from microstax.model.exchange import Side
from microstax.model.plan import Mirror, TeePlan, TeeService

pytestmark = [pytest.mark.e2e, pytest.mark.every_envoy]

EVERYTHING = 1_000_000


def tee(service: TeeService) -> TeePlan:
    return TeePlan(node_id="tee", environment="production", services=(service,))


async def test_a_mirrored_request_reaches_both_sides_and_both_are_captured(lab: Any) -> None:
    baseline, branch = await lab.backend(), await lab.backend()
    mirror = Mirror(overlay="next", side=Side.BRANCH, address=branch.address, ppm=EVERYTHING, methods=("GET",))
    port = lab.free_port()
    plan = tee(TeeService(name="catalog", listen=lab.address(), upstream=baseline.address, mirrors=(mirror,)))
    node = await lab.node(plan)
    port = plan.services[0].listen.port
    async with node.tapped() as tap:
        response = await lab.send(port, b"GET /items?x=1 HTTP/1.1\r\nHost: shop\r\nX-Odd: 1\r\n\r\n")
        await lab.eventually(lambda: branch.requests)
        print(response)
    print(tap)
    print(node.envoy.log())
    raise AssertionError
