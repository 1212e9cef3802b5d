"""What every method promises, and what SEM must reach."""

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
from photoward.core.settings import Settings
from photoward.models.jpeg import jpeg
from photoward.models.methods.base import Brief, Method
from photoward.models.methods.registry import METHODS
from photoward.models.methods.sem import PAPER, SEM, Schedule
from photoward.models.pixels import from_bytes
from photoward.models.surrogates.surrogate import CHUNK, Surrogate, load_surrogate
from tests.support import surrogates

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURROGATE = surrogates.surrogate()
SHORT = Schedule(steps=2, samples=1)


def pictures(n: int, grid: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, grid, grid, 3), dtype=np.uint8)


def briefs(
    method: Method, n: int, epsilon: float = 8, seed: int = 0, dimension: int = 128, **more: object
) -> list[Brief]:
    random = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        direction = random.normal(size=dimension).astype(np.float32)
        fields: dict[str, object] = {
            "epsilon": epsilon, "aspect": 1.0, "direction": direction / np.linalg.norm(direction),
            "stream": random.integers(0, 256, method.stream_bytes(), dtype=np.uint8),
        }  # fmt: skip
        found.append(Brief(**{**fields, **more}))  # type: ignore[arg-type]  # mixed by name
    return found


def test_the_catalogue_tells_the_methods_that_there_are() -> None:
    assert set(TOLD) == set(METHODS)


@pytest.mark.parametrize("name", sorted(METHODS))
@pytest.mark.parametrize("grid", [32, 64])
@settings(max_examples=5, deadline=None)
@given(epsilon=st.floats(1, 16), n=st.integers(1, 3), seed=st.integers(0, 9))
def test_the_envelope_holds(name: str, grid: int, epsilon: float, n: int, seed: int) -> None:
    method = METHODS[name](SURROGATE)
    if isinstance(method, SEM):
        method.schedule = SHORT
    x = pictures(n, grid, seed)
    noise = method.perturb(x, briefs(method, n, epsilon, seed))
    assert noise.shape == x.shape
    assert np.abs(noise).max() <= epsilon
    changed = x + noise
    assert changed.min() >= 0
    assert changed.max() <= 255


class Wild(Method):
    """Proposes anything but what is allowed."""

    name, version = "wild", "wild-1"

    def stream_bytes(self) -> int:
        return 1

    def _propose(
        self, pictures: torch.Tensor, epsilon: torch.Tensor, briefs: object
    ) -> torch.Tensor:
        del epsilon, briefs
        proposal = torch.full_like(pictures, 1e9)
        proposal[:, 0] = float("nan")
        proposal[:, 1] = -float("inf")
        return proposal


def test_no_proposal_escapes_the_envelope() -> None:
    wild, x = Wild(SURROGATE), pictures(2)
    noise = wild.perturb(x, briefs(wild, 2, 4))
    assert noise[..., 0].any() == np.False_
    assert (noise[..., 1] == -np.minimum(x[..., 1].astype(int), 4)).all()
    assert (noise[..., 2] == np.minimum(255 - x[..., 2].astype(int), 4)).all()


@pytest.mark.parametrize(
    ("dtype", "jpeg_share"), [(torch.float32, 0.0), (torch.float32, 0.5), (torch.bfloat16, 0.0)]
)
@pytest.mark.parametrize("grid", [32, 64])
def test_a_pictures_noise_does_not_depend_on_its_batch(
    dtype: torch.dtype, grid: int, jpeg_share: float
) -> None:
    method = SEM(surrogates.surrogate(dtype), replace(SHORT, jpeg_share=jpeg_share))
    chunk = CHUNK["cpu"]
    n = chunk + 3
    x, wanted = pictures(n, grid), briefs(method, n)
    together = method.perturb(x, wanted)
    order = np.random.default_rng(1).permutation(n)
    shuffled = method.perturb(x[order], [wanted[i] for i in order])
    assert (shuffled == together[order]).all()
    for i in (0, chunk - 1, chunk + 1):
        assert (method.perturb(x[i : i + 1], [wanted[i]])[0] == together[i]).all()


def test_another_stream_gives_other_noise() -> None:
    method = SEM(SURROGATE, SHORT)
    x = pictures(1)
    one, other = (method.perturb(x, briefs(method, 1, seed=s)) for s in (1, 2))
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.3


@pytest.fixture(scope="module")
def trained() -> Surrogate:
    """The surrogate that ships: with random weights no direction is to be had."""
    name = Settings().surrogate
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


@pytest.mark.parametrize("grid", [32, 64])
def test_the_noise_turns_the_feature_to_the_prototype(trained: Surrogate, grid: int) -> None:
    method, n = SEM(trained), 4
    x = photos(n, grid)
    wanted = briefs(method, n, dimension=trained.card.feature_dim)
    noise = method.perturb(x, wanted)
    target = torch.from_numpy(np.stack([b.direction for b in wanted if b.direction is not None]))
    before = (trained.directions(shown(x, 0 * noise)) * target).sum(1)
    after = (trained.directions(shown(x, noise)) * target).sum(1)
    assert (after > before + 0.1).all(), (before, after)


def reached(surrogate: Surrogate, schedule: Schedule, quality: int = 100) -> float:
    """Mean cosine of protected cuts to their prototypes, once they were saved as JPEG."""
    method, x = SEM(surrogate, schedule), photos(8, 32)
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
    method, n = SEM(trained), 4
    x = photos(n, 32)
    for index in (0, 7):
        noise = method.perturb(x, briefs(method, n, direction=None, class_index=index))
        after = trained.logits(shown(x, noise)).softmax(1)[:, index]
        assert (after > 0.9).all(), after


def test_a_batch_with_mixed_or_missing_targets_is_refused() -> None:
    method = SEM(SURROGATE, SHORT)
    x = pictures(2)
    mixed = [*briefs(method, 1), *briefs(method, 1, direction=None, class_index=0)]
    with pytest.raises(ValueError, match="either directions or class indices"):
        method.perturb(x, mixed)
    with pytest.raises(ValueError, match="either directions or class indices"):
        method.perturb(x, briefs(method, 2, direction=None))


def test_shapes_that_do_not_fit_are_refused() -> None:
    method = SEM(SURROGATE, SHORT)
    with pytest.raises(ValueError, match=r"expected \[1, G, G, 3\]"):
        method.perturb(pictures(2), briefs(method, 1))
    with pytest.raises(ValueError, match="shorter"):
        method.perturb(pictures(1), briefs(method, 1, stream=np.zeros(9, np.uint8)))
