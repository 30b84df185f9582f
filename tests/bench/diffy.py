"""When Twitter's Diffy reports a field, written from its description, to be measured beside our verdicts.

Diffy sends each request to a candidate and to two instances of the known good code. Of a field it counts how often the
candidate differs from the primary ("raw") and how often the secondary does ("noise"), and lists the field if

- raw exceeds noise,
- their difference relative to their sum exceeds `threshold.relative`, by default 20 percent, which is raw > 1.5 noise,
- their difference relative to the requests exceeds `threshold.absolute`, by default 0.03 percent.

Defaults and quantities: github.com/twitter-archive/diffy, DiffyServiceModule.scala and JoinedDifferences.scala;
github.com/opendiffy/diffy kept them. Its README calls what is left out "roughly the same".
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

RELATIVE: Final = 0.20
ABSOLUTE: Final = 0.0003

Numbers = NDArray[np.int64]


def reports(raw: Numbers, noise: Numbers, requests: Numbers) -> NDArray[np.bool_]:
    """Tell for each field whether Diffy lists it; the three broadcast against each other."""
    excess = raw - noise
    return (excess > 0) & (excess > RELATIVE * (raw + noise)) & (excess > ABSOLUTE * requests)
