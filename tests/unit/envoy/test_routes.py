"""Shares: each mirror gets its own, whatever others mirror the same service."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from microstax.envoy.routes import classes
from microstax.model.environment import Address
from microstax.model.exchange import Side
from microstax.model.plan import Mirror
from microstax.model.shadow import MILLION

METHODS = ("GET", "HEAD", "POST", "PUT")
mirrors = st.lists(
    st.builds(
        Mirror,
        overlay=st.sampled_from(["a", "b", "c", "d"]),
        side=st.sampled_from([Side.BRANCH, Side.CONTROL]),
        address=st.just(Address("127.0.0.1", 9000)),
        ppm=st.integers(0, MILLION),
        methods=st.lists(st.sampled_from(METHODS), min_size=1, unique=True).map(tuple),
        max_body_bytes=st.sampled_from([0, 100, 1000]),
        timeout_ms=st.just(1000),
    ),
    max_size=6,
    unique_by=lambda mirror: (mirror.overlay, mirror.side),
)


def copied_to(found: Any, method: str, size: int | None, number: int) -> set[tuple[str, Side]]:
    """Take the first route that matches, as Envoy does: `number` is the one random number of the request."""
    for group in found:
        fits = group.low < 0 if size is None else group.low < size <= group.high
        if method not in group.methods or not fits:
            continue
        for rank, gate in enumerate(group.mirrors):
            if number % MILLION < gate.ppm:
                return {(mirror.overlay, mirror.side) for mirror in group.mirrors[rank:]}
        return set()
    return set()


@given(mirrors, st.sampled_from(METHODS), st.sampled_from([None, 0, 1, 100, 101, 1000, 1001]), st.integers(0, 2**64))
def test_a_request_goes_to_exactly_the_mirrors_that_want_it(
    chosen: list[Mirror], method: str, size: int | None, number: int
) -> None:
    wanted = {
        (mirror.overlay, mirror.side)
        for mirror in chosen
        if method in mirror.methods
        and (size is None or size <= mirror.max_body_bytes)
        and number % MILLION < mirror.ppm
    }
    assert copied_to(classes(chosen), method, size, number) == wanted
