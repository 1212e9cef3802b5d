"""What branches for CUDA, run where a GPU is present; everything else of it runs on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photoward.core.catalogue import METHODS as INFO
from photoward.models.evaluation.metrics.throughput import multiply_peak, seconds
from photoward.models.evaluation.reports.report import machine
from photoward.models.methods.base import Brief, Method
from photoward.models.methods.registry import make
from photoward.models.surrogates.cache import pick_device
from photoward.models.surrogates.pretrained import PretrainedNetwork, build
from photoward.models.surrogates.surrogate import CHUNK, Surrogate, fastest_dtype
from tests.support import networks, surrogates

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

GRID = 64


@pytest.fixture(scope="module")
def device() -> torch.device:
    return pick_device("auto")


@pytest.fixture(scope="module")
def surrogate(device: torch.device) -> Surrogate:
    return Surrogate(surrogates.card(), surrogates.network(), torch.zeros(128), device)


def made(name: str, surrogate: Surrogate) -> Method:
    card = networks.pretrained().card
    torch.manual_seed(0)
    small = PretrainedNetwork(card, build(networks.BUILDER, card.classes), surrogate.device)
    return make(name, surrogate, networks=networks.network_set(small))


def briefs(method: Method, n: int) -> list[Brief]:
    random = np.random.default_rng(0)
    return [
        Brief(
            epsilon=8.0,
            aspect=1.0,
            code=(1,),
            anchor=3,
            stream=random.integers(0, 256, method.stream_bytes(GRID), dtype=np.uint8),
            label_stream=random.integers(0, 256, method.label_bytes(GRID), dtype=np.uint8),
        )
        for _ in range(n)
    ]


@pytest.mark.parametrize("name", INFO)
def test_a_pictures_noise_is_bounded_and_does_not_depend_on_its_batch(
    name: str, surrogate: Surrogate
) -> None:
    method, n = made(name, surrogate), 3
    x = np.random.default_rng(1).integers(0, 256, (n, GRID, GRID, 3), dtype=np.uint8)
    own = briefs(method, n)
    together = method.perturb(x, own)
    assert 1 <= np.abs(together).max() <= (8 if method.bounded else 127)
    for i in range(n):
        assert (method.perturb(x[i : i + 1], own[i : i + 1])[0] == together[i]).all()


def test_the_fastest_precision_is_used_and_near_float32(device: torch.device) -> None:
    exact, fast = (
        Surrogate(surrogates.card(), surrogates.network(), torch.zeros(128), device, dtype)
        for dtype in (torch.float32, None)
    )
    assert fast.dtype == fastest_dtype(device)
    x = torch.rand(CHUNK["cuda"], 3, 32, 32, device=device)
    assert torch.allclose(fast.directions(x), exact.directions(x), atol=0.05)


def test_time_is_taken_once_the_device_is_done(device: torch.device) -> None:
    x = torch.rand(2048, 2048, device=device)
    assert seconds(lambda: x @ x, device) > 0
    assert multiply_peak(device, torch.float32) > 1e9
    assert machine(device)["device"] != "cuda"
