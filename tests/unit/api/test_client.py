"""What became of a call, as a sentence; the details are those that gRPC gave."""

from dataclasses import dataclass

import grpc
import pytest

from microstax.api.client import translate
from microstax.errors import ControlPlaneUnreachableError

ADDRESS = "unix:/state/management.sock"
REFUSED = (
    f"failed to connect to all addresses; last error: {{}}: {ADDRESS}: connect failed: addr: {ADDRESS} error: {{}}"
)


@dataclass
class Failure(grpc.RpcError):
    """A call that failed without an answer."""

    said: str

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return self.said

    def trailing_metadata(self) -> None:
        return None


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        (REFUSED.format("UNKNOWN", "No such file or directory"), "No control plane answers at unix:/state"),
        (REFUSED.format("UNKNOWN", "Connection refused"), "No control plane answers at unix:/state"),
        (
            REFUSED.format("FAILED_PRECONDITION", "Permission denied"),
            "You may not use the control plane at unix:/state",
        ),
        ("Socket closed", "went away before it was done: 'microstax up --detach'"),
        ("recvmsg:Connection reset by peer", "went away before it was done: 'microstax up --detach'"),
    ],
)
def test_without_an_answer_the_sentence_says_what_to_do(details: str, sentence: str) -> None:
    error = translate(Failure(details), ADDRESS)
    assert isinstance(error, ControlPlaneUnreachableError)
    assert sentence in error.message
    assert error.exit_code == 4
