"""Every error a user can meet, in one short tree.

A class knows its exit code (README, "Exit codes") and its gRPC status by name, so that the management API
and the command line agree without a table between them. A message is one sentence or two: what is wrong,
where, and what to do. Built-in exceptions stay what they are for mistakes in our own code.
"""

from typing import ClassVar, Final

EXIT_DONE: Final = 0
EXIT_DIFFERENT: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNDECIDED: Final = 3
EXIT_FAULT: Final = 4


class MicrostaxError(Exception):
    """The root: a message for people, an exit code for programs, a gRPC status for the wire."""

    exit_code: ClassVar[int] = EXIT_FAULT
    grpc_status: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UsageError(MicrostaxError):
    """The command, a flag or a name does not fit what is asked for."""

    exit_code = EXIT_USAGE
    grpc_status = "INVALID_ARGUMENT"


class InvalidFileError(UsageError):
    """A file of the user's cannot be used; says in which file, line and key."""

    def __init__(self, problem: str, *, file: str, line: int | None = None, key: str | None = None) -> None:
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {f'{key}: ' if key else ''}{problem}")
        self.problem, self.file, self.line, self.key = problem, file, line, key


class NotFoundError(UsageError):
    """No such environment, overlay, service or pair."""

    grpc_status = "NOT_FOUND"


class TakenError(UsageError):
    """The name is in use already."""

    grpc_status = "ALREADY_EXISTS"


class RefusedError(UsageError):
    """The object exists but is in no state for this (unhealthy, unpromoted, no overlay, still in use)."""

    grpc_status = "FAILED_PRECONDITION"


class UndecidedError(MicrostaxError):
    """There is no answer yet, and the message says what it waits for."""

    exit_code = EXIT_UNDECIDED
    grpc_status = "UNAVAILABLE"


class FaultError(MicrostaxError):
    """The control plane, the cluster, an Envoy or a disk is at fault, not the user."""

    grpc_status = "UNAVAILABLE"


class ControlPlaneUnreachableError(FaultError):
    """Nothing answers at the management address."""


class PortInUseError(FaultError):
    """Somebody else listens where we were told to listen."""

    grpc_status = "FAILED_PRECONDITION"


class ServiceFailedError(FaultError):
    """A service did not start or never became healthy; carries the last lines of its log."""

    grpc_status = "FAILED_PRECONDITION"


class EnvoyError(FaultError):
    """Envoy is missing, crashed, or refused a configuration (then the message holds Envoy's own reason)."""


class StorageError(FaultError):
    """The database cannot be read or written: full disk, wrong permissions, newer version."""


class InternalError(MicrostaxError):
    """A mistake of ours; the log has the traceback."""
