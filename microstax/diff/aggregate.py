"""All that is known about one service of one overlay, in bounded memory.

Workers send it and the control plane merges it. Within the limits on endpoints and discrepancies, merging is
associative and commutative, so it does not matter which worker saw what and in which order deltas arrive. Beyond them
the rarest are folded (endpoints into OTHER_ENDPOINT, discrepancies into a number), and the totals stay exact.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import msgpack

from microstax.diff.array_keys import ArrayKeys
from microstax.diff.arrays import Aligner
from microstax.diff.compare import Answer, compare_answers, is_pair, usable_control, why_not_compared
from microstax.diff.contexts import context_of
from microstax.diff.counting import MayShow
from microstax.diff.deviations import Found
from microstax.diff.discrepancy import SPIKE, Discrepancy
from microstax.diff.endpoint import EndpointAggregate
from microstax.diff.features import features_of
from microstax.diff.hashes import hash64
from microstax.diff.latency import SPIKES_SHOWN
from microstax.diff.moments import Moments
from microstax.diff.rules import DEFAULT_RULES, Rules
from microstax.diff.samples import REQUESTS
from microstax.diff.templates import Templates
from microstax.diff.warmup import WarmUp
from microstax.diff.wire import MOST, Packed, data, items, mapping
from microstax.errors import StorageError
from microstax.model.exchange import NotCompared, Request, Triple

VERSION: Final = 2
ENDPOINTS: Final = 128
OTHER_ENDPOINT: Final = "* {other}"
ALL_TALLIES: Final = 4_096
ALL_REQUESTS: Final = 8_192
"""Of how many sampled requests it is kept what they were like."""
_CHECK_EVERY: Final = 64
_SHOWN: Final = 8_192
_METHOD: Final = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a triple: counted as a pair, or why not; and whether it is worth keeping as an example."""

    paired: bool
    not_compared: NotCompared | None = None
    keep_as_example: bool = False


class Sides(NamedTuple):
    """In which ways branch and control differ from the baseline; `control` is None where no control answered."""

    branch: Found
    control: Found | None


class ServiceAggregate:
    """Counts of one service by endpoint, and what was learned about its paths and arrays."""

    __slots__ = (
        "_generation",
        "_unchecked",
        "array_keys",
        "endpoints",
        "moments",
        "shown",
        "templates",
        "told",
        "warm_up",
    )

    def __init__(self, templates: Templates, array_keys: ArrayKeys) -> None:
        self.endpoints: dict[str, EndpointAggregate] = {}
        self.templates = templates
        self.array_keys = array_keys
        self._generation = templates.generation
        self.shown: dict[tuple[str, Discrepancy], int] = {}
        self.told: dict[str, EndpointAggregate] = {}
        self.warm_up = WarmUp()
        self.moments = Moments()
        self._unchecked = 0

    @classmethod
    def empty(cls) -> "ServiceAggregate":
        """Return an aggregate that has seen and learned nothing."""
        return cls(Templates(), ArrayKeys())

    def fresh(self) -> "ServiceAggregate":
        """Return an aggregate without counts that keeps what was learned, and which examples are there already.

        The next delta of a worker begins so, and its bytes are what a new worker is seeded with.
        """
        made = ServiceAggregate(self.templates.copy(), self.array_keys.fresh())
        made.shown = dict(self.shown)
        made.warm_up = self.warm_up.copy()
        made.moments = self.moments.copy()
        made.told = {} if len(self.told) > ENDPOINTS else self.told.copy()
        made.told.update((name, endpoint.rest()) for name, endpoint in self.endpoints.items())
        return made

    def forget_told(self) -> None:
        """Begin with results that no earlier delta belongs to: show and sample everything anew, and begin cold."""
        self.shown.clear()
        self.told.clear()
        self.warm_up.clear()

    @property
    def pairs(self) -> int:
        """How many pairs were counted."""
        return sum(endpoint.pairs for endpoint in self.endpoints.values())

    @property
    def triples(self) -> int:
        """How many of the pairs have a control."""
        return sum(endpoint.triples for endpoint in self.endpoints.values())

    @property
    def example_ids(self) -> frozenset[str]:
        """The pairs that findings refer to; a store must keep these."""
        tallies = (
            tally
            for endpoint in self.endpoints.values()
            for tally in (*endpoint.tallies.values(), endpoint.latencies.spikes)
        )
        return frozenset(example.pair for tally in tallies for example in tally.examples)

    def differences(self, triple: Triple, rules: Rules = DEFAULT_RULES) -> Sides | None:
        """Compare the exchanges of one request and count nothing; None where they do not become a pair as a whole."""
        if why_not_compared(triple) is not None:
            return None
        path = self.templates.template(triple.baseline.request.path)
        return self._compare(triple, f"{triple.baseline.request.method[:_METHOD]} {path}", rules)

    def add(self, triple: Triple, rules: Rules = DEFAULT_RULES, *, sides: Sides | None = None) -> Outcome:
        """Compare the exchanges of one request and count. Never raises, whatever they hold.

        Of a pair whose body is truncated or cannot be decoded, status and headers are counted (it is one of the
        endpoint's pairs), and the outcome is not `paired`, with the reason. A branch that timed out counts in the
        latencies alone. `sides` are the differences to count where they are known already (see `differences`).
        """
        reason = why_not_compared(triple)
        if not is_pair(triple):
            if reason is NotCompared.BRANCH_TIMEOUT:
                self._count_timeout(triple, rules)
            return Outcome(paired=False, not_compared=reason)
        name, endpoint = self._endpoint(triple.baseline.request)
        found = self._compare(triple, name, rules) if sides is None else sides
        kept = self._count(triple, found, endpoint, name, rules=rules)
        self._unchecked += 1
        if self._unchecked >= _CHECK_EVERY:
            self._limit()
        return Outcome(paired=reason is None, not_compared=reason, keep_as_example=kept)

    def merge(self, other: "ServiceAggregate") -> None:
        """Add another aggregate's counts and what it learned; `other` stays as it is."""
        self.templates.merge(other.templates)
        self.array_keys.merge(other.array_keys)
        self._rekey()
        for name, endpoint in other.endpoints.items():
            self._at(self._renamed(name)).merge(endpoint)
        self._rekey()
        self._limit()

    def to_bytes(self) -> bytes:
        """Return the aggregate as msgpack: version, a hash of the content, the content as msgpack of its own."""
        endpoints = {name: endpoint.pack() for name, endpoint in sorted(self.endpoints.items())}
        content = _packed([self.templates.pack(), self.array_keys.pack(), endpoints])
        return _packed([VERSION, hash64(content), content])

    def size_bytes(self) -> int:
        """Return how large the aggregate is when it is sent or stored."""
        return len(self.to_bytes())

    @classmethod
    def from_bytes(cls, raw: bytes) -> "ServiceAggregate":
        """Return what `to_bytes` gave. Raises StorageError for other bytes."""
        try:
            version, *rest = items(_unpacked(raw))
            if version == VERSION:
                return cls._unpack(rest)
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.exceptions.UnpackException) as error:
            raise StorageError(
                f"The comparison results cannot be read, they are damaged ({error}): remove the overlay's results by "
                "switching its shadow off and on again."
            ) from error
        raise StorageError(
            f"The comparison results are of version {version!r} and this microstax reads version {VERSION}: "
            "use the microstax that wrote them, or switch the shadow off and on again to begin anew."
        )

    @classmethod
    def _unpack(cls, packed: list[Packed]) -> "ServiceAggregate":
        digest, content = items(packed, 2)
        if digest != hash64(data(content)):
            raise ValueError("the hash does not fit the content")
        templates, array_keys, endpoints = items(_unpacked(content), 3)
        made = cls(Templates.unpack(templates), ArrayKeys.unpack(array_keys))
        for name, endpoint in mapping(endpoints).items():
            made._at(name).merge(EndpointAggregate.unpack(endpoint))
        return made

    def _compare(self, triple: Triple, name: str, rules: Rules) -> Sides:
        baseline, control = Answer(triple.baseline), usable_control(triple)
        align = Aligner(self.array_keys, name)
        branch = compare_answers(baseline, Answer(triple.branch), rules=rules, align=align)
        noise = None if control is None else compare_answers(baseline, Answer(control), rules=rules, align=align)
        return Sides(branch, noise)

    def _count(self, triple: Triple, sides: Sides, endpoint: EndpointAggregate, name: str, *, rules: Rules) -> bool:
        control = usable_control(triple)
        context = context_of(triple.baseline.request, rules)
        may_show = self._may_show(name)
        kept = endpoint.add(
            sides.branch,
            sides.control,
            pair=triple.id,
            context=context,
            may_show=may_show,
            describe=lambda: features_of(triple.baseline.request, name.partition(" ")[2], rules),
        )
        latencies, cold = endpoint.latencies, self.warm_up.is_cold(name, rules.cold_pairs)
        if latencies.add(
            triple.baseline,
            triple.branch,
            control,
            rules=rules,
            pair=triple.id,
            context=context,
            cold=cold,
            is_first=lambda ended_us: self.moments.is_first(name, ended_us),
        ):
            if any(may_show(SPIKE._replace(detail=str(number)), 0) for number in range(SPIKES_SHOWN)):
                return True
            latencies.spikes.take_back(triple.id)
        return kept

    def _count_timeout(self, triple: Triple, rules: Rules) -> None:
        name, endpoint = self._endpoint(triple.baseline.request)
        cold = self.warm_up.is_cold(name, rules.cold_pairs)
        endpoint.latencies.add_timeout(triple.baseline, triple.branch, usable_control(triple), cold=cold)

    def _may_show(self, endpoint: str) -> MayShow:
        """Return what says whether an example is wanted: the first of its rank, in this aggregate and those before."""

        def may_show(discrepancy: Discrepancy, rank: int) -> bool:
            key = (endpoint, discrepancy)
            if self.shown.get(key, rank + 1) <= rank:
                return False
            if len(self.shown) >= _SHOWN:
                self.shown.clear()
            self.shown[key] = rank
            return True

        return may_show

    def _endpoint(self, request: Request) -> tuple[str, EndpointAggregate]:
        name = f"{request.method[:_METHOD]} {self.templates.template(request.path)}"
        if self._generation != self.templates.generation:
            self._rekey()
        return name, self._at(name)

    def _at(self, name: str) -> EndpointAggregate:
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            endpoint = self.told.pop(name) if name in self.told else EndpointAggregate()
            self.endpoints[name] = endpoint
        return endpoint

    def _renamed(self, name: str) -> str:
        if name == OTHER_ENDPOINT:
            return name
        method, _, path = name.partition(" ")
        return f"{method} {self.templates.template(path)}"

    def _rekey(self) -> None:
        """Bring endpoints together that what was learned since has made one."""
        while self._generation != self.templates.generation:
            self._generation = self.templates.generation
            before, self.endpoints = self.endpoints, {}
            for name, endpoint in before.items():
                renamed = self._renamed(name)
                if renamed in self.endpoints:
                    self.endpoints[renamed].merge(endpoint)
                else:
                    self.endpoints[renamed] = endpoint

    def _limit(self) -> None:
        self._unchecked = 0
        if len(self.endpoints) > ENDPOINTS + ENDPOINTS // 2:
            self._fold_endpoints()
        most = max(map(_tallies, self.endpoints.values()), default=0)
        while sum(map(_tallies, self.endpoints.values())) > ALL_TALLIES:
            most //= 2
            for endpoint in self.endpoints.values():
                endpoint.limit(most)
        described = REQUESTS
        while sum(len(endpoint.requests) for endpoint in self.endpoints.values()) > ALL_REQUESTS:
            for endpoint in self.endpoints.values():
                endpoint.limit_requests(described)
            described //= 2

    def _fold_endpoints(self) -> None:
        ordered = sorted(self.endpoints.items(), key=_rarest_first)
        for name, endpoint in ordered[: len(ordered) - ENDPOINTS]:
            del self.endpoints[name]
            self._at(OTHER_ENDPOINT).merge(endpoint)


def _packed(value: Packed) -> bytes:
    return bytes(msgpack.packb(value, unicode_errors="surrogatepass", default=_saturated))


def _saturated(value: object) -> int:
    """Return what is written for a count that msgpack cannot carry: only sums of what liars sent get so large."""
    if isinstance(value, int) and value > MOST:
        return MOST
    raise TypeError(f"{type(value).__name__} is nothing that aggregates hold")


def _unpacked(raw: bytes) -> Packed:
    return msgpack.unpackb(raw, unicode_errors="surrogatepass")


def _tallies(endpoint: EndpointAggregate) -> int:
    return len(endpoint.tallies)


def _rarest_first(item: tuple[str, EndpointAggregate]) -> tuple[bool, int, str]:
    name, endpoint = item
    return (name == OTHER_ENDPOINT, endpoint.pairs, name)
