"""A trained surrogate, loaded to be descended against: frozen, folded, in the fastest precision.

Knows its card and how its pictures are normalised; what to optimise is the methods' business.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from safetensors.torch import load
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from photoward.models import views
from photoward.models.pixels import normalise
from photoward.models.surrogates.architectures import build
from photoward.models.surrogates.fused import fuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from photoward.core.catalogue import SurrogateCard
    from photoward.models.surrogates.architectures.base import Classifier
    from photoward.models.surrogates.fused import Features


class DigestMismatch(Exception):  # noqa: N818  # the name is the message
    """The weights file is not the one that its card describes."""


CHUNK = {"cpu": 16, "cuda": 256}
"""Device type → pictures in one network pass. Always this many (a short chunk is padded): kernels
are chosen by shape, another shape may give other last bits, and a sign step makes another picture
of a last bit. The figure for CUDA was chosen without one; ``tests/models/test_cuda.py`` runs where
one is. On a CPU 16 costs a lone picture 0.2 s on two cores, and a batch a fifth of the
rate of chunks of 32; a GPU is hardly busy with fewer than a few hundred."""

RANK = 1e-3
"""Singular values of a head below this share of the largest are rounding."""

THREADS = torch.get_num_threads()
"""Of this process, before anything divided them: the cores, or what OMP_NUM_THREADS says."""


def chunks(count: int, device: torch.device, size: int | None = None) -> Iterator[torch.Tensor]:
    """Index tensors of ``size`` numbers that cover ``range(count)``, the last one repeated.

    The size counts on a CPU alone; the default is ``CHUNK``.
    """
    size = size if size and device.type == "cpu" else CHUNK[device.type]
    for first in range(0, count, size):
        yield torch.arange(first, first + size, device=device).clamp(max=count - 1)


def over_chunks(
    count: int,
    device: torch.device,
    work: Callable[[torch.Tensor], torch.Tensor],
    size: int | None = None,
) -> torch.Tensor:
    """``work`` on each chunk's index tensor, its answers joined and cut to ``count`` rows.

    On a CPU several chunks run side by side with a share of the threads each: a third faster
    than one after the other with all threads, to the same bits, and indifferent to other
    processes that want a core now and then.
    """
    parts = list(chunks(count, device, size))
    workers = min(THREADS, len(parts)) if device.type == "cpu" else 1
    if workers == 1:
        torch.set_num_threads(THREADS)  # of this thread, which may have started with fewer
        return torch.cat([work(part) for part in parts])[:count]
    with ThreadPoolExecutor(
        workers, "noise", initializer=torch.set_num_threads, initargs=(THREADS // workers,)
    ) as pool:
        return torch.cat(list(pool.map(work, parts)))[:count]


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it natively, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    flags = torch.cpu.get_capabilities()
    native = any(flags.get(flag, False) for flag in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if native else torch.float32


def autocast(device: torch.device) -> torch.autocast:
    """Training in the fastest precision, as surrogates and victims do."""
    dtype = fastest_dtype(device)
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32)


class Surrogate(nn.Module):
    """Features and logits of pictures in [0, 1], float32 in and out.

    Args:
        card: what the weights are.
        network: the trained network; batch norm is folded into its convolutions here.
        feature_mean: ``[D]`` mean of the pooled features over ordinary pictures.
        device: where it lives.
        dtype: precision of the network's passes; default ``fastest_dtype(device)``.
    """

    feature_mean: torch.Tensor

    def __init__(
        self,
        card: SurrogateCard,
        network: nn.Module,
        feature_mean: torch.Tensor,
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.card = card
        self.device = device
        self.dtype = dtype or fastest_dtype(device)
        self.network = fold(network.eval()).requires_grad_(requires_grad=False)
        self.network.to(device, self.dtype).to(memory_format=torch.channels_last)
        self.register_buffer("feature_mean", feature_mean.to(device, torch.float32))
        shape = (CHUNK[device.type], 3, card.size, card.size)
        sample = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device)
        self._fused = fuse(self.network, normalise(sample).to(self.dtype))

    def raw_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pooled features ``[N, D]`` of pictures ``[N, 3, S, S]``."""
        return self._features(pictures).float()

    def directions(self, pictures: torch.Tensor) -> torch.Tensor:
        """h(x): unit vectors ``[N, D]``, the features' deviation from the ordinary."""
        return functional.normalize(self.raw_features(pictures) - self.feature_mean, dim=1)

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, sum(card.alphabets)]``."""
        logits: torch.Tensor = self.network.head(self._features(pictures))  # type: ignore[operator]  # every architecture has it
        return logits.float()

    @cached_property
    def span(self) -> torch.Tensor:
        """Orthonormal rows ``[R, D]`` in which the head's classes differ.

        Along these alone the network was made robust, so a label's direction lies among them: what
        lies elsewhere in the feature space is learnt later by a trainer, and protects less.
        """
        head = cast("nn.Linear", self.network.head).weight.detach().float()
        centred = head - head.mean(0)
        values, rows = torch.linalg.svd(centred, full_matrices=False)[1:]
        found: torch.Tensor = rows[values > RANK * values[0]]
        return found

    def _features(self, pictures: torch.Tensor) -> torch.Tensor:
        features = self._fused or cast("Features", self.network.features)
        return features(normalise(pictures).to(self.dtype))

    def predict(self, pictures: torch.Tensor, aspects: torch.Tensor) -> list[int]:
        """The most likely class of each picture ``[N, 3, G, G]``, seen whole and centred."""
        size, grid = self.card.size, pictures.shape[-1]

        def classify(index: torch.Tensor) -> torch.Tensor:
            view = views.centred(size=size, grid=grid, aspect=aspects[index])
            with torch.no_grad():
                return self.logits(view(pictures[index])).argmax(1)

        found: list[int] = over_chunks(len(pictures), pictures.device, classify).tolist()
        return found

    @property
    def memory_bytes(self) -> int:
        """Bytes that the loaded weights take; fused ones are packed twice besides."""
        once = sum(p.numel() * p.element_size() for p in self.network.parameters())
        return once * 3 if self._fused else once


def load_surrogate(
    card: SurrogateCard, weights: Path, device: torch.device, dtype: torch.dtype | None = None
) -> Surrogate:
    """Read a surrogate from its safetensors file.

    Raises:
        DigestMismatch: the file's SHA-256 is not the card's.
        OSError: the file cannot be read.
    """
    network, feature_mean = load_network(card, weights)
    return Surrogate(card, network, feature_mean, device, dtype)


def load_network(card: SurrogateCard, weights: Path) -> tuple[Classifier, torch.Tensor]:
    """The network as it was trained, in float32, and its features' mean; raises the same."""
    data = weights.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.sha256:
        message = f"{weights} has SHA-256 {digest}, its card says {card.sha256}"
        raise DigestMismatch(message)
    tensors = load(data)
    feature_mean = tensors.pop("feature_mean")
    network = build(
        card.architecture, sum(card.alphabets), card.width, inner=card.inner, stride=card.stride
    )
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network, feature_mean.float()


def fold(network: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it, wherever the two are siblings."""
    children = list(network.named_children())
    for (name, first), (following, second) in pairwise(children):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            setattr(network, name, fuse_conv_bn_eval(first, second))
            setattr(network, following, nn.Identity())
    for _, child in network.named_children():
        fold(child)
    return network
