"""`python -m microstax` is `microstax`."""

from microstax.cli import main

main()
