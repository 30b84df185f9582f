"""Where the differ names other paths than deepdiff and jsondiff, each disagreement has a reason that is checked."""

import bench_differs
import pytest
from bench_differs import TOOLS, UNEXPLAINED, Paths, bodies, disagreements, ours

PAIRS = bodies()


@pytest.mark.parametrize("tool", TOOLS)
def test_every_disagreement_is_explained(tool: str) -> None:
    agree, classes = disagreements(tool, PAIRS)
    assert len(PAIRS) == 1_000
    assert agree > 800
    assert [(side, why) for side, why in classes if why == UNEXPLAINED] == []


def test_a_path_that_the_differ_would_lose_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [pair for pair in PAIRS if ours(*pair) == TOOLS["deepdiff"].names(*pair) != frozenset()][:300]

    def blind(first: bytes, second: bytes) -> Paths:
        return frozenset(path for path in ours(first, second) if path != ("answerId",))

    monkeypatch.setattr(bench_differs, "ours", blind)
    _, classes = disagreements("deepdiff", plain)
    assert classes["theirs", UNEXPLAINED] > 100
