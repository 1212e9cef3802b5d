"""The networks that a surrogate or a victim may be, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.models.surrogates.architectures.mobilenet import MobileNetV2
from photoward.models.surrogates.architectures.resnet import ResNet18
from photoward.models.surrogates.architectures.vgg import VGG11
from photoward.models.surrogates.architectures.vit import ViT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.models.surrogates.architectures.base import Classifier

ARCHITECTURES: dict[str, Callable[..., Classifier]] = {
    "resnet18": ResNet18,
    "vgg": VGG11,
    "mobilenetv2": MobileNetV2,
    "vit": ViT,
}
"""Name → constructor taking the number of classes and the width."""


def build(
    name: str, classes: int, width: int, *, inner: Sequence[int] = (), stride: int = 1
) -> Classifier:
    """Make a network with fresh weights; ``inner`` and ``stride`` are those of a ``resnet18``.

    Raises:
        KeyError: no such architecture; the message lists what there is.
    """
    try:
        make = ARCHITECTURES[name]
    except KeyError:
        message = f"unknown architecture {name!r}; there are: {', '.join(sorted(ARCHITECTURES))}"
        raise KeyError(message) from None
    if inner or stride > 1:
        return make(classes, width, inner, stride)
    return make(classes, width)
