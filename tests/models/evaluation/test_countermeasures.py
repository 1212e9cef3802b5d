"""What each countermeasure does to pictures, labels and losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import changed_once, no_lens
from photoward.models.evaluation.registry import registry
from photoward.models.evaluation.trainer_run import VictimRecipe
from photoward.models.evaluation.trainers.victim import train_victim
from photoward.models.training.data import LabelledPictures
from tests.models.evaluation.pictures import pictures

CPU = torch.device("cpu")
ALL = registry(attack_steps=3, candidates=3, pretrained_side=32, purifier_epochs=1)
AT_HOME = [name for name, one in ALL.items() if ":" not in name and not one.network]


class Watched:
    """A network that remembers what it was shown: two logits from the mean."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x.detach())
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([-mean, mean], dim=1)


def randomness(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 8, side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand((n, 3, side, side), generator=randomness(1))
    return x, functional.one_hot(torch.arange(n) % 2, 2).float()


def shown(name: str, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """What the network gets to see at last."""
    network = Watched()
    ALL[name].objective(network, x, batch(len(x))[1], randomness(seed))
    return network.seen[-1]


def once(name: str, picture: torch.Tensor) -> torch.Tensor:
    change = ALL[name].once
    assert change is not None
    one = LabelledPictures(picture[None], torch.zeros(1, dtype=torch.long), ["a", "b"])
    return changed_once(one, change)[0]


@pytest.mark.parametrize("name", AT_HOME)
def test_a_loss_can_be_descended_and_repeats(name: str) -> None:
    x, y = batch()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 2))
    losses = []
    for _ in range(2):
        loss, logits = ALL[name].objective(network, x, y, randomness())
        assert logits.shape == y.shape
        network.zero_grad()
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == losses[1] > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("name", [name for name in AT_HOME if not ALL[name].needs])
def test_a_victim_can_be_trained_under_it(name: str) -> None:
    recipe = VictimRecipe(architecture="vgg", size=16, epochs=1, batch=8)
    verdict = train_victim(pictures(), pictures(4, seed=1), recipe, CPU, countermeasure=ALL[name])
    assert 0 <= verdict.test_accuracy <= 1


def test_only_grayscale_and_projection_touch_test_pictures() -> None:
    assert {name for name in AT_HOME if ALL[name].lens is not no_lens} == {
        "grayscale",
        "projection",
    }


@pytest.mark.parametrize("epsilon", [1, 2, 4, 8])
def test_an_adversary_reaches_its_radius_and_hurts(epsilon: int) -> None:
    x, y = batch()
    x = x * 0.8 + 0.1
    network = Watched()
    loss, _ = ALL[f"at-{epsilon}"].objective(network, x, y, randomness())
    change = (network.seen[-1] - x).abs()
    assert change.max().item() == pytest.approx(epsilon / 255, abs=1e-6)
    assert loss > functional.cross_entropy(network(x), y)


def test_steps_of_the_adversary_are_counted() -> None:
    network = Watched()
    registry(attack_steps=7)["at-4"].objective(network, *batch(), randomness())
    assert len(network.seen) == 7 + 1


def test_the_hardest_of_more_augmentations_is_harder() -> None:
    x, y = batch(64)

    def loss(candidates: int) -> float:
        objective = registry(candidates=candidates)["ueraser"].objective
        return objective(Watched(), x, y, randomness())[0].item()

    assert loss(1) < loss(4) < loss(16)


def test_jpeg_is_the_real_codec_and_costs_by_quality() -> None:
    noise = torch.rand((3, 32, 32), generator=randomness()) * 20
    noise = (torch.linspace(40, 200, 32) + noise).byte()
    errors = [
        (once(f"jpeg-{quality}", noise).float() - noise.float()).abs().mean().item()
        for quality in (10, 50, 75, 90)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] > 0


def test_bits_filters_and_resizing() -> None:
    ramp = torch.arange(256).reshape(1, 16, 16).expand(3, 16, 16).byte()
    assert once("bit-depth", ramp).unique().tolist() == [0, 64, 128, 192]
    flat = torch.full((3, 16, 16), 90, dtype=torch.uint8)
    spotted = flat.clone()
    spotted[:, 8, 8] = 255
    assert once("median", spotted).equal(flat)
    assert 90 < once("gaussian", spotted)[0, 8, 8] < 255
    assert once("resize", flat).equal(flat)
    checked = ((torch.arange(16)[:, None] + torch.arange(16)) % 2 * 255).byte().expand(3, 16, 16)
    assert once("resize", checked).float().std() < 30


def test_grayscale_is_the_luma_of_a_picture() -> None:
    x = torch.rand((2, 3, 8, 8), generator=randomness())
    grey = ALL["grayscale"].lens(pictures(), 0, CPU)(x)
    assert grey[:, 0].equal(grey[:, 1])
    assert grey[:, 0].equal(grey[:, 2])
    samples = (x[0] * 255).round().byte()
    pillow = np.asarray(Image.fromarray(samples.permute(1, 2, 0).numpy()).convert("L"))
    assert np.abs(grey[0, 0].numpy() * 255 - pillow).max() <= 1.5


def test_cutout_blanks_a_square() -> None:
    x, _ = batch(32)
    seen = shown("cutout", x)
    blank = (seen == 0.5).all(1)
    assert seen.movedim(1, -1)[~blank].equal(x.movedim(1, -1)[~blank])
    assert 0 < blank.float().mean() <= 0.25
    assert blank.flatten(1).sum(1).max() == 64


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_labels_are_mixed_as_pictures_are(name: str) -> None:
    """Black pictures are of one class, white ones of the other: the mean is the label."""
    y = batch(32)[1]
    x = y[:, 1, None, None, None].expand(32, 3, 16, 16)
    network = Watched()
    loss, logits = ALL[name].objective(network, x, y, randomness())
    mean = network.seen[-1].mean(dim=(1, 2, 3))
    assert mean.std() > 0.02
    assert ((mean > 0.01) & (mean < 0.99)).any()
    expected = functional.cross_entropy(logits, torch.stack([1 - mean, mean], 1))
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_warp_takes_pixels_from_near_by() -> None:
    x = torch.linspace(0, 1, 32).expand(4, 3, 32, 32)
    moved = (shown("coin", x) - x)[..., 3:-3].abs() * 31
    assert moved.max() <= 2 + 1e-3
    assert moved.mean() > 0.7


def test_sharpening_is_as_strong_as_published() -> None:
    """A centre about 2.5, four neighbours about −0.375, and the lowest 30 % of frequencies."""
    flat = torch.full((64, 3, 20, 20), 0.4)
    brightness = shown("rsk", flat).mean(dim=(1, 2, 3)) / 0.4
    assert brightness.mean() == pytest.approx(1, abs=0.1)
    assert brightness.std() == pytest.approx(0.2, rel=0.35), "the sum is random"
    wave = torch.cos(torch.pi * (torch.arange(20) + 0.5) * 4 / 20) * 0.1
    apart = shown("rsk", (0.5 + wave).expand(64, 3, 20, 20)).std(dim=3).mean() / wave.std()
    response = 2.5 - 2 * 0.375 * (1 + torch.cos(torch.tensor(torch.pi * 4 / 20)))
    assert apart == pytest.approx(float(response), rel=0.1)
    checked = ((torch.arange(20)[:, None] + torch.arange(20)) % 2).expand(8, 3, 20, 20) * 0.2 + 0.4
    assert shown("rsk", checked).std(dim=(2, 3)).max() < 0.05


def test_projection_removes_what_a_linear_model_finds() -> None:
    """A pattern of each class, far below what one sees, is gone from other pictures too."""
    data = pictures(60)
    samples = torch.randint(60, 190, data.pictures.shape, generator=randomness()).byte()
    pattern = torch.randint(-1, 2, (2, *samples.shape[1:]), generator=randomness()) * 12
    data = LabelledPictures(
        (samples + pattern[data.labels]).byte(), data.labels, data.classes, data.names
    )
    lens = ALL["projection"].lens(data, 0, CPU)
    apart = (pattern[0] - pattern[1])[None].float() / 255
    assert lens(apart).norm() < 0.6 * apart.norm()
    other = torch.rand((4, *samples.shape[1:]), generator=randomness())
    assert lens(other).norm() > 0.9 * other.norm()
    assert torch.allclose(lens(lens(other)), lens(other), atol=1e-4)
    one = lens(other) - other
    assert torch.linalg.matrix_rank(one.flatten(1)) == 1  # two classes, one direction


def test_each_says_where_it_comes_from() -> None:
    for one in ALL.values():
        assert one.title
        assert one.source


def test_an_adversarially_trained_victim_learns_what_no_adversary_hides() -> None:
    recipe = VictimRecipe(architecture="vgg", size=16, epochs=8, batch=16)
    verdict = train_victim(
        pictures(48), pictures(16, seed=1), recipe, CPU, countermeasure=ALL["at-8"]
    )
    assert verdict.test_accuracy > 0.9
    assert verdict.train_accuracy > 0.9
