"""Merging with what is kept decoded gives what merging the stored bytes gives."""

import pytest

from microstax.control.comparing import Merger
from microstax.diff.aggregate import ServiceAggregate
from microstax.errors import StorageError, UsageError
from microstax.testing import a_request, a_response, a_triple


def found(*numbers: int) -> bytes:
    aggregate = ServiceAggregate.empty()
    for number in numbers:
        request = a_request(path=f"/{'abc'[number % 3]}/{number}")
        aggregate.add(a_triple(branch=a_response(status=500 + number % 2), request=request, id=f"id-{number}"))
    return aggregate.to_bytes()


def test_what_is_kept_decoded_gives_the_same_bytes() -> None:
    kept, stored, plain = Merger(), None, None
    for first in range(0, 200, 20):
        delta = found(*range(first, first + 20))
        stored = kept(stored, delta)
        plain = Merger()(plain, delta)
    assert stored == plain
    assert ServiceAggregate.from_bytes(stored or b"").pairs == 200


def test_a_stored_aggregate_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    whole = ServiceAggregate.from_bytes
    monkeypatch.setattr(ServiceAggregate, "from_bytes", lambda body: decoded.append(body) or whole(body))
    merge, stored, deltas = Merger(), found(0), [found(number) for number in range(1, 6)]
    for delta in deltas:
        stored = merge(stored, delta)
    assert len(decoded) == 1 + len(deltas)


def test_what_was_rolled_back_counts_nowhere() -> None:
    merge = Merger()
    stored = merge(None, found(1))
    merge(stored, found(2, 3))  # and the disk was full
    again = merge(stored, found(4))
    assert ServiceAggregate.from_bytes(again).pairs == 2


def test_garbage_is_refused_and_spoils_nothing() -> None:
    merge = Merger()
    stored = merge(None, found(1))
    with pytest.raises(UsageError, match="cannot be read"):
        merge(stored, b"\xc1")
    with pytest.raises(StorageError):
        merge(b"\xc1", found(1))
    assert ServiceAggregate.from_bytes(merge(stored, found(2))).pairs == 2


def test_few_are_kept() -> None:
    merge = Merger(ready=3)
    for number in range(10):
        merge(None, found(number))
    assert len(merge._ready) == 3
