"""What trainers clean pictures with: by pairs that leaked, by a narrow code, by an adversary."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from photoward.models.evaluation.attacks_on_pairs import u_net
from photoward.models.evaluation.countermeasures import d_vae, external_transform
from photoward.models.evaluation.pretrained_networks import Networks
from photoward.models.evaluation.registry import registry
from photoward.models.evaluation.result_cache import Derived
from photoward.models.evaluation.trainer_run import Leak, Scene, VictimRecipe
from photoward.models.training.data import LabelledPictures
from tests.models.evaluation.pictures import CLASSES, pictures

CPU = torch.device("cpu")


def nobody(_step: int, _loss: float) -> None:
    pytest.fail("it was computed again")


def smooth(each: int, seed: int, side: int = 16) -> torch.Tensor:
    """Soft pictures ``[2 · each, 3, S, S]``: coarse random colours, enlarged."""
    coarse = torch.rand((2 * each, 3, 4, 4), generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return (fine.clamp(0, 1) * 200 + 28).byte()


def patterned(samples: torch.Tensor) -> torch.Tensor:
    """With class-wise stripes of ±12."""
    lines = (torch.arange(samples.shape[-1]) % 2 * 24 - 12).expand(samples.shape[-2:])
    noise = torch.stack([lines, lines.T]).repeat_interleave(len(samples) // 2, 0)
    return (samples + noise[:, None]).byte()


def scene(train: torch.Tensor, leak: Leak | None = None) -> Scene:
    labels = torch.arange(2).repeat_interleave(len(train) // 2)
    data = LabelledPictures(train, labels, CLASSES)
    leaks = {"same": leak} if leak else {}
    return Scene(data, data, VictimRecipe(size=train.shape[-1]), CPU, Derived(), leaks)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return (one.float() - other.float()).abs().mean().item()


@pytest.mark.slow
def test_a_network_that_saw_pairs_takes_the_noise_out_of_others() -> None:
    known, clean = smooth(24, 0), smooth(8, 1)
    leak = Leak(known, patterned(known), "pairs")
    found = u_net.subtracting("same", 50).prepare(scene(patterned(clean), leak))
    assert distance(patterned(clean), clean) == pytest.approx(12, abs=0.5)
    assert distance(found.train.pictures, clean) < 4
    assert found.test.pictures.equal(patterned(clean)), "test pictures stay as they are"


@pytest.mark.slow
def test_a_narrow_code_carries_the_picture_without_the_noise() -> None:
    clean = smooth(24, 0)
    found = d_vae.d_vae(80).prepare(scene(patterned(clean))).train.pictures
    assert found.shape == clean.shape
    stripes = patterned(torch.full_like(clean, 128)).float() - 128
    left, before = (
        ((samples.float() - clean.float()) * stripes).mean() / stripes.square().mean()
        for samples in (found, patterned(clean))
    )
    assert before == pytest.approx(1, abs=0.05)
    assert left < 0.5


def test_what_was_cleaned_is_kept() -> None:
    asked = scene(patterned(smooth(6, 0)))
    first = d_vae.d_vae(2).prepare(asked).train.pictures
    ended = replace(asked, report=nobody)
    assert d_vae.d_vae(2).prepare(ended).train.pictures.equal(first)


def test_a_picture_is_moved_away_from_an_opinion_and_no_further() -> None:
    """A linear opinion: which half is brighter."""

    def logits(x: torch.Tensor) -> torch.Tensor:
        halves = x.mean(dim=(1, 2)).reshape(len(x), 2, -1).mean(2)
        return 20 * halves

    x = pictures(4, side=16).pictures.float() / 255 * 0.2 + 0.4
    moved = external_transform.away(logits, x, 25 / 255)
    assert (moved - x).abs().max().item() == pytest.approx(25 / 255, abs=1e-6)
    opinion = logits(x).argmax(1)
    assert (logits(moved).gather(1, opinion[:, None]) < logits(x).gather(1, opinion[:, None])).all()
    assert external_transform.away(logits, x, 25 / 255).equal(moved)


def test_trainer_and_tester_transform_every_picture() -> None:
    networks = Networks.installed()
    one = external_transform.transform(networks, "squeezenet-1.1", 8, 24)
    asked = replace(scene(pictures(4, side=24).pictures), test=pictures(3, seed=1, side=24))
    found = one.prepare(asked)
    for before, after in ((asked.train, found.train), (asked.test, found.test)):
        steps = (after.pictures.short() - before.pictures.short()).abs()
        assert steps.max() == 8
        assert steps.flatten(1).amax(1).min() > 0
    assert one.prepare(replace(asked, report=nobody)).train.pictures.equal(found.train.pictures)


def test_external_networks_and_the_pairs_of_tenants_are_rows() -> None:
    known = registry()
    assert {f"external-{radius}:mobilenet-v2" for radius in (8, 25)} <= set(known)
    assert known["unet-other"].needs == "other"
    assert known["unet-same-probe:mobilenet-v2"].network == "mobilenet-v2"
    assert known["external-8:mobilenet-v2"].network == "", "its victim starts from scratch"
