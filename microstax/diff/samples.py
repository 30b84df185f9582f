"""A uniform sample of pairs, and what the requests of sampled pairs were like.

A pair's hash decides whether it is sampled, so samples of different discrepancies hold the same pairs as far as they
go: whether two discrepancies come together is read from how far their samples agree. Samples merge in any order.

A worker reports twice a second. Its next delta need not hold what its deltas before have held, and nothing that they
have pushed out: `Sample.rest` remembers which pairs were told, without telling them again. Once an endpoint has had
some thousand pairs hardly any enters a sample, and only of those that do is the request looked at.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from microstax.diff.distinct import Distinct
from microstax.diff.features import FEATURES
from microstax.diff.sayable import LONGEST
from microstax.diff.wire import Packed, data, items, text

ENDPOINT_PAIRS: Final = 64
"""Pairs that are sampled of an endpoint, whatever they show."""
SEEN_PAIRS: Final = 48
"""Pairs that are sampled of those that show a discrepancy on the branch alone."""
DESCRIBED_PAIRS: Final = 24
"""Of these, the first, the requests that are described."""
REQUESTS: Final = 256
"""Descriptions of one endpoint; twice as many while a flush lasts."""

_HASH_BYTES: Final = 8


class Sample(Distinct):
    """The pairs with the smallest hashes. `told` are those of them that earlier deltas held, which are not packed."""

    __slots__ = ("told",)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.told: frozenset[int] = frozenset()

    def take(self, pair: int) -> bool:
        """Tell whether a pair enters, and let it."""
        if len(self.hashes) == self.size and pair >= self.hashes[-1]:
            return False
        self.add(pair)
        return True

    def merge(self, other: Distinct) -> None:
        """Become the sample of both."""
        super().merge(other)
        if isinstance(other, Sample):
            self.told |= other.told

    def rest(self) -> "Sample":
        """Return what the next delta begins with."""
        made = Sample(self.size)
        made.hashes = self.hashes.copy()
        made.told = frozenset(made.hashes)
        return made

    def up_to(self, limit: int) -> list[int]:
        """Return the pairs whose hashes are at most `limit`, in order."""
        return [pair for pair in self.hashes if pair <= limit]

    @property
    def limit(self) -> int:
        """The hash up to which the sample is complete."""
        return self.hashes[-1] if self.is_full else 2**64

    def pack(self) -> Packed:
        """Return the hashes that were not told yet as bytes."""
        news = (pair for pair in self.hashes if pair not in self.told)
        return b"".join(pair.to_bytes(_HASH_BYTES, "big") for pair in news)

    @classmethod
    def unpack(cls, packed: Packed, size: int) -> "Sample":
        """Return what `pack` gave, cut to `size`."""
        made = cls(size)
        made.merge(Distinct.unpack(packed, size))
        return made


class Requests:
    """What the requests of sampled pairs were like: their features, by the pair's hash."""

    __slots__ = ("features",)

    def __init__(self) -> None:
        self.features: dict[int, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self.features)

    def describe(self, pair: int, features: tuple[str, ...]) -> None:
        """Keep the features of a pair's request; of two that are told of one pair, the smaller."""
        known = self.features.get(pair)
        self.features[pair] = features if known is None else min(known, features)

    def merge(self, other: "Requests") -> None:
        """Take in another one's."""
        for pair, features in other.features.items():
            self.describe(pair, features)

    def kept(self, wanted: Iterable[int], most: int) -> "Requests":
        """Return the first `most` of the wanted that there are."""
        made = Requests()
        for pair in wanted:
            if len(made.features) == most:
                break
            if pair in self.features:
                made.features[pair] = self.features[pair]
        return made

    def of(self, pairs: Iterable[int]) -> list[tuple[str, ...]]:
        """Return the features of the pairs that are described."""
        return [self.features[pair] for pair in pairs if pair in self.features]

    def pack(self) -> Packed:
        """Return all as plain values: each text once, in `table`, and for each pair the numbers of its texts."""
        table = sorted({feature for features in self.features.values() for feature in features})
        numbers = {feature: number for number, feature in enumerate(table)}
        ordered = sorted(self.features.items())
        hashes = b"".join(pair.to_bytes(_HASH_BYTES, "big") for pair, _ in ordered)
        return [table, hashes, [[numbers[feature] for feature in features] for _, features in ordered]]

    @classmethod
    def unpack(cls, packed: Packed) -> "Requests":
        """Return what `pack` gave."""
        table, hashes, entries = items(packed, 3)
        names = dict(enumerate(map(_feature, items(table))))
        raw, described = data(hashes), items(entries)
        if len(raw) != _HASH_BYTES * len(described):
            raise ValueError("expected a 64-bit hash for each description")
        made = cls()
        for at, numbers in enumerate(described):
            pair = int.from_bytes(raw[_HASH_BYTES * at : _HASH_BYTES * (at + 1)], "big")
            made.features[pair] = _named(items(numbers), names)
        return made


def _named(numbers: list[Packed], names: Mapping[int, str]) -> tuple[str, ...]:
    if len(numbers) > FEATURES or any(number not in names for number in numbers):
        raise ValueError("expected the numbers of features")
    return tuple(names[number] for number in numbers)


def _feature(value: Packed) -> str:
    feature = text(value)
    if len(feature) > LONGEST:
        raise ValueError("expected the text of a feature")
    return feature
