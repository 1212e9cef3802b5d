"""D-VAE: split pictures into what a narrow code can carry and what a class's noise explains.

Yu et al., ICML 2024, arXiv 2405.01460. The paper's two rounds, by a network a quarter as wide:
subtract the noise that the first finds, train anew on the rest under a tighter rate, subtract
again, keep the reconstruction. It needs nothing but the protected pictures.

No result of it is stored in ``docs/benchmarks`` yet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure
from photoward.models.evaluation.countermeasures.cleaning import (
    SEED,
    conv3x3,
    in_parts,
    initialise,
    train,
    unit_range,
)

if TYPE_CHECKING:
    from photoward.models.evaluation.trainer_run import Scene
    from photoward.models.training.data import LabelledPictures

LARGEST_PX = 64
"""D-VAE's pictures; its work grows with their area."""

LOOSE, TIGHT = (0.01, 1.0), (0.5, 3.0)
"""Weight of the rate and the nats for each place of the code, below which it costs nothing: first
to find what is easiest to code (the noise), then to let no more through than pictures need."""

SMALL = 0.002
"""Mean square of the noise that is not punished; after a sixth of the epochs."""


def d_vae(epochs: int) -> Countermeasure:
    """Train on the reconstructions of a D-VAE of so many epochs."""

    def prepare(scene: Scene) -> Scene:
        what = {"d-vae": epochs, "set": scene.train.digest()}
        cleaned = scene.derived.whole(what, lambda: _disentangled(scene, epochs))
        return replace(scene, train=replace(scene.train, pictures=cleaned))

    return Countermeasure(
        "D-VAE",
        "Yu et al.: Purify unlearnable examples via rate-constrained variational "
        "autoencoders. ICML 2024, arXiv 2405.01460",
        {"epochs": epochs, "width": Disentangler.WIDTH},
        prepare=prepare,
        largest_px=LARGEST_PX,
    )


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
            conv3x3(3, self.WIDTH),
            nn.ReLU(),
            conv3x3(self.WIDTH, wide, stride=2),
            nn.ReLU(),
            conv3x3(wide, wide),
            nn.ReLU(),
        )
        self.code = nn.Conv2d(wide, 2 * self.CODE, 1)
        self.uncode = nn.Conv2d(self.CODE, wide, 1)
        self.decoder = self._decoder(wide)
        self.classes = nn.Embedding(classes, wide)
        self.noises = self._decoder(wide)
        initialise(self, generator)

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
            conv3x3(self.WIDTH, self.WIDTH),
            nn.ReLU(),
            conv3x3(self.WIDTH, 3),
        )


def _disentangled(scene: Scene, epochs: int) -> torch.Tensor:
    data = scene.train
    for target in (LOOSE, TIGHT):
        network = _disentangler(scene, data, target, max(1, epochs // 2))
        labels = data.labels

        def without(x: torch.Tensor, first: int, network: Disentangler = network) -> torch.Tensor:
            y = labels[first : first + len(x)].to(scene.device)  # noqa: B023  # used at once
            return (x - network.noise(x, y)).clamp(0, 1)

        data = replace(data, pictures=in_parts(without, data.pictures, scene))
    return in_parts(lambda x, _: network.reconstruction(x), data.pictures, scene)


def _disentangler(
    scene: Scene, data: LabelledPictures, target: tuple[float, float], epochs: int
) -> Disentangler:
    generator = torch.Generator(scene.device).manual_seed(SEED)
    network = Disentangler(len(data.classes), torch.Generator().manual_seed(SEED)).to(scene.device)
    weight, free = target

    def loss(index: torch.Tensor, epoch: int) -> torch.Tensor:
        x = unit_range(data.pictures[index], scene)
        seen, noise, rate = network(x, data.labels[index].to(scene.device), generator)
        found = functional.mse_loss(seen, x) + weight * rate.clamp(min=free)
        found = found + functional.mse_loss((seen + noise).clamp(0, 1), x)
        small = noise.square().mean().clamp(min=SMALL) if 6 * epoch > epochs else 0
        total: torch.Tensor = found + small
        return total

    return train(network, loss, len(data.labels), epochs, scene)
