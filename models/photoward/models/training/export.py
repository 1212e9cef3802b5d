"""Turns a finished training run into a surrogate: weights, and the card that describes them."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save

from photoward.core.catalogue import SurrogateCard
from photoward.models.pixels import LEVELS, normalise

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.models.training.data import LabelledPictures
    from photoward.models.training.loop import Trainer

BATCH = 500


def export(  # noqa: PLR0913  # one keyword for each thing that a card must say
    trainer: Trainer,
    folder: Path,
    *,
    name: str,
    data: str,
    data_sha256: str,
    licence: str,
    holdout: LabelledPictures | None,
) -> SurrogateCard:
    """Write ``NAME.safetensors`` and ``NAME.json`` to ``folder``.

    Args:
        trainer: a run that has reached its last step.
        folder: where to.
        name: of the surrogate.
        data: what it was trained on, in words.
        data_sha256: digest of the training pictures.
        licence: of the weights.
        holdout: unseen pictures of the same classes, to measure clean and robust accuracy.
    """
    network = trainer.network.eval()
    figures: dict[str, Any] = {"protected_accuracy_under_attack": round(trainer.converged, 4)}
    if holdout is not None:
        figures["clean_accuracy"] = round(_accuracy(trainer, holdout, steps=0), 4)
        figures["pgd20_accuracy_4_255"] = round(_accuracy(trainer, holdout, steps=20), 4)
    tensors = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    tensors["feature_mean"] = _feature_mean(trainer)
    weights = save(tensors)
    card = SurrogateCard(
        name=name,
        architecture=trainer.recipe.architecture,
        width=trainer.recipe.width,
        size=trainer.recipe.size,
        classes=list(trainer.data.classes),
        feature_dim=tensors["feature_mean"].numel(),
        sha256=hashlib.sha256(weights).hexdigest(),
        data=f"{data} (SHA-256 of the pictures {data_sha256})",
        recipe=asdict(trainer.recipe),
        figures=figures,
        seconds=round(trainer.seconds, 1),
        hardware=f"{platform.machine()}, {trainer.device.type}, {torch.get_num_threads()} threads",
        versions={"torch": torch.__version__, "python": platform.python_version()},
        licence=licence,
    )
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
        x = trainer.data.pictures[index].to(trainer.device, torch.float32) / LEVELS
        total.append(trainer.network.features(normalise(x)).float())
    return torch.cat(total).mean(0).cpu()


def _accuracy(trainer: Trainer, data: LabelledPictures, steps: int) -> float:
    """Accuracy on the first pictures of ``data``, under PGD of the recipe's radius if asked."""
    right, order = 0, torch.randperm(
        len(data.labels), generator=torch.Generator().manual_seed(0)
    )[: 4 * BATCH]  # fmt: skip
    for index in order.split(BATCH):
        x = data.pictures[index].to(trainer.device, torch.float32) / LEVELS
        y = data.labels[index].to(trainer.device)
        if steps:
            x = trainer.attack(x, y, steps=steps, step_size=trainer.recipe.radius / 4)
        with torch.no_grad():
            right += int((trainer.network(normalise(x)).argmax(1) == y).sum())
    return right / len(order)
