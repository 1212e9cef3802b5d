"""Trains a SEM surrogate (Liu et al., AAAI 2024, §4): the first of the method's two phases.

Each step does, for one mini-batch: a *noise step* that descends the cross-entropy under random
views and random perturbations (the noise makes the label easy), then a *surrogate step* that
trains on the protected views under a PGD attack. δ starts from what is known already
(``targets``), so that a few inner steps are enough. Knows tensors and a folder to write to; no
service.
"""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from photoward.models import codes, views
from photoward.models.methods.descent import followed
from photoward.models.pixels import LEVELS, budget, normalise, project
from photoward.models.surrogates.architectures import build
from photoward.models.surrogates.surrogate import autocast
from photoward.models.training.schedule import one_cycle
from photoward.models.training.selection import BULLETTRAIN, Boundary
from photoward.models.training.sparsity import RSR, Sparsity
from photoward.models.training.targets import Classes, Codes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import nn

    from photoward.models.training.data import LabelledPictures
    from photoward.models.training.targets import Targets


CUT_AT = 0.5
"""When channels go that are to go: what is left has as long to get used to it."""

SMOOTHING = 0.99
"""Weight of the past in ``Trainer.converged``."""


@dataclass(frozen=True)
class Recipe:
    """What decides a surrogate, apart from its data; radii in 1/255.

    Defaults are the paper's CIFAR-10 radii with the warm-started small-scale schedule: two noise
    steps a visit instead of ten, two PGD steps instead of ten, one-cycle learning rate. A
    surrogate protects as well as it has converged on its own protected pictures, so spend
    patience on ``steps`` first.
    """

    architecture: str = "resnet18"
    width: int = 16
    size: int = 32
    grid: int = 0
    """Side of the pictures that views are taken from: twice the size for photos; 0: the size."""
    stride: int = 1
    """Of the stem; with 3, and a size of 96, training costs as much as with 32 px."""
    steps: int = 6000
    batch: int = 128
    epsilon: float = 8.0
    noise_steps: int = 2
    noise_step_size: float = 1.6
    noise_falling: float = 0.0
    noise_momentum: float = 0.0
    noise_samples: int = 1
    radius: float = 4.0
    ramp: int = 0
    """Steps in which the attack's radius grows to its full."""
    attack_steps: int = 2
    attack_step_size: float = 3.0
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    seed: int = 0
    select: str = ""
    """``bullettrain``: attack only what is near the decision boundary; empty: everything."""
    prune: str = ""
    """``rsr``: learn to do with fewer channels; empty: keep all."""
    pruned: float = 0.5
    """Share of the blocks' inner channels that go."""
    code: tuple[int, ...] = ()
    """Alphabets of the codewords that it learns; empty: it learns the data's classes."""
    start: str = ""
    """Digest of the weights whose features it starts from; empty: fresh ones."""


CODED = Recipe(
    steps=1700,
    noise_steps=3,
    noise_step_size=4.8,
    noise_falling=1.0,
    noise_momentum=0.5,
    ramp=200,
    learning_rate=0.05,
    code=(64,),
)
"""For a surrogate of codewords that starts from the features of one of classes."""


@dataclass(frozen=True)
class Progress:
    """What the loop tells its caller after each step."""

    step: int
    loss: float
    accuracy_under_attack: float
    """Share of this batch's protected, attacked views that were classified as labelled."""


class Trainer:
    """The state of one training run: network, momentum, noise, the clock.

    Args:
        data: what it trains on.
        recipe: how.
        device: where.
        features: a network of the recipe's shape to take the features from.
    """

    def __init__(
        self,
        data: LabelledPictures,
        recipe: Recipe,
        device: torch.device,
        features: nn.Module | None = None,
    ) -> None:
        self.data, self.recipe, self.device = data, recipe, device
        self.generator = torch.Generator().manual_seed(recipe.seed)
        torch.manual_seed(recipe.seed)  # the initial weights
        outputs = sum(recipe.code) or len(data.classes)
        self.network = build(recipe.architecture, outputs, recipe.width, stride=recipe.stride)
        if features is not None:
            _take_features(self.network, features)
        self.network.to(device).to(memory_format=torch.channels_last)
        self.optimiser, self.schedule = one_cycle(
            self.network,
            learning_rate=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            steps=recipe.steps,
        )
        self.targets: Targets = (
            Codes(data.pictures.shape[-1], recipe.epsilon, recipe.code, device, self.generator)
            if recipe.code
            else Classes(data, recipe.epsilon, device, self.generator)
        )
        chosen = recipe.select == BULLETTRAIN
        self.boundary = Boundary(self.targets.alphabets) if chosen else None
        sparse = recipe.prune == RSR
        self.sparsity = Sparsity(self.network, recipe.pruned, self.generator) if sparse else None
        self._data_sha256 = data.digest()
        self.step = 0
        self.seconds = 0.0
        self.converged = 0.0
        """Running accuracy on protected, attacked training views: it decides how well the
        surrogate will protect."""

    def run(
        self,
        report: Callable[[Progress], None],
        checkpoint: Path | None = None,
        every_s: float = 60.0,
    ) -> None:
        """Train to the end of the recipe, from wherever the state stands."""
        saved = time.monotonic()
        while self.step < self.recipe.steps:
            began = time.monotonic()
            progress = self._one_step()
            self.seconds += time.monotonic() - began
            report(progress)
            if checkpoint and time.monotonic() - saved > every_s:
                self.save(checkpoint)
                saved = time.monotonic()
        if checkpoint:
            self.save(checkpoint)

    def _one_step(self) -> Progress:
        # Without replacement, so that no picture races with itself for its δ; always the same
        # count, because torch 2.15's CPU kernels corrupt memory at odd batches of few channels.
        order = torch.randperm(len(self.data.labels), generator=self.generator)
        index = order[: self.recipe.batch]
        radius = self._radius()
        x = self.data.pictures[index].to(self.device, torch.float32).div_(LEVELS)
        code, start = self.targets.draw(index, self.generator)
        delta = self._noise_step(x, code, start, radius)
        self.targets.keep(index, delta)
        seen = self._attacked(self._views(len(x))(x + delta), code, radius)
        outputs, loss = self._learn(seen, code)
        if self.boundary:
            self.boundary.hear(outputs, code)
        self.step += 1
        if self.sparsity and self.step == round(CUT_AT * self.recipe.steps):
            self.sparsity.cut(self.optimiser)
        right = codes.share_right(outputs, code, self.targets.alphabets)
        self.converged += (right - self.converged) * max(1 / self.step, 1 - SMOOTHING)
        return Progress(self.step, loss, right)

    def _learn(self, seen: torch.Tensor, code: torch.Tensor) -> tuple[torch.Tensor, float]:
        """The surrogate step: its logits and its loss."""
        self.network.train()
        rate = self.optimiser.param_groups[0]["lr"]
        with self.sparsity.noisy(rate) if self.sparsity else nullcontext():
            outputs = self._outputs(seen)
            loss = codes.cross_entropy(outputs, code, self.targets.alphabets) / code.numel()
            self.optimiser.zero_grad()
            (loss + self.sparsity.penalty() if self.sparsity else loss).backward()
        self.optimiser.step()
        self.schedule.step()
        return outputs.detach(), loss.item()

    def _attacked(self, shown: torch.Tensor, code: torch.Tensor, radius: float) -> torch.Tensor:
        """What the surrogate step sees: all of the batch under attack, or what is worth it."""
        recipe = self.recipe
        attack = partial(
            self.attack,
            radius=radius,
            steps=recipe.attack_steps,
            step_size=recipe.attack_step_size * radius / recipe.radius,
        )
        if not self.boundary:
            return attack(shown, code)
        seen = (shown + self._jitter(shown, radius)).clamp(0, 1)
        with torch.no_grad():
            index = self.boundary.choose(self._outputs(seen), code)
        return seen.index_copy(0, index, attack(shown[index], code[index]))

    def _radius(self) -> float:
        """Of this step's attack, in 1/255."""
        grown = (self.step + 1) / self.recipe.ramp if self.recipe.ramp else 1.0
        return self.recipe.radius * min(1.0, grown)

    def _noise_step(
        self, x: torch.Tensor, code: torch.Tensor, start: torch.Tensor, radius: float
    ) -> torch.Tensor:
        self.network.eval()  # stays so until the surrogate step
        recipe, epsilon = self.recipe, budget(self.recipe.epsilon)
        delta = project(start, x, epsilon)
        direction = torch.zeros_like(delta)
        for number in range(recipe.noise_steps):
            total = torch.zeros_like(delta)
            for _ in range(recipe.noise_samples):
                view = self._views(len(x))
                delta.requires_grad_()
                seen = view(x + delta)
                seen = (seen + self._jitter(seen, radius)).clamp(0, 1)
                gradient = self._gradient(seen, code, delta)
                delta = delta.detach()
                total += gradient
            self.targets.learn(code, total)
            direction = followed(direction, total, recipe.noise_momentum)
            left = 1 - recipe.noise_falling * number / recipe.noise_steps
            moved = delta - budget(recipe.noise_step_size) * left * direction.sign()
            delta = project(moved, x, epsilon)
        return delta

    def attack(
        self,
        clean: torch.Tensor,
        code: torch.Tensor,
        *,
        radius: float,
        steps: int,
        step_size: float,
    ) -> torch.Tensor:
        """PGD (Madry et al., 2018) on views that are already augmented.

        ``radius`` and ``step_size`` are in 1/255; ``code`` is ``[N, alphabets]``.
        """
        clean = clean.detach()
        seen = (clean + self._jitter(clean, radius)).clamp(0, 1)
        for _ in range(steps):
            seen.requires_grad_()
            gradient = self._gradient(seen, code, seen)
            moved = seen.detach() + budget(step_size) * gradient.sign()
            seen = clean + project(moved - clean, clean, budget(radius))
        return seen

    def _gradient(
        self, seen: torch.Tensor, code: torch.Tensor, wanted: torch.Tensor
    ) -> torch.Tensor:
        loss = codes.cross_entropy(self._outputs(seen), code, self.targets.alphabets)
        return torch.autograd.grad(loss, wanted)[0]

    def _outputs(self, seen: torch.Tensor) -> torch.Tensor:
        with autocast(self.device):
            outputs: torch.Tensor = self.network(normalise(seen))
        return outputs.float()

    def _views(self, n: int) -> views.Views:
        uniforms = torch.rand((n, views.DRAWS), generator=self.generator).to(self.device)
        return views.draw(uniforms, size=self.recipe.size, grid=self.data.pictures.shape[-1])

    def _jitter(self, like: torch.Tensor, radius: float) -> torch.Tensor:
        noise = torch.empty(like.shape).uniform_(-1, 1, generator=self.generator)
        return noise.to(self.device).mul_(budget(radius))

    # -- interruption ------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the whole state to ``folder``; a reader sees the old state or the new one."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"network.{k}": v.contiguous() for k, v in self.network.state_dict().items()}
        for i, state in enumerate(self.optimiser.state.values()):
            tensors[f"momentum.{i}"] = state["momentum_buffer"].contiguous()
        for part, kept in self._kept():
            tensors |= {f"{part}.{k}": v for k, v in kept.items()}
        tensors["generator"] = self.generator.get_state()
        facts = {
            "step": self.step,
            "seconds": self.seconds,
            "converged": self.converged,
            "boundary": self.boundary.share if self.boundary else None,
            "data": self._data_sha256,
            "schedule": self.schedule.state_dict(),
            "groups": self.optimiser.state_dict()["param_groups"],
            "recipe": asdict(self.recipe),
        }
        new = folder / "checkpoint.safetensors.new"
        save_file(tensors, new, metadata={"state": json.dumps(facts)})
        new.replace(folder / "checkpoint.safetensors")

    def _kept(self) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
        """What there is to keep beside network and momentum."""
        yield "targets", self.targets.tensors
        if self.sparsity:
            yield "sparsity", self.sparsity.tensors

    def resume(self, folder: Path) -> None:
        """Take up the state that ``save`` left in ``folder``.

        Raises:
            ValueError: the state belongs to another recipe or other data.
        """
        from safetensors import safe_open  # noqa: PLC0415  # only here

        path = folder / "checkpoint.safetensors"
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["state"])
        tensors = load_file(path)
        own = json.loads(json.dumps(asdict(self.recipe)))
        if (facts["recipe"], facts["data"]) != (own, self._data_sha256):
            message = f"{path} belongs to another recipe or other data: move it away to start anew"
            raise ValueError(message)
        self.network.load_state_dict(
            {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        )
        for i, parameter in enumerate(self.network.parameters()):
            state = self.optimiser.state[parameter]
            state["momentum_buffer"] = tensors[f"momentum.{i}"].to(self.device)
        for part, kept in self._kept():
            kept |= {k: tensors[f"{part}.{k}"].to(v.device) for k, v in kept.items()}
        if self.boundary:
            self.boundary.share = facts["boundary"]
        self.generator.set_state(tensors["generator"])
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.converged = facts["converged"]
        self.schedule.load_state_dict(facts["schedule"])
        self.optimiser.load_state_dict(
            {**self.optimiser.state_dict(), "param_groups": facts["groups"]}
        )


def _take_features(network: nn.Module, features: nn.Module) -> None:
    """All but the head; a stem of a longer stride sees the mean of what a shorter one saw."""
    own = network.state_dict()
    known = {k: v for k, v in features.state_dict().items() if not k.startswith("head.")}
    for key, value in known.items():
        if value.shape != own[key].shape:
            times = own[key].shape[-1] // value.shape[-1]
            spread = value.repeat_interleave(times, 2).repeat_interleave(times, 3)
            known[key] = spread / times**2
    network.load_state_dict({**own, **known})
