"""Print what the most expensive pairs that we know of cost: `python costly.py [bytes of a body]...`."""

import sys
import time
from typing import Final

from hostile.costly_pairs import costly_pairs

from microstax.diff import ServiceAggregate
from microstax.testing import a_response, a_triple

SIZES: Final = (64 * 1024, 1024 * 1024)
_SHOWN: Final = 8


def cost_ms(base: bytes, branch: bytes) -> float:
    """Return the CPU time of comparing and counting a pair and its control, which differs as well, in milliseconds."""
    triple = a_triple(a_response(base), a_response(branch), a_response(branch + b" "))
    aggregate = ServiceAggregate.empty()
    began = time.process_time()
    aggregate.add(triple)
    return 1000 * (time.process_time() - began)


def main() -> None:
    """Print a table for each size."""
    for size in map(int, sys.argv[1:]) if sys.argv[1:] else SIZES:
        costs = sorted(((cost_ms(base, branch), name) for name, base, branch in costly_pairs(size)), reverse=True)
        print(
            f"\nbodies of {size // 1024} KiB, {len(costs)} kinds; baseline, branch and a control that differs as well"
        )
        for cost, name in costs[:_SHOWN]:
            print(f"  {cost:8.1f} ms  {name}")


if __name__ == "__main__":
    main()
