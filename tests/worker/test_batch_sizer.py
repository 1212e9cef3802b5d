"""The size of batches follows from their times, whatever machine and method make them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoward.worker.batch_sizer import ALIKE, FIRST, REMEMBERED, BatchSizer, fit_line

MOST = 128
KIND = "sem/prototype/tiny/64"


def right(
    target_seconds: float, item_seconds: float, fixed_seconds: float, most: int = MOST
) -> float:
    """How many photos fit the aim, between one and the most."""
    return min(max((target_seconds - fixed_seconds) / item_seconds, 1), most)


def steps(size: float) -> float:
    return math.log2(size)


class Machine:
    """Works off batches in a·n + b seconds, now and then in another time."""

    def __init__(
        self,
        item_seconds: float,
        fixed_seconds: float,
        seed: int,
        *,
        noise: float = 0.1,
        odd: float = 0.1,
    ) -> None:
        self.item_seconds, self.fixed_seconds = item_seconds, fixed_seconds
        self.random, self.noise, self.odd = random.Random(seed), noise, odd

    def seconds(self, count: int) -> float:
        usual = self.item_seconds * count + self.fixed_seconds
        if self.random.random() < self.odd:
            return usual * 10
        return usual * self.random.uniform(1 - self.noise, 1 + self.noise)

    def run(self, sizer: BatchSizer, batches: int, waiting: int = 10_000) -> list[int]:
        """Sizes of so many batches, of a queue in which so many wait."""
        sizes = []
        for _ in range(batches):
            sizes.append(min(sizer.sizes().get(KIND, sizer.first), waiting))
            sizer.record(KIND, sizes[-1], self.seconds(sizes[-1]))
        return sizes


@given(
    item_seconds=st.floats(1e-4, 3),
    share=st.floats(0, 0.8),
    most=st.integers(1, 300),
    target_seconds=st.floats(0.5, 5),
    seed=st.integers(0, 1000),
)
def test_the_size_comes_within_a_step_of_the_right_one(
    item_seconds: float, share: float, most: int, target_seconds: float, seed: int
) -> None:
    sizer, fixed_seconds = BatchSizer(target_seconds, most), share * target_seconds
    sizes = Machine(item_seconds, fixed_seconds, seed).run(sizer, 3 * REMEMBERED)
    assert all(1 <= size <= most for size in sizes)
    wanted = steps(right(target_seconds, item_seconds, fixed_seconds, most))
    late = sizes[REMEMBERED:]
    near = [wanted - 2 < steps(size) <= wanted + 1 for size in late]
    assert sum(near) >= 0.7 * len(near), (late, 2**wanted)


@given(
    seen=st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1e4)), min_size=1, max_size=40),
    most=st.integers(1, 200),
    target_seconds=st.floats(0.01, 100),
    held=st.integers(-3, 400) | st.none(),
)
def test_whatever_is_seen_the_limits_hold(
    seen: list[tuple[int, float]], most: int, target_seconds: float, held: int | None
) -> None:
    sizer = BatchSizer(target_seconds, most)
    assert 1 <= sizer.first <= most
    for count, seconds in seen:
        cost = sizer.record(KIND, count, seconds, held)
        assert 1 <= cost.size <= min(most, max(held or most, 1))
        assert cost.item_seconds >= 0
        assert cost.fixed_seconds >= 0
        assert sizer.sizes() == {KIND: cost.size}


def test_a_line_is_found_among_points_of_which_a_fifth_are_odd() -> None:
    seen = [(n, 0.3 * n + 2) for n in (1, 2, 4, 8, 16, 3, 5, 12)] + [(2, 90.0), (16, 0.0)]
    assert fit_line(seen) == pytest.approx((0.3, 2))


def test_a_full_queue_whose_batches_are_all_alike_teaches_both_numbers() -> None:
    machine = Machine(0.1, 1.0, 1, noise=0, odd=0)
    sizer = BatchSizer(2.0, MOST)
    assert max(machine.run(sizer, 100)) == 8
    cost = sizer.record(KIND, 8, machine.seconds(8))
    assert (cost.item_seconds, cost.fixed_seconds) == pytest.approx((0.1, 1.0))


def test_a_machine_that_slows_down_gets_smaller_batches_and_larger_ones_again() -> None:
    sizer = BatchSizer(2.0, MOST)
    fast, slow = Machine(0.02, 0.1, 1), Machine(0.2, 0.1, 2)
    assert fast.run(sizer, 20)[-1] == 64
    assert max(slow.run(sizer, 2 * REMEMBERED)[-ALIKE:]) == 8
    assert max(fast.run(sizer, 2 * REMEMBERED)[-ALIKE:]) == 64


def test_single_photos_teach_nothing_that_a_flood_would_not_correct() -> None:
    sizer = BatchSizer(2.0, MOST)
    machine = Machine(0.01, 0.3, 1)
    machine.run(sizer, 100, waiting=1)
    sizes = machine.run(sizer, 12)
    assert sizes[:4] == [2, 4, 8, 16], "it never takes more than twice of what it has tried"
    assert sizes[-1] == MOST


def test_what_did_not_fit_into_memory_is_not_tried_again() -> None:
    sizer = BatchSizer(100.0, MOST)
    machine = Machine(0.001, 0.0, 1)
    assert machine.run(sizer, 10)[-1] == MOST
    sizer.record(KIND, MOST, 1.0, memory_limit=40)
    assert max(machine.run(sizer, 100)) == 40
    sizer.record(KIND, 40, 1.0, memory_limit=MOST)
    assert max(machine.run(sizer, 100)) == 40


def test_kinds_are_learnt_apart() -> None:
    sizer = BatchSizer(2.0, MOST)
    sizer.record("slow", 8, 16.0)
    sizer.record("fast", 8, 0.1)
    assert sizer.sizes() == {"slow": 1, "fast": 16}
    assert sizer.first == FIRST
