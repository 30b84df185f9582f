"""The short form of the fault matrix: its most telling rows, with everything that must hold; no test of a p99."""

import asyncio

import pytest
from matrix.command import run
from matrix.row import Pace
from matrix.table import FAULTS, ROWS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SHORT = Pace(everything_s=3.0, slices=1, slice_s=0.5)


def test_nobody_notices_the_most_telling_faults() -> None:
    """No request fails or changes, Envoy's memory comes back, the report adds up, and all of it ends cleanly."""
    results = asyncio.run(run([row for row in ROWS if row.short], SHORT))
    assert len(results) == len([row for row in ROWS if row.short])
    assert [(one.title, one.wrong) for one in results if one.wrong] == []
    assert all(one.requests > 100 for one in results)


def test_every_fault_has_a_row_of_its_own() -> None:
    alone = {row.name for row in ROWS if len(row.faults) == 1}
    assert alone == set(FAULTS)
    assert len({row.name for row in ROWS}) == len(ROWS)
