"""The two networks that trainers clean pictures with, as small as two cores need them."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional


class Disentangler(nn.Module):
    """D-VAE: a coded reconstruction of a picture, and its class's noise apart from it.

    Args:
        classes: of the pictures.
        generator: of the CPU; draws the weights.
    """

    WIDTH = 32
    CODE = 32

    def __init__(self, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        wide = 2 * self.WIDTH
        self.stem = nn.Sequential(
            _conv(3, self.WIDTH),
            nn.ReLU(),
            _conv(self.WIDTH, wide, stride=2),
            nn.ReLU(),
            _conv(wide, wide),
            nn.ReLU(),
        )
        self.code = nn.Conv2d(wide, 2 * self.CODE, 1)
        self.uncode = nn.Conv2d(self.CODE, wide, 1)
        self.decoder = self._decoder(wide)
        self.classes = nn.Embedding(classes, wide)
        self.noises = self._decoder(wide)
        _draw(self, generator)

    def forward(
        self, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Reconstruction, noise, and the rate of the code in nats for each of its places."""
        stem = self.stem(x)
        mean, log_variance = self.code(stem).chunk(2, dim=1)
        drawn = torch.randn(mean.shape, generator=generator, device=x.device)
        seen = torch.sigmoid(self.decoder(self.uncode(mean + drawn * (log_variance / 2).exp())))
        rate = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
        return seen, self._noise(stem, y), rate

    def noise(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """What it takes for noise in pictures of these classes."""
        return self._noise(self.stem(x), y)

    def reconstruction(self, x: torch.Tensor) -> torch.Tensor:
        """Pictures as the code's mean carries them."""
        mean, _ = self.code(self.stem(x)).chunk(2, dim=1)
        return torch.sigmoid(self.decoder(self.uncode(mean)))

    def _noise(self, stem: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.noises(stem + self.classes(y)[:, :, None, None])
        return found

    def _decoder(self, wide: int) -> nn.Module:
        return nn.Sequential(
            nn.ConvTranspose2d(wide, self.WIDTH, 4, stride=2, padding=1),
            nn.InstanceNorm2d(self.WIDTH),
            nn.ReLU(),
            _conv(self.WIDTH, self.WIDTH),
            nn.ReLU(),
            _conv(self.WIDTH, 3),
        )


class Subtractor(nn.Module):
    """A U-Net of three scales that tells δ of protected pictures ``[N, 3, S, S]``, any S."""

    WIDTH = 16

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        widths = (self.WIDTH, 2 * self.WIDTH, 3 * self.WIDTH)
        self.down = nn.ModuleList(
            _block(inner, outer) for inner, outer in zip((3, *widths), widths, strict=False)
        )
        self.up = nn.ModuleList(
            _block(deep + high, high)
            for deep, high in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = _conv(self.WIDTH, 3)
        _draw(self, generator)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """δ in unit floats."""
        kept: list[torch.Tensor] = []
        for number, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2, ceil_mode=True) if number else x)
            kept.append(x)
        for block, high in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, size=high.shape[2:]), high], dim=1))
        return cast("torch.Tensor", self.last(x))

    def cleaned(self, x: torch.Tensor, _first: int = 0) -> torch.Tensor:
        """Pictures without what it takes for δ."""
        noise: torch.Tensor = self(x)
        return (x - noise).clamp(0, 1)


def _conv(inner: int, outer: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, stride=stride, padding=1)


def _block(inner: int, outer: int) -> nn.Module:
    return nn.Sequential(_conv(inner, outer), nn.ReLU(), _conv(outer, outer), nn.ReLU())


def _draw(network: nn.Module, generator: torch.Generator) -> None:
    """He's weights from this generator, whatever other threads draw."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, generator=generator)
