"""What Envoy's response flags mean for a pair."""

import pytest

from microstax.model.exchange import NotCompared
from microstax.model.flags import reason_of


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (None, None),
        ("", None),
        ("-", None),
        ("UT", NotCompared.BRANCH_TIMEOUT),
        ("UO", NotCompared.BRANCH_OVERFLOW),
        ("UF,URX", NotCompared.BRANCH_ERROR),
        ("UC", NotCompared.BRANCH_ERROR),
        ("UT,URX", NotCompared.BRANCH_TIMEOUT),
        ("URX, UO", NotCompared.BRANCH_OVERFLOW),
        ("UMSDR", NotCompared.BRANCH_TIMEOUT),
        ("request_payload_too_large", NotCompared.TRUNCATED),
        ("something_new", NotCompared.BRANCH_ERROR),
    ],
)
def test_flags_say_why_there_is_no_answer(flags: str | None, reason: NotCompared | None) -> None:
    assert reason_of(flags) is reason
