"""The most expensive pairs that we know of cost little: a branch cannot buy a worker's time with its answers."""

import time

import pytest
from hostile.costly_pairs import costly_pairs

from microstax.diff import ServiceAggregate, compare
from microstax.testing import a_response, a_triple, an_exchange

CPU_S = 2.0
"""Twenty times what a pair may take on a machine of today, in CPU time, so that no other work can make it fail."""


@pytest.mark.parametrize("size", [64 * 1024, 256 * 1024])
def test_a_pair_that_is_made_to_cost_much_does_not(size: int) -> None:
    for name, base, branch in costly_pairs(size):
        triple = a_triple(a_response(base), a_response(branch), a_response(branch + b" "))
        aggregate = ServiceAggregate.empty()
        began = time.process_time()
        aggregate.add(triple)
        assert time.process_time() - began < CPU_S, name
        assert len(aggregate.to_bytes()) < 200_000, name


def test_what_costs_much_is_found_to_differ() -> None:
    """What is cut short for its costs is no silence: a difference is told, though perhaps not where it is."""
    for name, base, branch in costly_pairs(32 * 1024):
        found = compare(an_exchange(response=a_response(base)), an_exchange(response=a_response(branch)))
        assert found, name
