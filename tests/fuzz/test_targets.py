"""Every fuzz target over its corpus, what once broke it, and inputs that Hypothesis makes. Needs no fuzzer."""

from pathlib import Path

import pytest
from hostile.target import NAMES, load
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent
KEPT = sorted(path for kind in ("corpus", "regressions") for path in (HERE / kind).glob("*/*"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: "-".join(path.parts[-3:]))
def test_what_was_kept_breaks_no_promise(path: Path) -> None:
    load(path.parent.name).check(path.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_every_target_has_a_corpus(name: str) -> None:
    assert set((HERE / "corpus" / name).iterdir()), "run tests/fuzz/make_corpus.py"
    assert all(path.parent.name in NAMES for path in KEPT)


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_is_what_the_seeds_say(name: str) -> None:
    """The corpus is generated: a seed that changed has to be written again."""
    kept = {path.read_bytes() for path in (HERE / "corpus" / name).iterdir()}
    assert kept == set(load(name).seeds()), "run tests/fuzz/make_corpus.py"


@st.composite
def inputs(draw: st.DrawFn, name: str) -> bytes:
    """Return bytes, or a seed in which some were replaced."""
    target = load(name)
    if draw(st.booleans()):
        return draw(st.binary(max_size=target.longest))
    seed = bytearray(draw(st.sampled_from(list(target.seeds()))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(seed)))
        seed[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4) | st.sampled_from([*target.tokens, b""]))
    return bytes(seed)


@pytest.mark.parametrize("name", NAMES)
def test_other_inputs_break_no_promise(name: str) -> None:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @example(data=b"")
    @given(data=inputs(name))
    def check(data: bytes) -> None:
        load(name).check(data)

    check()
