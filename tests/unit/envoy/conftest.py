"""Plans that the builders are tried with."""

import dataclasses
from typing import Any

import pytest

from microstax.model.environment import Address
from microstax.model.exchange import Side
from microstax.model.plan import BridgePlan, BridgeService, Mirror, Preview, TeePlan, TeeService


def _at(port: int) -> Address:
    return Address("127.0.0.1", port)


class Plans:
    """Builds plans; keyword arguments replace what is usual."""

    at = staticmethod(_at)

    @staticmethod
    def mirror(**options: Any) -> Mirror:
        usual = Mirror(
            overlay="next", side=Side.BRANCH, address=_at(9001), ppm=250_000, methods=("GET", "HEAD", "OPTIONS")
        )
        return dataclasses.replace(usual, **options)

    @staticmethod
    def service(*mirrors: Mirror, **options: Any) -> TeeService:
        usual = TeeService(name="catalog", listen=_at(8001), upstream=_at(9000), mirrors=mirrors)
        return dataclasses.replace(usual, **options)

    @staticmethod
    def tee(*services: TeeService, **options: Any) -> TeePlan:
        return dataclasses.replace(TeePlan(node_id="tee", environment="production", services=services), **options)

    @staticmethod
    def bridge(**options: Any) -> BridgePlan:
        service = BridgeService(name="pricing", listen=_at(8002), upstream=_at(9002), allowed_methods=("POST",))
        usual = BridgePlan(node_id="bridge", overlay="next", baseline="production", services=(service,))
        return dataclasses.replace(usual, **options)

    def full_tee(self) -> TeePlan:
        """Two overlays and a control on one service with a preview, a service by host name, one without a shadow."""
        catalog = self.service(
            self.mirror(),
            self.mirror(side=Side.CONTROL, address=_at(9000), ppm=50_000),
            self.mirror(
                overlay="other", address=_at(9003), ppm=1_000_000, methods=("GET", "POST"), max_body_bytes=1_000
            ),
            previews=(Preview(overlay="next", address=_at(9001)),),
        )
        search = self.service(name="search", listen=_at(8003), upstream=Address("search.internal", 80))
        return self.tee(catalog, search)


@pytest.fixture
def plans() -> Plans:
    return Plans()
