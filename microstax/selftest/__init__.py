"""The user's own proof: known faults are put into captured answers, and the report has to find each of them. PURE.

The baseline is shadowed with itself, so what the report finds in the captured pairs is false; then one fault at a time
is put into the branch's side of the same pairs. No I/O, no clock, no chance: the same pairs give the same result.
"""

from microstax.selftest.catalogue import FAULTS
from microstax.selftest.result import SelfTest, Trial, TrialVerdict
from microstax.selftest.run import RATES, self_test

__all__ = ["FAULTS", "RATES", "SelfTest", "Trial", "TrialVerdict", "self_test"]
