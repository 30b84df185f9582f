"""The faults, and the rows of the matrix: data. What a fault does stands in `faults`, how a row is run in `row`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from signal import SIGKILL, SIGTERM
from typing import Final

from matrix import faults, mad_plane, modes
from matrix.faults import Begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    `breaks_tee`: users' requests that are under way, and those until it is back, are lost. `breaks_account`: the report
    begins anew, or Envoy's counters do, so that the two cannot be held against each other (it adds up all the same).
    """

    name: str
    title: str
    begin: Begin
    breaks_tee: bool = False
    breaks_account: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Faults at the same time. `short`: part of the short form."""

    faults: tuple[Fault, ...] = field(default=())
    short: bool = False

    @property
    def name(self) -> str:
        """What `--only` selects by."""
        return "+".join(fault.name for fault in self.faults) or "none"

    @property
    def title(self) -> str:
        """What people read."""
        return ", and ".join(fault.title for fault in self.faults) or "no fault"

    @property
    def breaks_tee(self) -> bool:
        """Tell whether users are expected to notice."""
        return any(fault.breaks_tee for fault in self.faults)

    @property
    def breaks_account(self) -> bool:
        """Tell whether the account begins anew."""
        return any(fault.breaks_account for fault in self.faults)


BRANCH: Final = tuple(
    Fault(name=f"branch-{name}", title=f"the branch {title}", begin=begin)
    for name, title, begin in (
        ("no-accept", "hangs on accept", faults.branch(modes.NO_ACCEPT)),
        ("never-reads", "never reads", faults.branch(modes.NEVER_READS)),
        ("hangs", "hangs after headers", faults.branch(modes.HANGS_AFTER_HEADERS)),
        ("reads-slowly", "reads one byte a second", faults.branch(modes.READS_SLOWLY)),
        ("resets", "resets connections", faults.branch(modes.RESETS)),
        ("closes", "closes early, without an answer", faults.branch(modes.CLOSES)),
        ("cut", "closes early, in the answer", faults.branch(modes.CUT)),
        ("garbage", "answers garbage", faults.branch(modes.GARBAGE)),
        ("500", "answers 500", faults.branch(modes.ANSWERS_500)),
        ("slow", "answers 100 times slower", faults.branch(modes.SLOW)),
        ("huge", "answers 10 MB", faults.branch(modes.HUGE)),
        ("huge-headers", "answers 200 KB of headers", faults.branch(modes.HUGE_HEADERS)),
        ("for-ever", "answers for ever", faults.branch(modes.FOR_EVER)),
        ("killed", "is killed", faults.branch_killed),
        ("flaps", "flaps", faults.branch(modes.FLAPS)),
        ("black-hole", "is a black hole", faults.branch(modes.BLACK_HOLE)),
        ("name", "has a name that does not resolve", faults.control_mad(mad_plane.NO_NAME)),
    )
)

OURS: Final = (
    Fault(name="worker-killed", title="the worker is killed every 6 s", begin=faults.worker_killed),
    Fault(name="worker-stopped", title="the worker is stopped", begin=faults.worker_stopped),
    Fault(name="worker-restarted", title="the worker is restarted every 6 s", begin=faults.worker_restarted),
    Fault(name="worker-slow", title="the worker is ten times too slow", begin=faults.worker_slow),
    Fault(name="two-workers", title="two workers and a stranger poll", begin=faults.two_workers),
    Fault(name="control-killed", title="the control plane is killed", begin=faults.control_killed),
    Fault(name="control-stopped", title="the control plane is stopped", begin=faults.control_stopped),
    Fault(
        name="control-older",
        title="the control plane restarts with an older state",
        begin=faults.control_restarted(empty=False),
        breaks_account=True,
    ),
    Fault(
        name="control-empty",
        title="the control plane restarts with an empty state",
        begin=faults.control_restarted(empty=True),
        breaks_account=True,
    ),
    Fault(
        name="refused-clusters",
        title="it sends clusters that Envoy refuses",
        begin=faults.control_mad(mad_plane.CLUSTERS),
    ),
    Fault(
        name="refused-routes",
        title="it sends listeners and routes that Envoy refuses",
        begin=faults.control_mad(mad_plane.ROUTES),
    ),
    Fault(name="no-runtime", title="RTDS is not served any more", begin=faults.control_mad(mad_plane.NO_RUNTIME)),
    Fault(name="disk-full", title="the store's disk is full", begin=faults.disk_full),
    Fault(name="store-locked", title="the store is locked", begin=faults.store_locked),
    Fault(name="read-only", title="the store is read-only", begin=faults.store_read_only),
    Fault(name="bridge", title="the bridge is killed every 6 s", begin=faults.bridge_killed),
    Fault(name="toggled", title="the shadow is switched 50 times a minute", begin=faults.toggled, breaks_account=True),
    Fault(name="overlays", title="overlays come and go", begin=faults.overlays_come_and_go),
)

TEE: Final = (
    Fault(
        name="tee-ended",
        title="the tee is ended (SIGTERM)",
        begin=faults.tee_ended(SIGTERM),
        breaks_tee=True,
        breaks_account=True,
    ),
    Fault(
        name="tee-killed",
        title="the tee is killed (SIGKILL)",
        begin=faults.tee_ended(SIGKILL),
        breaks_tee=True,
        breaks_account=True,
    ),
)

FAULTS: Final = {fault.name: fault for fault in chain(BRANCH, OURS, TEE)}

_PAIRS: Final = (
    ("branch-never-reads", "worker-stopped"),
    ("branch-huge", "worker-slow"),
    ("branch-hangs", "toggled"),
    ("branch-killed", "control-killed"),
    ("branch-black-hole", "worker-killed"),
    ("branch-flaps", "overlays"),
    ("control-stopped", "worker-killed"),
    ("disk-full", "branch-500"),
)
_ENDINGS: Final = (
    ("branch-never-reads", "tee-ended"),
    ("branch-for-ever", "tee-ended"),
    ("branch-hangs", "tee-ended"),
)
_SHORT: Final = {"none", "branch-never-reads", "branch-for-ever", "branch-resets", "worker-stopped", "control-killed"}


def _rows(names: Iterable[tuple[str, ...]]) -> list[Row]:
    return [Row(faults=tuple(FAULTS[one] for one in each), short="+".join(each) in _SHORT) for each in names]


ROWS: Final[tuple[Row, ...]] = (
    Row(short=True),
    *_rows((fault.name,) for fault in BRANCH),
    *_rows((fault.name,) for fault in OURS),
    *_rows(_PAIRS),
    *_rows((fault.name,) for fault in TEE),
    *_rows(_ENDINGS),
)
"""Every fault alone, some in pairs; those that end the tee come last, since they end sessions that stay."""
