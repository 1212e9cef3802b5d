"""The published loop and the counting of operations, which the benchmark compares us with."""

from __future__ import annotations

import torch
from torch.nn import functional

from photoward.models.evaluation.metrics.reference_loop import ReferenceLoop
from photoward.models.evaluation.metrics.throughput import multiply_peak, pass_flops

CPU = torch.device("cpu")
LABELS = torch.tensor([0, 1, 0, 1])


def loop(seed: int = 0, **schedule: float) -> ReferenceLoop:
    """With a network that calls bright pictures 0 and dark ones 1, however they are shifted."""
    pictures = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    head = torch.nn.Linear(3, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[5.0], [-5.0]]).expand(2, 3))
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), head)
    generator = torch.Generator().manual_seed(seed)
    return ReferenceLoop(
        network.requires_grad_(requires_grad=False),
        pictures,
        LABELS,
        generator,
        **schedule,  # type: ignore[arg-type]  # mixed by name
    )


def loss(of: ReferenceLoop, delta: torch.Tensor) -> float:
    return functional.cross_entropy(of.network((of.pictures + delta) * 2 - 1), LABELS).item()


def test_it_makes_the_label_easy_within_the_budget() -> None:
    whole = loop()
    delta = whole.noise()
    assert delta.abs().max() <= 8 / 255 + 1e-6
    changed = whole.pictures + delta
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert loss(whole, delta) < 0.6 * loss(whole, torch.zeros_like(delta))


def test_the_work_is_the_papers() -> None:
    assert loop().passes == 50


def test_the_seed_decides_everything() -> None:
    one, same, other = (loop(seed, steps=1, samples=2).noise() for seed in (3, 3, 4))
    assert one.equal(same)
    assert not one.equal(other)


def test_each_picture_is_shifted_by_at_most_four_and_perhaps_mirrored() -> None:
    of = loop()
    picture = torch.zeros(3, 32, 32)
    picture[:, 10, 20] = 1
    places = {tuple(of._augmented(picture)[0].nonzero()[0].tolist()) for _ in range(300)}
    assert {y for y, _ in places} == set(range(6, 15))
    assert {x for _, x in places} == set(range(16, 25)) | set(range(7, 16))


def test_operations_are_counted_forth_and_back() -> None:
    layer = torch.nn.Conv2d(3, 8, 3, padding=1).requires_grad_(requires_grad=False)
    forth = 2 * 8 * 3 * 9 * 32 * 32
    assert pass_flops(layer, 32, CPU, torch.float32) == 2 * forth


def test_the_machine_can_do_something() -> None:
    assert multiply_peak(CPU, torch.float32) > 0
