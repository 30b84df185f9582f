"""The soak's judgement of memory: a leak is told from noise, from steps and from starts."""

from random import Random

from trend import Reading, growth_per_s, longest_s

MIB = 2**20


def life(sizes: list[float], *, pid: int = 1, begun_s: float = 0.0) -> list[Reading]:
    return [Reading(begun_s + 5.0 * nth, pid, int(size * MIB)) for nth, size in enumerate(sizes)]


def growth_mib_per_minute(readings: list[Reading]) -> float:
    slope = growth_per_s(readings)
    assert slope is not None
    return slope * 60 / MIB


def test_a_steady_leak_is_found_below_noise() -> None:
    rng = Random(3)
    sizes = [80 + 0.1 * nth + rng.uniform(-2, 2) for nth in range(200)]
    assert 0.9 < growth_mib_per_minute(life(sizes)) < 1.5


def test_noise_alone_is_flat() -> None:
    rng = Random(4)
    assert abs(growth_mib_per_minute(life([80 + rng.uniform(-3, 3) for _ in range(200)]))) < 0.3


def test_steps_that_stay_are_no_leak() -> None:
    """Under a burst an allocator takes what it needs once, and keeps it."""
    sizes = [70.0] * 60 + [81.0] * 40 + [96.0] * 100
    assert growth_mib_per_minute(life(sizes)) == 0


def test_a_start_is_left_out() -> None:
    sizes = [40 + 3.0 * nth for nth in range(12)] + [76.0] * 100
    assert growth_mib_per_minute(life(sizes)) == 0


def test_a_leak_is_found_across_restarts() -> None:
    lives = [life([60 + 0.2 * nth for nth in range(40)], pid=pid, begun_s=pid * 300.0) for pid in range(1, 6)]
    assert growth_mib_per_minute([reading for one in lives for reading in one]) > 2


def test_lives_that_are_too_short_tell_nothing() -> None:
    assert growth_per_s(life([60, 70, 80, 90])) is None


def test_the_longest_life_counts_from_its_warm_up() -> None:
    lives = [*life([60.0] * 30), *life([60.0] * 50, pid=2, begun_s=150.0), *life([60.0] * 3, pid=3, begun_s=400.0)]
    assert longest_s(lives, warm_s=60) == 49 * 5 - 60
    assert longest_s(life([60.0] * 3), warm_s=60) == 0
