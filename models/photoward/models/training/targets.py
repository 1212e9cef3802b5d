"""What a surrogate learns to be steered to, and from where its training noise starts.

Two ways. ``Classes``: the labels of the training data, as in the paper; δ is kept per picture.
``Codes``: random codewords, given to pictures without a look at what they show, so that any
codeword can be written onto any picture against an attack; δ starts from universal noise of its
symbols that is learnt on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from photoward.models.pixels import budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.models.training.data import LabelledPictures

UNIVERSAL_STEP = 0.8
"""Of a symbol's universal noise, in 1/255 a gradient."""


class Targets(Protocol):
    """Gives each batch its codewords and the noise to start from."""

    alphabets: Sequence[int]
    tensors: dict[str, torch.Tensor]
    """What has to be kept beside the weights when training is interrupted."""

    def draw(
        self, index: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Codewords ``[N, A]`` and starting δ ``[N, 3, S, S]`` of the pictures ``index``."""

    def learn(self, code: torch.Tensor, gradient: torch.Tensor) -> None:
        """Hear the loss's gradient with respect to the pictures' δ."""

    def keep(self, index: torch.Tensor, delta: torch.Tensor) -> None:
        """Hear what became of the pictures' δ."""


class Classes:
    """The data's own labels; every picture goes on with the δ of its last visit."""

    def __init__(
        self,
        data: LabelledPictures,
        epsilon: float,
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        self._labels, self._device = data.labels, device
        self.alphabets: Sequence[int] = [len(data.classes)]
        radius = budget(epsilon)
        start = torch.empty(data.pictures.shape, dtype=torch.float16)
        self.tensors = {"noise": start.uniform_(-radius, radius, generator=generator)}

    def draw(
        self,
        index: torch.Tensor,
        generator: torch.Generator,  # noqa: ARG002  # nothing is chance
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is known of these pictures."""
        delta = self.tensors["noise"][index].to(self._device, torch.float32)
        return self._labels[index, None].to(self._device), delta

    def learn(self, code: torch.Tensor, gradient: torch.Tensor) -> None:
        """Nothing is shared between pictures."""

    def keep(self, index: torch.Tensor, delta: torch.Tensor) -> None:
        """For the pictures' next visit."""
        self.tensors["noise"][index] = delta.to("cpu", torch.float16)


class Codes:
    """Random codewords; δ starts at ``s · clip(Σ U of its symbols) + (1 − s) · uniform``.

    U, one noise for each symbol, follows the sign of its gradient; s is uniform in [0, 1] for
    each picture, so that the surrogate also meets noise that starts from nothing, as in service.
    """

    def __init__(  # what they are made from
        self,
        size: int,
        epsilon: float,
        alphabets: Sequence[int],
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        self.alphabets, self._radius, self._device = alphabets, budget(epsilon), device
        self._first = torch.tensor([0, *alphabets]).cumsum(0)[:-1].to(device)
        self._shape = (3, size, size)
        start = self._symmetric(sum(alphabets), generator) / 2
        self.tensors = {"universal": start}

    def draw(
        self, index: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """New codewords for these pictures, and noise that begins to say them."""
        n = len(index)
        symbols = [torch.randint(k, (n,), generator=generator) for k in self.alphabets]
        code = torch.stack(symbols, dim=1).to(self._device)
        share = torch.rand((n, 1, 1, 1), generator=generator).to(self._device)
        universal = self.tensors["universal"][code + self._first].sum(1)
        begun = universal.clamp(-self._radius, self._radius)
        return code, share * begun + (1 - share) * self._symmetric(n, generator)

    def learn(self, code: torch.Tensor, gradient: torch.Tensor) -> None:
        """Move the universal noise of all symbols that were asked for."""
        universal = self.tensors["universal"]
        total = torch.zeros_like(universal)
        for symbols in (code + self._first).unbind(1):
            total.index_add_(0, symbols, gradient)
        moved = universal - budget(UNIVERSAL_STEP) * total.sign()
        self.tensors["universal"] = moved.clamp(-self._radius, self._radius)

    def keep(self, index: torch.Tensor, delta: torch.Tensor) -> None:
        """Nothing is kept of a picture."""

    def _symmetric(self, count: int, generator: torch.Generator) -> torch.Tensor:
        noise = torch.empty((count, *self._shape))
        return noise.uniform_(-self._radius, self._radius, generator=generator).to(self._device)
