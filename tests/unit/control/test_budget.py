"""--max-rps: the share follows the traffic, and rests while the traffic does."""

from hypothesis import given
from hypothesis import strategies as st

from microstax.control.budget import begin, step
from microstax.model.shadow import MILLION


def drive(rates: list[int], *, max_rps: int, sample_ppm: int = MILLION) -> tuple[list[int], list[float]]:
    """Give each second as many requests as `rates` says; return the shares and the mirrored requests a second."""
    budget, mirrored, now = begin(ppm=sample_ppm, now_ms=0, mirrored=0), 0, 0
    shares, sent = [], []
    for rate in rates:
        now += 1000
        copies = round(rate * budget.ppm / MILLION)
        mirrored += copies
        sent.append(copies)
        budget = step(budget, now_ms=now, mirrored=mirrored, max_rps=max_rps, sample_ppm=sample_ppm)
        shares.append(budget.ppm)
    return shares, sent


def test_overload_lowers_the_share_within_a_second() -> None:
    shares, sent = drive([2000] * 5, max_rps=200)
    assert sent[0] == 2000
    assert all(180 <= n <= 220 for n in sent[1:])
    assert shares[-1] == shares[0]


def test_steady_traffic_below_the_limit_moves_nothing() -> None:
    shares, _ = drive([150] * 30, max_rps=200)
    assert set(shares) == {MILLION}


def test_the_share_comes_back_when_the_traffic_goes() -> None:
    shares, _ = drive([4000] * 5 + [50] * 120, max_rps=200)
    assert shares[4] < 60_000
    assert shares[-1] == MILLION


def test_the_share_asked_for_is_never_passed() -> None:
    shares, _ = drive([10] * 60, max_rps=200, sample_ppm=250_000)
    assert set(shares) == {250_000}


def test_a_lower_share_asked_for_holds_at_once() -> None:
    budget = begin(ppm=MILLION, now_ms=0, mirrored=0)
    assert step(budget, now_ms=10, mirrored=0, max_rps=200, sample_ppm=100).ppm == 100


def test_a_counter_that_began_again_is_no_rate() -> None:
    budget = begin(ppm=500, now_ms=0, mirrored=1000)
    assert step(budget, now_ms=2000, mirrored=3, max_rps=1, sample_ppm=MILLION) == begin(
        ppm=500, now_ms=2000, mirrored=3
    )


@given(st.lists(st.integers(0, 100_000), max_size=60), st.integers(1, 5000), st.integers(1, MILLION))
def test_a_share_stays_in_bounds(rates: list[int], max_rps: int, sample_ppm: int) -> None:
    shares, _ = drive(rates, max_rps=max_rps, sample_ppm=sample_ppm)
    assert all(1 <= share <= sample_ppm for share in shares)


@given(st.integers(1, 20_000), st.integers(10, 1000))
def test_steady_traffic_makes_the_share_rest(rate: int, max_rps: int) -> None:
    """Every change is a push to an Envoy: after half a minute of steady traffic there are none."""
    shares, sent = drive([rate] * 120, max_rps=max_rps)
    assert len(set(shares[60:])) == 1
    assert sent[-1] <= max_rps * 1.1 + 1
