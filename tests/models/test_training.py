"""Training of surrogates and of victims, at a size that takes seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from photoward.core.catalogue import read_cards
from photoward.core.errors import BadInput
from photoward.models.evaluation.trainer_run import VictimRecipe
from photoward.models.evaluation.trainers.victim import train_victim
from photoward.models.surrogates.surrogate import load_network, load_surrogate
from photoward.models.training.data import LabelledPictures, load_folders
from photoward.models.training.export import export
from photoward.models.training.loop import CODED, Progress, Recipe, Trainer
from photoward.models.training.selection import Boundary
from photoward.models.training.targets import Codes

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
TINY = Recipe(width=16, steps=8, batch=16)
TINY_CODED = replace(CODED, width=16, steps=8, batch=16, ramp=4, code=(3, 2))
TINY_THRIFTY = replace(TINY, select="bullettrain", prune="rsr")
EACH = pytest.mark.parametrize(
    "recipe", [TINY, TINY_CODED, TINY_THRIFTY], ids=["classes", "codewords", "thrifty"]
)


def stripes(n: int = 64, seed: int = 0) -> LabelledPictures:
    """Two classes that a network learns at once: bright left halves, bright right halves."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    pictures = random.integers(0, 128, (n, 3, 32, 32), dtype=np.uint8)
    pictures[labels == 0, :, :16] += 127
    pictures[labels == 1, :, 16:] += 127
    return LabelledPictures(torch.from_numpy(pictures), torch.from_numpy(labels), ["up", "down"])


def ignore(_: Progress) -> None:
    """Nobody watches."""


@EACH
def test_an_interrupted_run_ends_as_an_undisturbed_one(tmp_path: Path, recipe: Recipe) -> None:
    whole = Trainer(stripes(), recipe, CPU)
    whole.run(ignore)

    class Interrupted(Exception):  # noqa: N818  # what happens, not an error of ours
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 5:
            raise Interrupted

    first = Trainer(stripes(), recipe, CPU)
    with pytest.raises(Interrupted):
        first.run(stop)
    first.save(tmp_path)
    second = Trainer(stripes(), recipe, CPU)
    second.resume(tmp_path)
    assert second.step == 5
    second.run(ignore, tmp_path)
    for key, value in whole.network.state_dict().items():
        assert value.equal(second.network.state_dict()[key]), key
    for key, kept in whole.targets.tensors.items():
        assert kept.equal(second.targets.tensors[key]), key
    if whole.boundary and second.boundary:
        assert whole.boundary.share == second.boundary.share < 1


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    trainer = Trainer(stripes(), TINY, CPU)
    trainer.save(tmp_path)
    with pytest.raises(ValueError, match="another recipe"):
        Trainer(stripes(), replace(TINY, steps=9), CPU).resume(tmp_path)


def test_a_longer_stride_starts_by_seeing_means_of_what_a_shorter_one_saw() -> None:
    features, _ = load_network(*read_cards([])["cifar10-r18w16"])
    recipe = replace(TINY, size=96, stride=3)
    large = stripes()
    large = replace(large, pictures=large.pictures.repeat_interleave(3, 2).repeat_interleave(3, 3))
    trainer = Trainer(large, recipe, CPU, features)
    x = torch.rand(4, 3, 96, 96)
    with torch.no_grad():
        wanted = features.eval().features(torch.nn.functional.avg_pool2d(x, 3))
        assert torch.allclose(trainer.network.eval().features(x), wanted, atol=1e-4)
    trainer.run(ignore)
    assert trainer.step == recipe.steps


def test_the_noise_of_training_stays_within_its_budget() -> None:
    trainer = Trainer(stripes(), TINY, CPU)
    trainer.run(ignore)
    noise = trainer.targets.tensors["noise"]
    assert noise.abs().max() <= TINY.epsilon / 255 + 1e-4  # stored in 16 bits
    shown = trainer.data.pictures / 255 + noise
    visited = noise.abs().sum((1, 2, 3)) > 0
    assert visited.all()
    assert shown[visited].max() <= 1 + TINY.epsilon / 255


def test_the_attack_stays_within_its_radius_and_hurts() -> None:
    trainer = Trainer(stripes(), TINY, CPU)
    x, y = trainer.data.pictures.float() / 255, trainer.data.labels
    trainer.network.eval()
    attacked = trainer.attack(x, y[:, None], radius=4, steps=5, step_size=1.0)
    assert (attacked - x).abs().max() <= 4 / 255 + 1e-6
    loss = torch.nn.functional.cross_entropy
    with torch.no_grad():
        clean = loss(trainer.network(x * 2 - 1), y)
        assert loss(trainer.network(attacked * 2 - 1), y) > clean


def test_what_is_exported_can_be_loaded_and_served(tmp_path: Path) -> None:
    trainer = Trainer(stripes(), TINY, CPU)
    trainer.run(ignore)
    card = export(
        trainer,
        tmp_path,
        name="stripes",
        data="stripes",
        data_sha256=stripes().digest(),
        licence="Apache-2.0",
        holdout=stripes(16, 1),
    )
    assert card.classes == ["up", "down"]
    attacks = [f"pgd20_accuracy_{radius}_255" for radius in (2, 4, 8)]
    assert set(card.figures) == {
        "protected_accuracy_under_attack",
        "clean_accuracy",
        *attacks,
        "unseen_protected_pgd20_accuracy_0_255",
        *(f"unseen_protected_{one}" for one in attacks),
    }
    assert card.figures[attacks[0]] >= card.figures[attacks[2]]
    read, weights = read_cards([tmp_path])["stripes"]
    assert read == card
    surrogate = load_surrogate(read, weights, CPU, torch.float32)
    x = trainer.data.pictures[:4].float() / 255
    with torch.no_grad():
        assert torch.allclose(surrogate.logits(x), trainer.network(x * 2 - 1), atol=1e-3)


def test_a_longer_stride_is_exported_and_served(tmp_path: Path) -> None:
    trainer = Trainer(stripes(), replace(TINY, stride=2), CPU)
    trainer.run(ignore)
    export(
        trainer,
        tmp_path,
        name="strided",
        data="stripes",
        data_sha256="",
        licence="Apache-2.0",
        holdout=None,
    )
    card, weights = read_cards([tmp_path])["strided"]
    surrogate = load_surrogate(card, weights, CPU, torch.float32)
    x = trainer.data.pictures[:4].float() / 255
    with torch.no_grad():
        assert torch.allclose(surrogate.logits(x), trainer.network(x * 2 - 1), atol=1e-3)


def test_a_surrogate_of_codewords_reads_them_off_pictures_that_it_never_saw(tmp_path: Path) -> None:
    recipe = replace(TINY_CODED, steps=30, ramp=10, radius=2.0)
    features, _ = load_network(*read_cards([])["cifar10-r18w16"])
    trainer = Trainer(stripes(), recipe, CPU, features)
    trainer.run(ignore)
    card = export(
        trainer,
        tmp_path,
        name="words",
        data="stripes",
        data_sha256=stripes().digest(),
        licence="Apache-2.0",
        holdout=stripes(32, 1),
        labeller="other",
    )
    assert (card.classes, card.code, card.labeller) == ([], [3, 2], "other")
    assert "clean_accuracy" not in card.figures
    read = [card.figures[f"unseen_protected_pgd20_accuracy_{r}_255"] for r in (0, 2, 4, 8)]
    assert read[0] > 0.95  # by chance: 0.42
    assert read[1] > 0.8
    assert sorted(read, reverse=True) == read
    surrogate = load_surrogate(card, tmp_path / "words.safetensors", CPU, torch.float32)
    assert surrogate.logits(torch.rand(2, 3, 32, 32)).shape == (2, 5)


def test_a_surrogate_for_photos_looks_at_parts_of_larger_pictures(tmp_path: Path) -> None:
    photos = stripes()
    photos = replace(
        photos, pictures=photos.pictures.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )
    trainer = Trainer(photos, replace(TINY_CODED, grid=64), CPU)
    trainer.run(ignore)
    assert trainer.targets.tensors["universal"].shape == (5, 3, 64, 64)
    card = export(
        trainer,
        tmp_path,
        name="photos",
        data="stripes",
        data_sha256="",
        licence="Apache-2.0",
        holdout=photos,
    )
    assert (card.size, card.recipe["grid"]) == (32, 64)
    assert 0 <= card.figures["unseen_protected_pgd20_accuracy_2_255"] <= 1


def test_only_what_a_random_perturbation_nearly_turns_is_attacked() -> None:
    boundary = Boundary([2])
    code = torch.zeros((16, 1), dtype=torch.long)
    margins = torch.arange(16.0) - 4  # five wrong ones, then surer and surer
    outputs = torch.stack([margins, torch.zeros(16)], dim=1)
    assert sorted(boundary.choose(outputs, code).tolist()) == list(range(16))  # nothing known yet
    for _ in range(50):
        chosen = boundary.choose(outputs, code)
        turned = outputs.clone()
        turned[5:7, 0] = -1  # two are turned each time
        boundary.hear(turned, code)
    assert boundary.share == pytest.approx(2 / 16, abs=0.01)
    assert chosen.tolist() == [5, 6, 7, 8]  # half as many again, in whole eighths
    for _ in range(50):
        boundary.choose(outputs, code)
        boundary.hear(outputs, code)
    assert len(boundary.choose(outputs, code)) == 2  # never none


def test_a_pruned_surrogate_is_the_trained_one_without_its_silent_channels(
    tmp_path: Path,
) -> None:
    trainer = Trainer(stripes(), replace(TINY, prune="rsr", steps=24), CPU)
    before = [tensor.clone() for tensor in trainer.sparsity.tensors.values()]  # type: ignore[union-attr]
    trainer.run(ignore)
    strengths = trainer.sparsity.tensors.values()  # type: ignore[union-attr]
    assert all(not ours.equal(first) for ours, first in zip(strengths, before, strict=True))
    card = export(
        trainer,
        tmp_path,
        name="thin",
        data="stripes",
        data_sha256="",
        licence="Apache-2.0",
        holdout=None,
    )
    assert card.inner == [8, 8, 16, 16, 32, 32, 64, 64]
    surrogate = load_surrogate(card, tmp_path / "thin.safetensors", CPU, torch.float32)
    whole = load_network(*read_cards([])["cifar10-r18w16"])[0]
    assert sum(p.numel() for p in surrogate.network.parameters()) < 0.6 * sum(
        p.numel() for p in whole.parameters()
    )
    x = trainer.data.pictures[:4].float() / 255
    with torch.no_grad():
        assert torch.allclose(surrogate.logits(x), trainer.network(x * 2 - 1), atol=1e-3)


def test_universal_noise_stays_within_the_budget_and_starts_the_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = Codes(32, 8.0, (3, 2), CPU, generator)
    for _ in range(30):
        code, start = targets.draw(torch.arange(16), generator)
        assert code.max(0).values.tolist() <= [2, 1]
        assert start.abs().max() <= 8 / 255 + 1e-6
        targets.learn(code, torch.ones_like(start))
    assert targets.tensors["universal"].min() >= -8 / 255 - 1e-6
    assert targets.tensors["universal"].mean() < -7 / 255


def test_training_goes_on_from_given_features() -> None:
    first = Trainer(stripes(), TINY, CPU)
    first.run(ignore)
    second = Trainer(stripes(), TINY_CODED, CPU, first.network)
    before, after = first.network.state_dict(), second.network.state_dict()
    assert after["stem.0.weight"].equal(before["stem.0.weight"])
    assert len(after["head.bias"]) == 5


def test_a_victim_learns_what_can_be_learnt_and_repeats() -> None:
    recipe = VictimRecipe(width=16, epochs=8, batch=32)
    verdicts = [train_victim(stripes(96), stripes(64, 1), recipe, CPU) for _ in range(2)]
    assert verdicts[0].test_accuracy > 0.9
    assert verdicts[0].test_accuracy == verdicts[1].test_accuracy


def test_a_victim_of_nonsense_learns_nothing_of_use() -> None:
    nonsense = stripes(96)
    shuffled = nonsense.labels[torch.randperm(96, generator=torch.Generator().manual_seed(0))]
    train = LabelledPictures(nonsense.pictures, shuffled, nonsense.classes)
    recipe = VictimRecipe(width=16, epochs=8, batch=32)
    assert train_victim(train, stripes(64, 1), recipe, CPU).test_accuracy < 0.85


def test_a_victim_needs_equal_classes() -> None:
    other = LabelledPictures(stripes().pictures, stripes().labels, ["a", "b"])
    with pytest.raises(ValueError, match="are not the test classes"):
        train_victim(stripes(), other, VictimRecipe(), CPU)


def folders(root: Path, **classes: int) -> Path:
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (40, 20), (i, 0, 0)).save(root / name / f"{i}.png")
    return root


def test_what_is_hidden_is_no_class_and_no_picture(tmp_path: Path) -> None:
    root = folders(tmp_path / "d", b=2, a=1)
    for place in (".thumbnails", "@eaDir", "a/@eaDir", "b/.thumbnails"):
        (root / place).mkdir()
        (root / place / "small.png").write_bytes(b"not looked at")
    data = load_folders(root, 32)
    assert data.classes == ["a", "b"]
    assert data.labels.tolist() == [0, 1, 1]


def test_class_folders_are_read_in_order(tmp_path: Path) -> None:
    data = load_folders(folders(tmp_path / "d", b=2, a=1), 32)
    assert data.classes == ["a", "b"]
    assert data.labels.tolist() == [0, 1, 1]
    assert data.pictures.shape == (3, 3, 32, 32)
    assert data.pictures[2, 0].unique().tolist() == [1]


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [({"a": 1}, "at least two"), ({}, "not a folder"), ({"a": 1, "b": 0}, "no pictures")],
)
def test_unusable_folders_are_refused(
    tmp_path: Path, classes: dict[str, int], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        load_folders(folders(tmp_path / "d", **classes), 32)


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    root = folders(tmp_path / "d", a=1, b=1)
    (root / "b" / "9.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"9\.png"):
        load_folders(root, 32)
