"""The diff report as a document: exactly what `env diffs -o json` prints (DESIGN of the fields: README, "The report").

Counts are integers, rates are 0..1, times are milliseconds. Renderers read this and compute nothing.
"""

from typing import Literal, NotRequired, TypedDict

Verdict = Literal["same", "different", "undecided", "not comparable"]
LatencyVerdict = Literal["slower", "faster", "same", "undecided"]
Appearance = Literal["appeared", "missing", "undecided"]


class Judged(TypedDict):
    """What every finding has.

    `count` pairs show it, and the branch alone does on `contexts` distinct requests; `pair` is the id of one of them.
    `evidence` is log10 of the e-value against "noise explains it", None where nothing measured the noise. `excess` is
    how much more often the branch shows it than the control, `excess_high` the upper end of its anytime-valid interval
    (confidence 1 - alpha). Where it is `undecided`, `needs` estimates how many more requests of the endpoint decide
    and `needs_minutes` how long they take at the rate so far. `group` names one of the endpoint's groups (0: none);
    `expected`: the user declared it.
    """

    count: int
    contexts: int
    verdict: Verdict
    pair: str
    evidence: float | None
    excess: float | None
    excess_high: float | None
    needs: int | None
    needs_minutes: float | None
    group: int
    expected: bool


class StatusFinding(Judged):
    """A pair of status codes (`grpc`: of grpc-status); `noise` is how often baseline and control showed it."""

    baseline: int
    branch: int
    grpc: bool
    noise: int


class Rated(Judged):
    """What every finding but a status has: `rate` is its share of the pairs, `noise_rate` that of the triples.

    `baseline` and `branch` are what stood on the sides, of an example and short; empty where there was nothing.
    """

    kind: str
    baseline: str
    branch: str
    rate: float
    noise_rate: float


class ShapeFinding(Rated):
    """A shape discrepancy; `kind` is a ShapeKind, `baseline` and `branch` are types, lengths or places."""

    path: str


class ValueFinding(Rated):
    """A value discrepancy at `path` (`$` for a whole body that is no JSON).

    `kind` is `value`, or what of the value's signature differs: `format`, `length_class`, `sign`, `magnitude`, `shift`.
    """

    path: str


class HeaderFinding(Rated):
    """A header discrepancy; `kind` is a HeaderKind."""

    name: str


class Group(TypedDict):
    """Findings that always occur together: one cause. `lead` is the weightiest, in words; `findings` how many.

    `condition` is the smallest condition on requests that separates those that show them from those that do not
    ("query country=DE"), empty where none was found: `failing_share` of the requests that show them meet it, and
    `passing_share` of the others, in a sample. `expected`: the user declared all of them.
    """

    group: int
    lead: str
    findings: int
    count: int
    condition: str
    failing_share: float | None
    passing_share: float | None
    expected: bool


class Quantiles(TypedDict):
    """Latency quantiles in milliseconds; None where nothing was measured, or where they lie among the timeouts."""

    p50: float | None
    p90: float | None
    p99: float | None


class Interval(TypedDict):
    """An interval in milliseconds; None where there is too little traffic, or where an end lies among the timeouts."""

    low: float | None
    high: float | None


class QuantileIntervals(TypedDict):
    """The intervals of three quantiles."""

    p50: Interval
    p90: Interval
    p99: Interval


class Effect(TypedDict):
    """Branch over reference: a ratio with its interval; None where there is too little traffic.

    One end may be known alone: where the branch's figure lies among the timeouts, it is at least `low`.
    """

    ratio: float | None
    low: float | None
    high: float | None


class Effects(TypedDict):
    """The effect on the median (within pairs) and on two quantiles."""

    p50: Effect
    p90: Effect
    p99: Effect


class Distribution(TypedDict):
    """Latencies as counts between edges: `len(edges_ms) == len(counts) + 1`. `control` is None where there is none."""

    edges_ms: list[float]
    baseline: list[int]
    branch: list[int]
    control: list[int] | None


class LatencyIntervals(TypedDict):
    """The intervals of the quantiles of each side."""

    baseline: QuantileIntervals
    branch: QuantileIntervals
    control: QuantileIntervals | None


class Latency(TypedDict):
    """Latencies of the three sides and what they mean.

    `pairs` were measured; `cold` more were left out, the first of a worker after the shadow began (below the policy's
    `min_pairs` they are among the figures, and there are no intervals); `timeouts` of the branch count as longer than
    everything. `reference` is what the branch is compared with. Intervals are anytime-valid with `confidence`, jointly
    over all endpoints of the report. `spikes` counts pairs in which only the branch was slow (`reference_spikes`: only
    the reference), `spike_pairs` shows some.
    """

    baseline: Quantiles
    branch: Quantiles
    control: Quantiles | None
    reference: Literal["control", "baseline"]
    pairs: int
    cold: int
    timeouts: int
    intervals: LatencyIntervals
    confidence: float
    effect: Effects
    verdict: LatencyVerdict
    spikes: int
    reference_spikes: int
    spikes_verdict: Verdict
    spike_pairs: list[str]
    distribution: Distribution


class EndpointReport(TypedDict):
    """One endpoint: method and templated path. `needs` and `needs_minutes` as in Judged, for the endpoint."""

    endpoint: str
    pairs: int
    verdict: Verdict
    needs: int | None
    needs_minutes: float | None
    contexts: int
    failing_contexts: int
    accuracy: float | None
    groups: list[Group]
    status: list[StatusFinding]
    shape: list[ShapeFinding]
    values: list[ValueFinding]
    headers: list[HeaderFinding]
    latency: Latency


class ServiceReport(TypedDict):
    """One service of the overlay."""

    service: str
    endpoints: list[EndpointReport]


CheckedCount = Literal["requests", "copies", "accounted", "timeouts", "overflow", "failures", "traces"]


class CrossCheck(TypedDict):
    """One count of Envoy held against the same count made elsewhere; `difference` = envoy - counted.

    `requests`: came in | left by one of the routes. `copies`: were to be made | were made. `accounted`: copies made |
    that workers told of. `timeouts`, `overflow`, `failures`: of copies | as captured. `traces`: written | that came
    (of all services together: `service` is empty). Of the difference, `under_way` may be on its way still, and
    `explained` is no mistake, `because` of something; nothing explains what is `unexplained`.
    """

    service: str
    what: CheckedCount
    envoy: int
    counted: int
    difference: int
    under_way: int
    explained: int
    because: str
    unexplained: int


class EnvoyCounts(TypedDict):
    """What became of the copies by Envoy's own counters: `dropped` are those above the limit of copies under way."""

    copies: int
    dropped: int
    timed_out: int
    failed: int


class Coverage(TypedDict):
    """What became of the mirrored requests: mirrored = paired + the sum of not_compared.

    `requests` is all that the tee took: mirrored + the sums of skipped_methods and skipped. `gaps` is what is missing
    of the capture gaps, and adds up to not_compared["capture_gap"]. `strays` are traces that belong to no request of
    the account. What only an Envoy can know is missing in the report of a file of pairs.
    """

    requests: NotRequired[int]
    mirrored: int
    paired: int
    not_compared: dict[str, int]
    gaps: NotRequired[dict[str, int]]
    strays: NotRequired[dict[str, int]]
    skipped_methods: dict[str, int]
    skipped: NotRequired[dict[str, int]]
    blocked_calls: int
    envoy: NotRequired[EnvoyCounts]
    cross_checks: NotRequired[list[CrossCheck]]


class StoppedCalls(TypedDict):
    """Calls of the overlay that its bridge stopped, of one kind; `path` is a template, empty for a connection.

    `reason`: an unsafe `method`, an `upgrade`, an `override` of the method, the `body` of a safe call, a connection to
    a `tcp` service; or too many a second (`rate`) or at a time (`concurrency`). `last` is when the last one came (RFC
    3339), empty where that is unknown. `example` is the first one, redacted.
    """

    service: str
    method: str
    path: str
    reason: str
    count: int
    last: str
    example: str
    user_agent: str


class PassedCalls(TypedDict):
    """Unsafe calls of one method that went on to the baseline; the method `tcp` is connections."""

    service: str
    method: str
    count: int


class BridgeReport(TypedDict):
    """What the overlay did to its baseline, by Envoy's counters: calls that passed, `refused` ones, ones over limits.

    `unsafe_passed` of those that passed may have changed something, `unsafe` says which; patch.yaml allowed them. Of
    the stopped ones `calls` lists the kinds, and `unlisted` more are counted and not listed. `direct` says what becomes
    of connections past the bridge: they are `refused`, `allowed` by patch.yaml, or `open`: nothing here can stop them.
    """

    passed: int
    unsafe_passed: int
    refused: int
    limited: int
    unsafe: list[PassedCalls]
    calls: list[StoppedCalls]
    unlisted: int
    direct: Literal["refused", "allowed", "open"]


class Rechecks(TypedDict):
    """Mismatches that were asked again of every side (`--recheck`).

    asked = vanished + persisted + failed; `over_budget` more were counted without being asked again.
    """

    asked: int
    vanished: int
    persisted: int
    failed: int
    over_budget: int


class IgnoredRule(TypedDict):
    """What one ignore rule did. `origin` says where it stands (`rule 3`, `microstax.yaml:12`); `expires` is YYYY-MM-DD.

    It hid `findings`, which `count` pairs show; an `expired` rule hides nothing. `signature` lists in which ways what
    it hides differs, `news` those of them that the rule does not list, where it lists any.
    """

    origin: str
    service: str
    endpoint: str
    path: str
    kind: str
    reason: str
    owner: str
    expires: str
    expired: bool
    findings: int
    count: int
    signature: list[str]
    news: list[str]


class ExpectedReport(TypedDict):
    """What became of a declared change: it `appeared`, is `missing` though there was enough traffic, or `undecided`."""

    origin: str
    service: str
    endpoint: str
    path: str
    kind: str
    reason: str
    findings: int
    count: int
    verdict: Appearance


class PolicyReport(TypedDict):
    """How sure the verdicts are (see microstax.diff.verdict.Policy); `hypotheses` is how many were judged together."""

    alpha: float
    tolerance: float
    min_pairs: int
    latency_tolerance: float
    hypotheses: int


class ReportDocument(TypedDict):
    """The whole report. `since` is RFC 3339; `calibrated` is False where no control measured the noise.

    `pairs_per_minute` is the rate since then, None where that is unknown; `rechecks` None where none is; `bridge` None
    where pairs were read from a file. `until` (RFC 3339) is when the shadow ends by itself, None where it does not, and
    where it is off.
    """

    overlay: str
    baseline: str
    since: str
    until: str | None
    verdict: Verdict
    reasons: list[str]
    calibrated: bool
    policy: PolicyReport
    pairs_per_minute: float | None
    contexts: int
    failing_contexts: int
    accuracy: float | None
    coverage: Coverage
    bridge: BridgeReport | None
    rechecks: Rechecks | None
    services: list[ServiceReport]
    expected: list[ExpectedReport]
    ignored: list[IgnoredRule]
