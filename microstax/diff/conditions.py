"""Find the smallest condition on requests that separates those that fail from those that pass.

A condition is one feature of a request (microstax.diff.features), two of them together, or, where nothing else
separates, the absence of one. It must hold for nearly all sampled requests that fail and hardly any that passes.

Among hundreds of features one may separate two small samples by chance. If a feature had nothing to do with failing,
then of the K sampled requests that have it the number that fail would be hypergeometric, so the chance of at least the
h that do is

    P(X >= h) = sum over i >= h of C(K, i) C(N - K, n - i) / C(N, n)

with n failing requests among all N (Fisher's exact test, one-sided). A condition is told only if this, times the number
of conditions that were tried so far (Bonferroni), is at most CHANCE. Those that too few requests meet, whichever of
them fail, need not be counted (Tarone 1990, "A modified Bonferroni method for discrete data"). The bound is one of a
single look: a condition explains a finding and is no evidence for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Final

from microstax.diff.features import FAMILIES, implied, is_more

FAILING: Final = 0.90
"""Share of the sampled failing requests that must meet it: where 95% of all do, a sample of 24 seldom shows less."""
PASSING: Final = 0.05
"""Share of the sampled passing requests that may."""
LEAST_FAILING: Final = 5
LEAST_PASSING: Final = 10
CHANCE: Final = 0.001

Features = Sequence[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in words (`query country=DE`), and the shares of failing and passing requests that meet it (0..1)."""

    text: str
    failing_share: float
    passing_share: float


@dataclass(frozen=True, slots=True)
class _Term:
    """A condition while it is looked for: `failing` and `passing` have a bit for each request that meets it."""

    texts: tuple[str, ...]
    failing: int
    passing: int

    def met_with(self, other: "_Term") -> "_Term":
        return _Term((*self.texts, *other.texts), self.failing & other.failing, self.passing & other.passing)

    def reversed(self, failing: int, passing: int) -> "_Term":
        """Return the absence of the feature; `failing` and `passing` are how many requests there are."""
        texts = tuple(f"without {text}" for text in self.texts)
        return _Term(texts, self.failing ^ (1 << failing) - 1, self.passing ^ (1 << passing) - 1)


def condition(failing: Sequence[Features], passing: Sequence[Features]) -> Condition | None:
    """Return the smallest condition that separates the requests, None where none does or the samples are too small.

    Of several, that of the fewest terms, then the one that separates best, then by the order of FAMILIES: the same
    samples give the same condition, in whatever order they come.
    """
    if len(failing) < LEAST_FAILING or len(passing) < LEAST_PASSING:
        return None
    search = _Search(len(failing), len(passing))
    features = _terms(failing, passing)
    hidden = {_family(text) for told in (*failing, *passing) for text in told if is_more(text)}
    terms = [term for term in features if search.could_separate(term)]
    common = [term for term in terms if search.is_common(term)]
    pairs = (first.met_with(second) for first, second in combinations(common, 2))
    absences = [term.reversed(len(failing), len(passing)) for term in features if _family(term.texts[0]) not in hidden]
    absences = [term for term in absences if search.could_separate(term)]
    return (
        search.best(terms, len(terms))
        or search.best(pairs, comb(len(terms), 2))
        or search.best(absences, len(absences))
    )


class _Search:
    """Two samples of this many requests, and how many conditions were tried on them."""

    __slots__ = ("_tried", "failing", "passing")

    def __init__(self, failing: int, passing: int) -> None:
        self.failing, self.passing, self._tried = failing, passing, 0

    def could_separate(self, term: _Term) -> bool:
        """Tell whether enough requests meet it, whichever of them fail."""
        return term.failing.bit_count() + term.passing.bit_count() >= FAILING * self.failing

    def is_common(self, term: _Term) -> bool:
        """Tell whether nearly all failing requests meet it."""
        return term.failing.bit_count() >= FAILING * self.failing

    def best(self, terms: Iterable[_Term], tried: int) -> Condition | None:
        """Return the best of the terms that separate, of `tried` that there were to try."""
        self._tried += tried
        found = min(filter(self._separates, terms), key=self._rank, default=None)
        if found is None or self._chance(found) * self._tried > CHANCE:
            return None
        failing, passing = self._shares(found)
        return Condition(" and ".join(sorted(found.texts, key=_preference)), failing, passing)

    def _separates(self, term: _Term) -> bool:
        return self.is_common(term) and term.passing.bit_count() <= PASSING * self.passing

    def _shares(self, term: _Term) -> tuple[float, float]:
        return term.failing.bit_count() / self.failing, term.passing.bit_count() / self.passing

    def _rank(self, term: _Term) -> tuple[float, list[tuple[int, int, str]]]:
        failing, passing = self._shares(term)
        return passing - failing, sorted(map(_preference, term.texts))

    def _chance(self, term: _Term) -> float:
        hit = term.failing.bit_count()
        return chance_of(hit, failing=self.failing, passing=self.passing, having=hit + term.passing.bit_count())


def chance_of(hit: int, *, failing: int, passing: int, having: int) -> float:
    """Return the chance that at least `hit` of the `failing` requests have a feature that has nothing to do with it.

    `having` of all requests have it. This is the formula of the module's docstring.
    """
    most = min(having, failing)
    ways = sum(comb(having, at) * comb(failing + passing - having, failing - at) for at in range(hit, most + 1))
    return ways / comb(failing + passing, failing)


def _terms(failing: Sequence[Features], passing: Sequence[Features]) -> list[_Term]:
    """Return the features with the requests that have them; of those that the same requests have, the preferred one."""
    masks: dict[str, list[int]] = {}
    for side, sample in enumerate((failing, passing)):
        for at, features in enumerate(sample):
            for feature in _all(features):
                masks.setdefault(feature, [0, 0])[side] |= 1 << at
    best: dict[tuple[int, int], str] = {}
    for feature in sorted(masks, key=_preference):
        best.setdefault((masks[feature][0], masks[feature][1]), feature)
    return [_Term((feature,), *both) for both, feature in best.items()]


def _all(features: Features) -> Iterator[str]:
    return (said for feature in features if not is_more(feature) for said in implied(feature))


def _family(text: str) -> str:
    return text.removeprefix("without ").partition(" ")[0]


def _preference(text: str) -> tuple[int, int, str]:
    """Return what sorts features: by family, then values before presence before types, then the shorter place."""
    return FAMILIES.index(_family(text)), 0 if "=" in text else 2 if " is " in text else 1, text
