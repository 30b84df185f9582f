"""The fault matrix: what stands in `matrix.command`, as a program."""

import sys

from matrix.command import main

sys.exit(main(sys.argv[1:]))
