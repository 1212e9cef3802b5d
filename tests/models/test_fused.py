"""The fused network: autograd's numbers, in fewer calls."""

from __future__ import annotations

import pytest
import torch

from photoward.models.pixels import normalise
from photoward.models.surrogates.fused import _agree, fuse
from photoward.models.surrogates.surrogate import fold
from tests.support import surrogates

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)


def frozen(stride: int = 1) -> torch.nn.Module:
    network = fold(surrogates.network(stride=stride)).requires_grad_(requires_grad=False)
    return network.to(memory_format=torch.channels_last)


def pictures(n: int, seed: int = 0, side: int = 32) -> torch.Tensor:
    return normalise(torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize(("n", "stride"), [(1, 1), (5, 1), (16, 1), (5, 2), (5, 3)])
def test_features_and_gradients_are_autograds(n: int, stride: int) -> None:
    network, side = frozen(stride), 32 * stride
    fused = fuse(network, pictures(16, side=side))
    assert fused is not None
    weights = torch.randn(n, 128)
    answers = []
    for features in (network.features, fused):
        x = pictures(n, seed=1, side=side).requires_grad_()
        found = features(x)  # type: ignore[operator]  # torch types attributes as modules
        answers.append((found, torch.autograd.grad((found * weights).sum(), x)[0]))
    for plain, ours in zip(*answers, strict=True):
        assert torch.allclose(ours, plain, rtol=1e-4, atol=1e-5 * plain.abs().max().item())


def test_a_surrogate_is_fused_where_it_can_be() -> None:
    assert surrogates.surrogate()._fused is not None


def test_what_is_not_folded_or_no_resnet_is_left_to_autograd() -> None:
    plain = surrogates.network().requires_grad_(requires_grad=False)
    assert fuse(plain.to(memory_format=torch.channels_last), pictures(4)) is None
    assert fuse(torch.nn.Flatten(), pictures(4)) is None
    assert fuse(frozen(), pictures(4)[..., :30, :30]) is None


def test_another_torch_leaves_it_to_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    class Renamed:
        def __getattr__(self, name: str) -> object:
            raise AttributeError(name)

    monkeypatch.setattr(torch.ops, "mkldnn", Renamed())
    assert fuse(frozen(), pictures(4)) is None


@pytest.mark.parametrize("wrong", [1.01, float("nan")])
def test_numbers_that_differ_are_noticed(wrong: float) -> None:
    def right(x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))

    assert _agree(right, right, pictures(2))
    assert not _agree(right, lambda x: right(x) * wrong, pictures(2))
