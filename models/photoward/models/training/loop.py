"""Trains a SEM surrogate (Liu et al., AAAI 2024, §4): the first of the method's two phases.

Each step does, for one mini-batch: a *noise step* that descends the cross-entropy under random
views and random perturbations (the noise makes the label easy), then a *surrogate step* that
trains on the protected views under a PGD attack. δ is kept per picture between visits, so that a
few inner steps a visit are enough. Knows tensors and a folder to write to; no service.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from photoward.models import views
from photoward.models.pixels import LEVELS, budget, normalise, project
from photoward.models.surrogates.architectures import build
from photoward.models.surrogates.surrogate import autocast
from photoward.models.training.schedule import one_cycle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from photoward.models.training.data import LabelledPictures


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
    steps: int = 6000
    batch: int = 128
    epsilon: float = 8.0
    noise_steps: int = 2
    noise_step_size: float = 1.6
    noise_samples: int = 1
    radius: float = 4.0
    attack_steps: int = 2
    attack_step_size: float = 3.0
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """What the loop tells its caller after each step."""

    step: int
    loss: float
    accuracy_under_attack: float
    """Share of this batch's protected, attacked views that were classified as labelled."""


class Trainer:
    """The state of one training run: network, momentum, the noise of every picture, the clock."""

    def __init__(self, data: LabelledPictures, recipe: Recipe, device: torch.device) -> None:
        self.data, self.recipe, self.device = data, recipe, device
        self.generator = torch.Generator().manual_seed(recipe.seed)
        torch.manual_seed(recipe.seed)  # the initial weights
        self.network = build(recipe.architecture, len(data.classes), recipe.width)
        self.network.to(device).to(memory_format=torch.channels_last)
        self.optimiser, self.schedule = one_cycle(
            self.network, learning_rate=recipe.learning_rate, momentum=recipe.momentum,
            weight_decay=recipe.weight_decay, steps=recipe.steps,
        )  # fmt: skip
        radius = budget(recipe.epsilon)
        start = torch.empty(data.pictures.shape, dtype=torch.float16)
        self.noise = start.uniform_(-radius, radius, generator=self.generator)
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
        x = self.data.pictures[index].to(self.device, torch.float32).div_(LEVELS)
        y = self.data.labels[index].to(self.device)
        delta = self._noise_step(x, y, self.noise[index].to(self.device, torch.float32))
        self.noise[index] = delta.to("cpu", torch.float16)
        recipe = self.recipe
        seen = self.attack(
            self._views(len(y))(x + delta), y,
            steps=recipe.attack_steps, step_size=recipe.attack_step_size,
        )  # fmt: skip
        self.network.train()
        with autocast(self.device):
            logits = self.network(normalise(seen))
        loss = functional.cross_entropy(logits.float(), y)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        right = (logits.argmax(1) == y).float().mean()
        self.converged += (right.item() - self.converged) * max(1 / self.step, 1 - SMOOTHING)
        return Progress(self.step, loss.item(), right.item())

    def _noise_step(self, x: torch.Tensor, y: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        self.network.eval()  # stays so until the surrogate step
        radius = budget(self.recipe.epsilon)
        for _ in range(self.recipe.noise_steps):
            total = torch.zeros_like(delta)
            for _ in range(self.recipe.noise_samples):
                view = self._views(len(y))
                delta.requires_grad_()
                seen = view(x + delta)
                gradient = self._gradient((seen + self._jitter(seen)).clamp(0, 1), y, delta)
                delta = delta.detach()
                total += gradient
            delta = project(delta - budget(self.recipe.noise_step_size) * total.sign(), x, radius)
        return delta

    def attack(
        self, clean: torch.Tensor, y: torch.Tensor, *, steps: int, step_size: float
    ) -> torch.Tensor:
        """PGD (Madry et al., 2018) of the recipe's radius on views that are already augmented.

        ``step_size`` is in 1/255.
        """
        clean = clean.detach()
        radius = budget(self.recipe.radius)
        seen = (clean + self._jitter(clean)).clamp(0, 1)
        for _ in range(steps):
            seen.requires_grad_()
            gradient = self._gradient(seen, y, seen)
            moved = seen.detach() + budget(step_size) * gradient.sign()
            seen = clean + project(moved - clean, clean, radius)
        return seen

    def _gradient(self, seen: torch.Tensor, y: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        with autocast(self.device):
            logits = self.network(normalise(seen))
        loss = functional.cross_entropy(logits.float(), y, reduction="sum")
        return torch.autograd.grad(loss, wanted)[0]

    def _views(self, n: int) -> views.Views:
        uniforms = torch.rand((n, views.DRAWS), generator=self.generator).to(self.device)
        return views.draw(uniforms, size=self.recipe.size, grid=self.recipe.size)

    def _jitter(self, like: torch.Tensor) -> torch.Tensor:
        noise = torch.empty(like.shape).uniform_(-1, 1, generator=self.generator)
        return noise.to(self.device).mul_(budget(self.recipe.radius))

    # -- interruption ------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the whole state to ``folder``; a reader sees the old state or the new one."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"network.{k}": v.contiguous() for k, v in self.network.state_dict().items()}
        for i, state in enumerate(self.optimiser.state.values()):
            tensors[f"momentum.{i}"] = state["momentum_buffer"].contiguous()
        tensors["noise"] = self.noise
        tensors["generator"] = self.generator.get_state()
        facts = {
            "step": self.step,
            "seconds": self.seconds,
            "converged": self.converged,
            "data": self._data_sha256,
            "schedule": self.schedule.state_dict(),
            "groups": self.optimiser.state_dict()["param_groups"],
            "recipe": asdict(self.recipe),
        }
        new = folder / "checkpoint.safetensors.new"
        save_file(tensors, new, metadata={"state": json.dumps(facts)})
        new.replace(folder / "checkpoint.safetensors")

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
        if (facts["recipe"], facts["data"]) != (asdict(self.recipe), self._data_sha256):
            message = f"{path} belongs to another recipe or other data: move it away to start anew"
            raise ValueError(message)
        self.network.load_state_dict(
            {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        )
        for i, parameter in enumerate(self.network.parameters()):
            state = self.optimiser.state[parameter]
            state["momentum_buffer"] = tensors[f"momentum.{i}"].to(self.device)
        self.noise = tensors["noise"]
        self.generator.set_state(tensors["generator"])
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.converged = facts["converged"]
        self.schedule.load_state_dict(facts["schedule"])
        self.optimiser.load_state_dict(
            {**self.optimiser.state_dict(), "param_groups": facts["groups"]}
        )
