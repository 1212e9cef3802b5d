"""What every method promises, and what each must reach."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photoward.core.catalogue import METHODS as TOLD
from photoward.core.catalogue import read_cards
from photoward.core.networks import read_networks
from photoward.core.settings import Settings
from photoward.models.jpeg import jpeg
from photoward.models.methods import label_filter, objectives
from photoward.models.methods.base import Brief, Method
from photoward.models.methods.filtered import FilteredDescent
from photoward.models.methods.label_filter import WIDE, LabelFilter
from photoward.models.methods.objectives import (
    attacked,
    jittered,
    undisturbed,
)
from photoward.models.methods.registry import METHODS, build, make
from photoward.models.methods.spec import PAPER, MethodSpec, Schedule
from photoward.models.pixels import from_bytes
from photoward.models.surrogates.pretrained import load_pretrained
from photoward.models.surrogates.surrogate import CHUNK, Surrogate, load_surrogate
from tests.support import networks, surrogates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoward.models.perceptual_budget import Budget
    from photoward.models.surrogates.pretrained import PretrainedNetwork

SURROGATE = surrogates.surrogate()
NETWORKS = networks.network_set(networks.pretrained(), per_step=1)
SHORT = Schedule(steps=2, samples=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adversary of one step."""
    monkeypatch.setattr(objectives, "ATTACK_STEPS", 1)


def short(name: str, surrogate: Surrogate = SURROGATE, jpeg_share: float = 0.0) -> Method:
    """A method of two steps, where it has any."""
    spec = replace(METHODS[name], schedule=replace(SHORT, jpeg_share=jpeg_share))
    return build(spec, surrogate, NETWORKS)


def sem(surrogate: Surrogate, schedule: Schedule | None = None) -> Method:
    spec = METHODS["sem"]
    return build(replace(spec, schedule=schedule or spec.schedule), surrogate)


def wide(surrogate: Surrogate) -> LabelFilter:
    return LabelFilter(replace(METHODS["cuda"], filter_side=WIDE), surrogate)


def pictures(n: int, grid: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, grid, grid, 3), dtype=np.uint8)


def briefs(  # noqa: PLR0913  # what a brief says
    method: Method,
    n: int,
    epsilon: float = 8,
    seed: int = 0,
    *,
    dimension: int = 128,
    grid: int = 64,
    **more: object,
) -> list[Brief]:
    random = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        direction = random.normal(size=dimension).astype(np.float32)
        fields: dict[str, object] = {
            "epsilon": epsilon,
            "aspect": 1.0,
            "anchor": 3,
            "direction": direction / np.linalg.norm(direction),
            "stream": random.integers(0, 256, method.stream_bytes(grid), dtype=np.uint8),
            "label_stream": random.integers(0, 256, method.label_bytes(grid), dtype=np.uint8),
        }
        found.append(Brief(**{**fields, **more}))  # type: ignore[arg-type]  # mixed by name
    return found


def test_the_catalogue_tells_the_methods_that_there_are() -> None:
    assert list(TOLD) == list(METHODS)
    for name, method in METHODS.items():
        assert TOLD[name].name == method.name == name
        assert TOLD[name].bounded == method.bounded


def test_each_methods_noise_has_a_version_of_its_own() -> None:
    versions = {name: method.version for name, method in METHODS.items()}
    assert versions == {
        "sem": "sem-3",
        "anchor": "anchor-2",
        "sem+anchor": "sem-3+anchor-1",
        "cuda": "cuda-2",
        "sem+cuda": "cuda-2-wide+sem-3",
        "em": "em-1",
        "rem": "rem-1",
    }
    assert len(set(versions.values())) == len(versions)


@pytest.mark.parametrize("name", sorted(METHODS))
@pytest.mark.parametrize("grid", [32, 64])
@settings(max_examples=5, deadline=None)
@given(epsilon=st.floats(1, 16), n=st.integers(1, 3), seed=st.integers(0, 9))
def test_the_envelope_holds(name: str, grid: int, epsilon: float, n: int, seed: int) -> None:
    method, x = short(name), pictures(n, grid, seed)
    noise = method.perturb(x, briefs(method, n, epsilon, seed))
    assert noise.shape == x.shape
    assert np.abs(noise).max() <= (epsilon if method.bounded else 127)
    assert (np.abs(noise).max() > epsilon) != method.bounded
    changed = x + noise
    assert changed.min() >= 0
    assert changed.max() <= 255


class Wild(Method):
    """Proposes anything but what is allowed."""

    def stream_bytes(self, grid: int) -> int:
        del grid
        return 1

    def _propose(self, limits: Budget, briefs: object) -> torch.Tensor:
        del briefs
        proposal = torch.full_like(limits.pictures, 1e9)
        proposal[:, 0] = float("nan")
        proposal[:, 1] = -float("inf")
        return proposal


class Wilder(Wild):
    bounded = False


@pytest.mark.parametrize(("kind", "bound"), [(Wild, 4), (Wilder, 127)])
def test_no_proposal_escapes_the_envelope(kind: type[Wild], bound: int) -> None:
    wild, x = kind(MethodSpec("wild", "wild-1"), SURROGATE), pictures(2)
    noise = wild.perturb(x, briefs(wild, 2, 4))
    assert noise[..., 0].any() == np.False_
    assert (noise[..., 1] == -np.minimum(x[..., 1].astype(int), bound)).all()
    assert (noise[..., 2] == np.minimum(255 - x[..., 2].astype(int), bound)).all()


@pytest.mark.parametrize(
    ("name", "grid", "dtype", "jpeg_share"),
    [
        *((name, grid, torch.float32, 0.0) for name in METHODS for grid in (32, 64)),
        ("sem", 64, torch.float32, 0.5),
        ("sem", 32, torch.bfloat16, 0.0),
    ],
)
def test_a_pictures_noise_does_not_depend_on_its_batch(
    name: str, grid: int, dtype: torch.dtype, jpeg_share: float
) -> None:
    method = short(name, surrogates.surrogate(dtype), jpeg_share)
    chunk = CHUNK["cpu"]
    n = chunk + 3
    x, wanted = pictures(n, grid), briefs(method, n)
    together = method.perturb(x, wanted)
    order = np.random.default_rng(1).permutation(n)
    shuffled = method.perturb(x[order], [wanted[i] for i in order])
    assert (shuffled == together[order]).all()
    for i in (0, chunk - 1, chunk + 1):
        assert (method.perturb(x[i : i + 1], [wanted[i]])[0] == together[i]).all()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_another_stream_gives_other_noise(name: str) -> None:
    method, x = short(name), photos(1, 32)
    alike = []
    for seed in (1, 3, 5, 7):
        one, other = (method.perturb(x, briefs(method, 1, seed=s)) for s in (seed, seed + 1))
        alike.append(abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]))
    if method.bounded:
        assert max(alike) < 0.3
    else:  # filters take away the same picture, and now and then two are much alike
        assert np.mean(alike) < 0.9


@pytest.fixture(scope="module")
def trained() -> Surrogate:
    """The surrogate that ships: with random weights no direction is to be had."""
    name = Settings().engine_surrogate
    card, weights = read_cards([])[name]
    return load_surrogate(card, weights, torch.device("cpu"))


def photos(n: int, grid: int) -> NDArray[np.uint8]:
    """Cuts of a photograph: without a photo's structure no direction is to be had either."""
    cuts = [
        Image.fromarray(skimage.data.astronaut()[40 * i : 40 * i + 200, 60 * i : 60 * i + 200])
        for i in range(n)
    ]
    return np.stack([np.asarray(cut.resize((grid, grid))) for cut in cuts])


def shown(x: NDArray[np.uint8], noise: NDArray[np.int16]) -> torch.Tensor:
    """Protected pictures as a trainer at 32 px sees them."""
    return torch.nn.functional.interpolate(
        from_bytes((x + noise).astype(np.uint8)), (32, 32), mode="area"
    )


@pytest.mark.parametrize(("name", "grid"), [("sem", 32), ("sem", 64), ("em", 32), ("rem", 32)])
def test_the_noise_turns_the_feature_to_the_prototype(
    trained: Surrogate, name: str, grid: int
) -> None:
    method, n = make(name, trained), 4
    x = photos(n, grid)
    wanted = briefs(method, n, dimension=trained.card.feature_dim)
    noise = method.perturb(x, wanted)
    target = torch.from_numpy(np.stack([b.direction for b in wanted if b.direction is not None]))
    before = (trained.directions(shown(x, 0 * noise)) * target).sum(1)
    after = (trained.directions(shown(x, noise)) * target).sum(1)
    assert (after > before + 0.1).all(), (before, after)


def reached(surrogate: Surrogate, schedule: Schedule, quality: int = 100) -> float:
    """Mean cosine of protected cuts to their prototypes, once they were saved as JPEG."""
    method, x = sem(surrogate, schedule), photos(8, 32)
    targets = briefs(method, 8, seed=5)
    streams = briefs(method, 8, seed=6)
    wanted = [replace(s, direction=t.direction) for s, t in zip(streams, targets, strict=True)]
    protected = from_bytes((x + method.perturb(x, wanted)).astype(np.uint8))
    features = surrogate.directions(jpeg(protected, torch.full((8,), quality)))
    aims = torch.from_numpy(np.stack([t.direction for t in targets if t.direction is not None]))
    return (features * aims).sum(1).mean().item()


def test_noise_that_saw_jpegs_survives_them_better(trained: Surrogate) -> None:
    off, on = (reached(trained, Schedule(jpeg_share=share), 30) for share in (0.0, 1.0))
    assert on > off + 0.04, (off, on)


def test_ten_passes_come_near_the_papers_fifty_and_beat_its_ten(trained: Surrogate) -> None:
    assert PAPER.steps * PAPER.samples == 50
    assert Schedule().steps * Schedule().samples == 10
    ours, papers = reached(trained, Schedule()), reached(trained, PAPER)
    assert ours > papers - 0.05, (ours, papers)
    plain = reached(trained, replace(PAPER, samples=1))
    assert ours > plain + 0.01, (ours, plain)


def test_the_noise_makes_the_class_likelier(trained: Surrogate) -> None:
    method, n = sem(trained), 4
    x = photos(n, 32)
    for index in (0, 7):
        noise = method.perturb(x, briefs(method, n, direction=None, code=(index,)))
        after = trained.logits(shown(x, noise)).softmax(1)[:, index]
        assert (after > 0.9).all(), after


@pytest.fixture(scope="module")
def mobile() -> PretrainedNetwork:
    """One that ships."""
    card, weights = read_networks()["mobilenet-v2"]
    return load_pretrained(card, weights, torch.device("cpu"))


def test_the_noise_makes_the_anchor_likelier(mobile: PretrainedNetwork) -> None:
    method, x, anchor = (
        make("anchor", SURROGATE, networks=networks.network_set(mobile)),
        photos(1, 112),
        574,
    )  # a golf ball
    noise = method.perturb(x, briefs(method, 1, grid=112, anchor=anchor))
    before, after = (
        float(mobile.logits(from_bytes((x + change).astype(np.uint8))).softmax(1)[0, anchor])
        for change in (0 * noise, noise)
    )
    assert before < 0.05
    assert after > 0.5


def test_without_networks_or_an_anchor_there_is_no_anchored_noise() -> None:
    with pytest.raises(ValueError, match="needs pretrained networks"):
        make("anchor", SURROGATE)
    method = short("anchor")
    with pytest.raises(ValueError, match="needs an anchor"):
        method.perturb(pictures(1), briefs(method, 1, anchor=None))


def test_a_batch_with_mixed_or_missing_targets_is_refused() -> None:
    method = sem(SURROGATE, SHORT)
    x = pictures(2)
    mixed = [*briefs(method, 1), *briefs(method, 1, direction=None, code=(0,))]
    with pytest.raises(ValueError, match="either directions or codewords"):
        method.perturb(x, mixed)
    with pytest.raises(ValueError, match="either directions or codewords"):
        method.perturb(x, briefs(method, 2, direction=None))


def test_shapes_that_do_not_fit_are_refused() -> None:
    method = sem(SURROGATE, SHORT)
    with pytest.raises(ValueError, match=r"expected \[1, F, F, 3\]"):
        method.perturb(pictures(2), briefs(method, 1))
    with pytest.raises(ValueError, match="shorter"):
        method.perturb(pictures(1), briefs(method, 1, stream=np.zeros(9, np.uint8)))


def test_what_the_objective_sees_tells_the_baselines_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear objective, whose slope an adversary climbs to the corner of its ball."""
    monkeypatch.undo()
    torch.manual_seed(0)
    slope = torch.randn(2, 3, 32, 32)
    shown = (torch.rand(2, 3, 32, 32) * 0.8 + 0.1).requires_grad_()
    radius = torch.tensor([0.01, 0.02]).reshape(2, 1, 1, 1)
    jitter = (torch.rand(shown.shape) * 2 - 1) * radius
    moved = {jittered: jitter, undisturbed: 0 * jitter, attacked: radius * slope.sign()}
    for disturbance, change in moved.items():
        seen = disturbance(shown, jitter, radius, lambda seen: (slope * seen).sum())
        assert torch.allclose(seen, shown + change, atol=1e-6)
        assert torch.allclose(torch.autograd.grad((slope * seen).sum(), shown)[0], slope)


@pytest.mark.parametrize("grid", [32, 64])
def test_em_looks_at_the_whole_picture_and_sem_never_twice_at_the_same(grid: int) -> None:
    looked = torch.rand(1, 3, grid, grid)
    aspect = torch.ones(1)
    for name, same in (("em", True), ("sem", False), ("rem", False)):
        label = METHODS[name].label
        assert label is not None
        one, other = (
            label.view(torch.full((1, 5), draw), 32, grid, aspect)(looked) for draw in (0.2, 0.9)
        )
        assert torch.equal(one, other) == same
        assert torch.equal(one, looked) == (same and grid == 32)


@pytest.mark.parametrize("name", ["sem", "sem+cuda"])
def test_the_preset_for_hosts_is_another_schedule(name: str) -> None:
    x = photos(2, 32)
    strong, hosted = (make(name, SURROGATE, preset) for preset in ("strong", "hosted"))
    schedule = METHODS[name].for_preset("hosted").schedule
    assert (schedule.steps, schedule.jpeg_share) == (20, 0.5)
    assert hosted.stream_bytes(32) > 1.9 * strong.stream_bytes(32) - 3 * 64 * 64
    own = briefs(hosted, 2)
    assert (hosted.perturb(x, own) != strong.perturb(x, own)).any()


# CUDA


@pytest.mark.parametrize(("grid", "k", "most"), [(32, 5, 0.2), (128, 5, 0.2), (224, 9, 0.06)])
def test_filters_are_the_papers_at_its_size_for_photos(grid: int, k: int, most: float) -> None:
    assert label_filter.shape(grid) == pytest.approx((k, most))


@given(st.integers(16, 1000), st.sampled_from([5, 7]))
def test_filters_span_and_weigh_the_same_at_every_size(grid: int, least: int) -> None:
    k, most = label_filter.shape(grid, least)
    assert k % 2 == 1
    assert k == least or abs(k - 9 / 224 * grid) <= 1
    assert (k * k - 1) * most / 2 == pytest.approx(2.4)


@given(st.binary(min_size=33, max_size=40))
def test_a_filter_has_a_single_peak_and_keeps_brightness(drawn: bytes) -> None:
    (weights,) = label_filter.filters([np.frombuffer(drawn, np.uint8)], 3, 0.3)
    assert weights.shape == (3, 3, 3)
    for one in weights:
        assert one.sum() == pytest.approx(1)
        assert int((one == one.max()).sum()) == 1
        levels = one[one < one.max()] / one.max()
        assert (torch.isclose(levels, torch.tensor(0.3)) | (levels == 0)).all()


def test_the_peak_may_be_anywhere_and_the_coin_is_fair() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (3000, 33), dtype=np.uint8)
    weights = label_filter.filters(list(drawn), 3, 0.3).reshape(-1, 3, 3)
    peak = weights == weights.amax((1, 2), keepdim=True)
    assert (peak.float().mean(0) - 1 / 9).abs().max() < 0.015
    assert (weights[~peak] > 0).float().mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("grid", [32, 64])
def test_the_change_is_that_of_the_labels_convolutions(grid: int) -> None:
    method, x = make("cuda", SURROGATE), photos(3, grid)
    wanted = briefs(method, 3)
    noise = method.perturb(x, wanted)
    for picture, brief, change in zip(x, wanted, noise, strict=True):
        (weights,) = label_filter.filters([brief.label_stream], *label_filter.shape(grid))
        before = from_bytes(picture[None])
        framed = torch.nn.functional.pad(before, (2, 2, 2, 2), mode="replicate")
        filtered = torch.nn.functional.conv2d(framed, weights[:, None], groups=3)
        expected = ((filtered - before) * 255).clamp(-127, 127)[0].permute(1, 2, 0)
        assert np.abs(change - expected.numpy()).max() <= 0.51
        assert np.abs(change).max() > 16


def test_pictures_of_one_label_share_their_filter_whatever_else_differs() -> None:
    method, x = make("cuda", SURROGATE), photos(1, 32)
    label = briefs(method, 1)[0].label_stream
    one, other = (
        method.perturb(x, briefs(method, 1, epsilon=e, seed=s, label_stream=label, code=(c,)))
        for e, s, c in ((8, 1, None), (0, 2, 1))
    )
    assert (one == other).all()


def test_flat_stays_flat_dark_stays_dark_and_grey_stays_grey() -> None:
    method = make("cuda", SURROGATE)
    (photo,) = photos(1, 32)
    grey = np.repeat(photo[..., :1], 3, axis=2)
    x = np.stack([np.full_like(photo, (0, 120, 255)), photo // 5, grey])
    wanted = [*briefs(method, 2), *briefs(method, 1, grey=True)]
    after = x + method.perturb(x, wanted)
    assert (after[0] == x[0]).all()
    assert after[1].max() <= x[1].max()
    assert (after[2] != grey).any()
    assert (np.ptp(after[2], axis=2) == 0).all()


@pytest.mark.parametrize("grid", [32, 64])
def test_sem_over_cuda_is_sem_on_the_filtered_picture(trained: Surrogate, grid: int) -> None:
    both = build(replace(METHODS["sem+cuda"], schedule=SHORT), trained)
    assert isinstance(both, FilteredDescent)
    x = photos(2, grid)
    wanted = briefs(both, 2, epsilon=6, dimension=trained.card.feature_dim)
    first = wide(trained).perturb(x, wanted)
    second = both.perturb(x, wanted) - first
    expected = sem(trained, SHORT).perturb((x + first).astype(np.uint8), wanted)
    held = np.abs(first + expected) <= 127
    assert (second == expected)[held].all()
    assert held.mean() > 0.99
    assert 5 <= np.abs(second).max() <= 6


def test_sem_over_cuda_has_wider_filters_than_cuda() -> None:
    assert label_filter.shape(32, WIDE) == pytest.approx((7, 0.1))
    x = pictures(1)
    own = briefs(wide(SURROGATE), 1)
    assert (wide(SURROGATE).perturb(x, own) != make("cuda", SURROGATE).perturb(x, own)).any()


def test_a_label_stream_that_is_too_short_is_refused() -> None:
    method = make("cuda", SURROGATE)
    with pytest.raises(ValueError, match="shorter"):
        method.perturb(pictures(1), briefs(method, 1, label_stream=np.zeros(9, np.uint8)))
