"""What of a mismatch counts after it was asked again: only what came back, on the branch and on the control alike.

A service that is read while something writes to it answers two readers differently, whoever they are. Branch and
control are treated alike in every step (what is asked again, and what of it counts), so that exchanging them would
exchange the counts and nothing else: the test of the verdicts rests on that.
"""

from microstax.diff.aggregate import Sides
from microstax.diff.deviations import Deviations, Found, persisting
from microstax.diff.discrepancy import Discrepancy


def tells_apart(sides: Sides) -> bool:
    """Tell whether branch and control deviate from the baseline in different ways; without a control, whether at all.

    What both show is noise, and asking again would show it again. Two readings of a clock are no deviation.
    """
    branch = _ways(sides.branch)
    return bool(branch) if sides.control is None else branch != _ways(sides.control)


def recurring(first: Sides, again: Sides) -> Sides:
    """Return what of `first` was seen again; both rounds have a control, or none has."""
    control = None
    if first.control is not None and again.control is not None:
        control = persisting(first.control, again.control)
    return Sides(persisting(first.branch, again.branch), control)


def _ways(found: Found) -> set[Discrepancy]:
    deviations = Deviations(found)
    return deviations.ways.keys() - deviations.readings()
