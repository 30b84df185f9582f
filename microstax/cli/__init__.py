"""The command line: one file a noun, no logic, imports the management client only when a command runs."""

from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and end the process with the exit code of the contract (README, "Exit codes")."""
    import sys

    try:
        from microstax.cli.failure import run
    except KeyboardInterrupt:  # Ctrl-C while Python still reads the program
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))
