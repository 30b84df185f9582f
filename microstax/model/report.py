"""The diff report as a document: exactly what `env diffs -o json` prints (DESIGN of the fields: README, "The report").

Counts are integers, rates are 0..1, times are milliseconds. Renderers read this and compute nothing.
"""

from typing import Literal, NotRequired, TypedDict

Verdict = Literal["same", "different", "undecided", "not comparable"]
LatencyVerdict = Literal["slower", "faster", "same", "undecided"]


class StatusFinding(TypedDict):
    """A pair of status codes that was seen `count` times; `noise` is how often baseline and control showed it."""

    baseline: int
    branch: int
    grpc: NotRequired[bool]
    count: int
    noise: int
    verdict: Verdict
    pair: str


class ShapeFinding(TypedDict):
    """A shape discrepancy; `kind` is a ShapeKind."""

    kind: str
    path: str
    baseline: str
    branch: str
    count: int
    rate: float
    noise_rate: float
    verdict: Verdict
    pair: str


class ValueFinding(TypedDict):
    """A value discrepancy at `path` (`$` for a whole body that is no JSON)."""

    path: str
    count: int
    rate: float
    noise_rate: float
    verdict: Verdict
    pair: str


class HeaderFinding(TypedDict):
    """A header discrepancy; `kind` is a HeaderKind."""

    name: str
    kind: str
    count: int
    rate: float
    noise_rate: float
    verdict: Verdict
    pair: str


class Quantiles(TypedDict):
    """Latency quantiles in milliseconds; None where nothing was measured."""

    p50: float | None
    p90: float | None
    p99: float | None


class Effect(TypedDict):
    """Branch over reference: a ratio with its interval; None where there is too little traffic."""

    ratio: float | None
    low: float | None
    high: float | None


class Effects(TypedDict):
    """The effect on two quantiles."""

    p50: Effect
    p99: Effect


class Latency(TypedDict):
    """Latencies of the three sides and what they mean; `spikes` counts pairs in which only the branch was slow."""

    baseline: Quantiles
    branch: Quantiles
    control: Quantiles | None
    effect: Effects
    verdict: LatencyVerdict
    spikes: int
    spike_pair: NotRequired[str]


class EndpointReport(TypedDict):
    """One endpoint: method and templated path."""

    endpoint: str
    pairs: int
    verdict: Verdict
    contexts: int
    failing_contexts: int
    accuracy: float | None
    status: list[StatusFinding]
    shape: list[ShapeFinding]
    values: list[ValueFinding]
    headers: list[HeaderFinding]
    latency: Latency


class ServiceReport(TypedDict):
    """One service of the overlay."""

    service: str
    endpoints: list[EndpointReport]


class Coverage(TypedDict):
    """What became of the mirrored requests: mirrored = paired + the sum of not_compared."""

    mirrored: int
    paired: int
    not_compared: dict[str, int]
    skipped_methods: dict[str, int]
    skipped: NotRequired[dict[str, int]]
    blocked_calls: int


class ReportDocument(TypedDict):
    """The whole report. `since` is RFC 3339; `calibrated` is False where no control measured the noise."""

    overlay: str
    baseline: str
    since: str
    verdict: Verdict
    reasons: list[str]
    calibrated: bool
    contexts: int
    failing_contexts: int
    accuracy: float | None
    coverage: Coverage
    services: list[ServiceReport]
    ignored: NotRequired[list[dict[str, str | int]]]
