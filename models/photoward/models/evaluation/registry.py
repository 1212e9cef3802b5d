"""What a trainer may do about protected pictures: one registry, name → countermeasure.

Which pictures it touches: files (JPEG, bit depth, filters, resizing), purifiers and per-batch
changes touch training pictures alone; grayscale, low-pass, projection and the external transform
change the input space and so are applied to the test pictures too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.errors import BadInput
from photoward.models.evaluation.attacks_on_pairs import u_net
from photoward.models.evaluation.countermeasures import (
    adversarial_training,
    batch_augmentation,
    cleaning,
    d_vae,
    external_transform,
    file_processing,
    input_space,
)
from photoward.models.evaluation.countermeasures.base import Countermeasure, plain_training
from photoward.models.evaluation.pretrained_networks import Networks
from photoward.models.evaluation.trainers import fine_tuning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NONE = "none"

FIRST = "efficientnet-lite0"
"""The network of ``pretrained``, the row that older results have."""


def registry(  # noqa: PLR0913  # how much of each kind
    *,
    attack_steps: int = 10,
    candidates: int = 5,
    pretrained_side: int = 128,
    fine_tune_epochs: int = 6,
    purifier_epochs: int = 40,
    networks: Networks | None = None,
) -> dict[str, Countermeasure]:
    """All countermeasures, in the order of a table; ``KIND:NETWORK`` where a network is asked.

    Args:
        attack_steps: PGD steps of adversarial training.
        candidates: augmentations of a picture of which the hardest is trained on.
        pretrained_side: pixels that a pretrained network is shown.
        fine_tune_epochs: of trainers who start from one.
        purifier_epochs: of a network that is trained to clean pictures.
        networks: the pretrained ones; default: those that are shipped.
    """
    networks = networks or Networks.installed()
    cleaners = {
        "d-vae": d_vae.d_vae(purifier_epochs),
        **{
            f"unet-{whose}": u_net.subtracting(whose, purifier_epochs)
            for whose in ("same", "other")
        },
    }
    return {
        NONE: plain_training(),
        **{
            f"at-{epsilon}": adversarial_training.adversarial(epsilon, attack_steps)
            for epsilon in (1, 2, 4, 8)
        },
        **{f"jpeg-{quality}": file_processing.jpeg(quality) for quality in (10, 30, 50, 75, 90)},
        "grayscale": input_space.grayscale(),
        "bit-depth": file_processing.bit_depth(2),
        "gaussian": file_processing.gaussian(1.0),
        "median": file_processing.median(3),
        "resize": file_processing.resize(2.0),
        "cutout": batch_augmentation.cutout(),
        "mixup": batch_augmentation.mixup(),
        "cutmix": batch_augmentation.cutmix(),
        "ueraser": adversarial_training.hardest_augmentation(candidates),
        "projection": input_space.orthogonal_projection(epochs=20),
        "coin": batch_augmentation.coin(),
        "rsk": batch_augmentation.sharpening(),
        **cleaners,
        "pretrained": fine_tuning.by_adam(networks, FIRST, pretrained_side),
        **{
            f"{kind}:{network}": one
            for network in networks.known
            for kind, one in _of(network, networks, pretrained_side, fine_tune_epochs, cleaners)
        },
    }


def _of(
    network: str, networks: Networks, side: int, epochs: int, cleaners: Mapping[str, Countermeasure]
) -> Iterator[tuple[str, Countermeasure]]:
    """Everything that is tried with one pretrained network."""
    own = dict(fine_tuning.trainers(networks, network, side, epochs))
    yield from own.items()
    for name, cleaner in cleaners.items():
        for kind in ("probe", "fine-tune"):
            second = own.get(kind) or own[f"{kind}-{fine_tuning.USUAL_RATE:g}"]
            yield f"{name}-{kind}", cleaning.then(cleaner, second)
    for epsilon in external_transform.RADII if networks.known[network][0].classes else ():
        yield f"external-{epsilon}", external_transform.transform(networks, network, epsilon, side)


def named(words: Sequence[str], known: Mapping[str, Countermeasure]) -> tuple[str, ...]:
    """The names that these words mean, in the registry's order.

    A word is a name, a kind (with every network), a family (its best row counts) or a family with
    one network, as in ``fine-tune:mobilenet-v2``; ``all`` is all.

    Raises:
        BadInput: an unknown word; the sentence lists the known ones.
    """
    meant = {
        word: [name for name, one in known.items() if word in _words(name, one)] for word in words
    }
    unknown = [word for word, names in meant.items() if not names]
    if unknown or not words:
        kinds = dict.fromkeys(name.partition(":")[0] for name in known)
        networks = dict.fromkeys(name.partition(":")[2] for name in known if ":" in name)
        raise BadInput(
            "invalid_option",
            f"--countermeasures does not know {', '.join(unknown) or 'an empty list'}; there are: "
            f"{', '.join(kinds)}, and all. Those of pretrained networks may name one of "
            f"{', '.join(networks)}, as in fine-tune:{FIRST}.",
        )
    chosen = {name for names in meant.values() for name in names}
    return tuple(name for name in known if name in chosen)


def _words(name: str, one: Countermeasure) -> set[str]:
    kind, _, network = name.partition(":")
    family = {one.family, f"{one.family}:{network}"} if one.family else set()
    return {name, kind, "all", *family}
