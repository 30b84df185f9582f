"""What a health check says is wrong."""

import pytest

from microstax.model.environment import Address, HealthCheck
from microstax.runtime.port import ProcessKey, ProcessSpec
from microstax.runtime.probe import probe


@pytest.mark.parametrize("path", [None, "/healthz"])
async def test_a_name_that_does_not_resolve_is_said_to_be_one(path: str | None) -> None:
    address = Address("no-such-host.invalid", 80)
    spec = ProcessSpec(key=ProcessKey("prod", "shop"), address=address, health=HealthCheck(path=path, timeout_s=30))
    said = await probe(spec)
    assert said is not None
    assert said.endswith("failed: the host's name cannot be resolved")
