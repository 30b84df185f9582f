"""The command line: one file a noun, no logic, imports the management client only when a command runs."""


def main() -> None:
    """Run the command line."""
