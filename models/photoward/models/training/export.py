"""Turns a finished training run into a surrogate: weights, and the card that describes them."""

from __future__ import annotations

import copy
import hashlib
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import save

from photoward.core.catalogue import SurrogateCard
from photoward.models import codes, views
from photoward.models.methods.base import Brief
from photoward.models.methods.registry import make
from photoward.models.pixels import LEVELS, from_bytes, normalise
from photoward.models.surrogates.architectures.resnet import ResNet18
from photoward.models.surrogates.surrogate import Surrogate
from photoward.models.training.sparsity import compacted

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.models.training.data import LabelledPictures
    from photoward.models.training.loop import Trainer

BATCH = 500

PICTURES = 1000
"""Of the holdout, for the card's figures."""

RADII = (2, 4, 8)
"""Of the attacks that the card tells of, in 1/255."""


def export(  # noqa: PLR0913  # one keyword for each thing that a card must say
    trainer: Trainer,
    folder: Path,
    *,
    name: str,
    data: str,
    data_sha256: str,
    licence: str,
    holdout: LabelledPictures | None,
    labeller: str | None = None,
) -> SurrogateCard:
    """Write ``NAME.safetensors`` and ``NAME.json`` to ``folder``.

    Args:
        trainer: a run that has reached its last step.
        folder: where to.
        name: of the surrogate.
        data: what it was trained on, in words.
        data_sha256: digest of the training pictures.
        licence: of the weights.
        holdout: unseen pictures of the same classes, to measure what it does with them.
        labeller: name of the surrogate that guesses labels where this one has no classes.
    """
    network, recipe, inner = trainer.network.eval(), trainer.recipe, []
    if trainer.sparsity and isinstance(network, ResNet18):
        network = compacted(network).eval()
        inner = network.inner
    tensors = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    tensors["feature_mean"] = _feature_mean(trainer)
    weights = save(tensors)
    card = SurrogateCard(
        name=name,
        architecture=recipe.architecture,
        width=recipe.width,
        inner=inner,
        size=recipe.size,
        stride=recipe.stride,
        classes=[] if recipe.code else list(trainer.data.classes),
        code=list(recipe.code),
        labeller=labeller,
        feature_dim=tensors["feature_mean"].numel(),
        sha256=hashlib.sha256(weights).hexdigest(),
        data=f"{data} (SHA-256 of the pictures {data_sha256})",
        recipe={**asdict(recipe), "code": list(recipe.code)},
        figures={"protected_accuracy_under_attack": round(trainer.converged, 4)},
        seconds=round(trainer.seconds, 1),
        hardware=f"{platform.machine()}, {trainer.device.type}, {torch.get_num_threads()} threads",
        versions={"torch": torch.__version__, "python": platform.python_version()},
        licence=licence,
    )
    if holdout is not None:
        surrogate = Surrogate(
            card, copy.deepcopy(network), tensors["feature_mean"], trainer.device, torch.float32
        )
        figures = {**card.figures, **_figures(trainer, surrogate, holdout)}
        card = card.model_copy(update={"figures": figures})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(weights)
    (folder / f"{name}.json").write_text(card.model_dump_json(indent=2) + "\n")
    return card


@torch.no_grad()
def _feature_mean(trainer: Trainer) -> torch.Tensor:
    """Mean pooled features over the first pictures of the training data."""
    total: list[torch.Tensor] = []
    order = torch.randperm(len(trainer.data.labels), generator=trainer.generator)[: 8 * BATCH]
    for index in order.split(BATCH):
        x = _whole(trainer, trainer.data.pictures[index].to(trainer.device, torch.float32) / LEVELS)
        total.append(trainer.network.features(normalise(x)).float())
    return torch.cat(total).mean(0).cpu()


def _figures(trainer: Trainer, surrogate: Surrogate, holdout: LabelledPictures) -> dict[str, float]:
    """Accuracy on unseen pictures as they are, and protected as the service does; under PGD-20."""
    random = np.random.default_rng(0)
    shown = holdout.take(random.permutation(len(holdout.labels))[:PICTURES].tolist())
    x = shown.pictures.to(trainer.device, torch.float32) / LEVELS
    own, found = shown.labels[:, None].to(trainer.device), {}
    if not trainer.recipe.code:
        found["clean_accuracy"] = _accuracy(trainer, x, own, 0)
        found |= {f"pgd20_accuracy_{r}_255": _accuracy(trainer, x, own, r) for r in RADII}
    method = make("sem", surrogate)
    length = method.stream_bytes(shown.pictures.shape[-1])
    words = np.stack([random.integers(k, size=len(x)) for k in surrogate.card.alphabets], axis=1)
    briefs = [
        Brief(
            epsilon=trainer.recipe.epsilon,
            aspect=1.0,
            code=tuple(word),
            stream=random.integers(0, 256, length, dtype=np.uint8),
        )
        for word in words.tolist()
    ]
    noise = method.perturb(shown.pictures.permute(0, 2, 3, 1).numpy(), briefs)
    protected, code = x + from_bytes(noise, trainer.device), torch.tensor(words).to(x.device)
    for radius in (0, *RADII):
        key = f"unseen_protected_pgd20_accuracy_{radius}_255"
        found[key] = _accuracy(trainer, protected, code, radius)
    return found


def _whole(trainer: Trainer, pictures: torch.Tensor) -> torch.Tensor:
    """All of each picture, in the size that the network takes."""
    aspect = torch.ones(len(pictures), device=pictures.device)
    view = views.centred(size=trainer.recipe.size, grid=pictures.shape[-1], aspect=aspect)
    return view(pictures)


def _accuracy(trainer: Trainer, x: torch.Tensor, code: torch.Tensor, radius: float) -> float:
    """Share of the symbols that are read right under PGD-20 of ``radius``."""
    right = 0.0
    for part, said in zip(x.split(BATCH), code.split(BATCH), strict=True):
        seen = whole = _whole(trainer, part)
        if radius:
            seen = trainer.attack(whole, said, radius=radius, steps=20, step_size=radius / 4)
        with torch.no_grad():
            outputs = trainer.network(normalise(seen))
        right += codes.share_right(outputs, said, trainer.targets.alphabets) * len(said)
    return round(right / len(x), 4)
