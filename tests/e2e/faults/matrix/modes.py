"""How a branch misbehaves. A mode is a name that the server's control socket takes; `healthy` is none.

Those of a connection act on its socket, whatever protocol was to be spoken on it; those of an answer on each request.
"""

from typing import Final

HEALTHY: Final = "healthy"

NO_ACCEPT: Final = "no_accept"  # connections stay in the kernel's queue
NEVER_READS: Final = "never_reads"  # accepted, and nothing more
READS_SLOWLY: Final = "reads_slowly"  # one byte a second
RESETS: Final = "resets"  # RST as soon as a byte has come
CLOSES: Final = "closes"  # FIN as soon as a byte has come
GARBAGE: Final = "garbage"  # bytes that are no HTTP
FLAPS: Final = "flaps"  # listens and answers for 300 ms, then resets all and does not listen for 300 ms
BLACK_HOLE: Final = "black_hole"  # a full queue: the kernel drops every attempt to connect

ANSWERS_500: Final = "answers_500"
SLOW: Final = "slow"  # 100 times the baseline's time
HANGS_AFTER_HEADERS: Final = "hangs_after_headers"
HUGE: Final = "huge"  # 10 MB
FOR_EVER: Final = "for_ever"  # a body that does not end, 1 KiB every 10 ms
CUT: Final = "cut"  # announces 1000 bytes, sends 100, closes
HUGE_HEADERS: Final = "huge_headers"  # 200 KiB of response headers
CALLS: Final = "calls"  # each answer asks the bridge for another service first

OF_LISTENER: Final = frozenset({NO_ACCEPT, BLACK_HOLE, FLAPS})
OF_CONNECTION: Final = frozenset({NEVER_READS, READS_SLOWLY, RESETS, CLOSES, GARBAGE})
OF_ANSWER: Final = frozenset({ANSWERS_500, SLOW, HANGS_AFTER_HEADERS, HUGE, FOR_EVER, CUT, HUGE_HEADERS, CALLS})
ALL: Final = frozenset({HEALTHY}) | OF_LISTENER | OF_CONNECTION | OF_ANSWER

BASELINE_S: Final = 0.005
"""What an answer of the baseline takes, like one that asked a database."""
SLOW_S: Final = 100 * BASELINE_S
HUGE_BYTES: Final = 10 * 1000 * 1000
