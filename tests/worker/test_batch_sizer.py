"""The size of batches follows from their times, whatever machine and method make them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoward.worker.batch_sizer import ALIKE, FIRST, REMEMBERED, Pace, line

MOST = 128
KIND = "sem/prototype/tiny/64"


def right(aim_s: float, photo_s: float, batch_s: float, most: int = MOST) -> float:
    """How many photos fit the aim, between one and the most."""
    return min(max((aim_s - batch_s) / photo_s, 1), most)


def steps(size: float) -> float:
    return math.log2(size)


class Machine:
    """Works off batches in a·n + b seconds, now and then in another time."""

    def __init__(
        self, photo_s: float, batch_s: float, seed: int, *, noise: float = 0.1, odd: float = 0.1
    ) -> None:
        self.photo_s, self.batch_s = photo_s, batch_s
        self.random, self.noise, self.odd = random.Random(seed), noise, odd

    def seconds(self, count: int) -> float:
        usual = self.photo_s * count + self.batch_s
        if self.random.random() < self.odd:
            return usual * 10
        return usual * self.random.uniform(1 - self.noise, 1 + self.noise)

    def run(self, pace: Pace, batches: int, waiting: int = 10_000) -> list[int]:
        """Sizes of so many batches, of a queue in which so many wait."""
        sizes = []
        for _ in range(batches):
            sizes.append(min(pace.sizes().get(KIND, pace.first), waiting))
            pace.learn(KIND, sizes[-1], self.seconds(sizes[-1]))
        return sizes


@given(
    photo_s=st.floats(1e-4, 3),
    share=st.floats(0, 0.8),
    most=st.integers(1, 300),
    aim_s=st.floats(0.5, 5),
    seed=st.integers(0, 1000),
)
def test_the_size_comes_within_a_step_of_the_right_one(
    photo_s: float, share: float, most: int, aim_s: float, seed: int
) -> None:
    pace, batch_s = Pace(aim_s, most), share * aim_s
    sizes = Machine(photo_s, batch_s, seed).run(pace, 3 * REMEMBERED)
    assert all(1 <= size <= most for size in sizes)
    wanted = steps(right(aim_s, photo_s, batch_s, most))
    late = sizes[REMEMBERED:]
    near = [wanted - 2 < steps(size) <= wanted + 1 for size in late]
    assert sum(near) >= 0.7 * len(near), (late, 2**wanted)


@given(
    seen=st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1e4)), min_size=1, max_size=40),
    most=st.integers(1, 200),
    aim_s=st.floats(0.01, 100),
    held=st.integers(-3, 400) | st.none(),
)
def test_whatever_is_seen_the_limits_hold(
    seen: list[tuple[int, float]], most: int, aim_s: float, held: int | None
) -> None:
    pace = Pace(aim_s, most)
    assert 1 <= pace.first <= most
    for count, seconds in seen:
        learnt = pace.learn(KIND, count, seconds, held)
        assert 1 <= learnt.size <= min(most, max(held or most, 1))
        assert learnt.photo_s >= 0
        assert learnt.batch_s >= 0
        assert pace.sizes() == {KIND: learnt.size}


def test_a_line_is_found_among_points_of_which_a_fifth_are_odd() -> None:
    seen = [(n, 0.3 * n + 2) for n in (1, 2, 4, 8, 16, 3, 5, 12)] + [(2, 90.0), (16, 0.0)]
    assert line(seen) == pytest.approx((0.3, 2))


def test_a_full_queue_whose_batches_are_all_alike_teaches_both_numbers() -> None:
    machine = Machine(0.1, 1.0, 1, noise=0, odd=0)
    pace = Pace(2.0, MOST)
    assert max(machine.run(pace, 100)) == 8
    learnt = pace.learn(KIND, 8, machine.seconds(8))
    assert (learnt.photo_s, learnt.batch_s) == pytest.approx((0.1, 1.0))


def test_a_machine_that_slows_down_gets_smaller_batches_and_larger_ones_again() -> None:
    pace = Pace(2.0, MOST)
    fast, slow = Machine(0.02, 0.1, 1), Machine(0.2, 0.1, 2)
    assert fast.run(pace, 20)[-1] == 64
    assert max(slow.run(pace, 2 * REMEMBERED)[-ALIKE:]) == 8
    assert max(fast.run(pace, 2 * REMEMBERED)[-ALIKE:]) == 64


def test_single_photos_teach_nothing_that_a_flood_would_not_correct() -> None:
    pace = Pace(2.0, MOST)
    machine = Machine(0.01, 0.3, 1)
    machine.run(pace, 100, waiting=1)
    sizes = machine.run(pace, 12)
    assert sizes[:4] == [2, 4, 8, 16], "it never takes more than twice of what it has tried"
    assert sizes[-1] == MOST


def test_what_did_not_fit_into_memory_is_not_tried_again() -> None:
    pace = Pace(100.0, MOST)
    machine = Machine(0.001, 0.0, 1)
    assert machine.run(pace, 10)[-1] == MOST
    pace.learn(KIND, MOST, 1.0, fitting=40)
    assert max(machine.run(pace, 100)) == 40
    pace.learn(KIND, 40, 1.0, fitting=MOST)
    assert max(machine.run(pace, 100)) == 40


def test_kinds_are_learnt_apart() -> None:
    pace = Pace(2.0, MOST)
    pace.learn("slow", 8, 16.0)
    pace.learn("fast", 8, 0.1)
    assert pace.sizes() == {"slow": 1, "fast": 16}
    assert pace.first == FIRST
