from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from microstax.store.memory import MemoryStore
from microstax.store.port import Store
from microstax.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Give one opened store of each kind: the fake must keep the promises of the real one."""
    kept: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state.db")
    await kept.open()
    yield kept
    await kept.close()
