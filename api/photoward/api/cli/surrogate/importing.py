"""``photoward surrogate import``: add a pretrained network and a set that contains it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from photoward.api.cli.configuration import settings_from
from photoward.core.errors import BadInput, Unavailable

if TYPE_CHECKING:
    import torch

NAME = re.compile(r"[^a-z0-9._-]+")


def import_network(  # noqa: PLR0913  # one parameter an option
    builder: Annotated[
        str, typer.Argument(metavar="timm:NAME|torchvision:NAME", help="Architecture.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the network and the set.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="safetensors file.", show_default="timm downloads its own"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the network.", show_default="that of the architecture"),
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(
            help="Family; networks of one family err alike.", show_default="first word of the name"
        ),
    ] = None,
    into: Annotated[
        str, typer.Option(help="Name of the set: the default set's members and this network.")
    ] = "own",
    licence: Annotated[str, typer.Option(help="Licence of the weights, SPDX.")] = "unknown",
) -> None:
    """Add a pretrained network to a set of networks.

    Afterwards name the folder in PHOTOWARD_ENGINE_SURROGATE_DIRS.
    """
    from photoward.core.networks import SetCard, read_networks, read_sets
    from photoward.models.surrogates.importing import write_card, write_network
    from photoward.models.surrogates.pretrained import build

    called = NAME.sub("-", (name or builder.partition(":")[2]).lower()).strip("-")
    try:
        network: Any = build(builder, 1000)
        stored, description = _stored(builder, weights, network)
        card = write_network(
            out,
            name=called,
            builder=builder,
            family=family or called.partition("_")[0],
            licence=licence,
            weights=stored,
            source=str(weights or f"{builder}, its hub"),
            **description,
        )
        settings = settings_from()
        known = read_networks([*settings.engine_surrogate_dirs, out])
        usual = read_sets(known, settings.engine_surrogate_dirs).get(settings.engine_networks)
        members = dict.fromkeys([*(usual.networks if usual else []), called])
        write_card(SetCard(name=into, networks=list(members), per_step=min(2, len(members))), out)
    except ValueError as error:
        raise BadInput("invalid_option", str(error)) from error
    Console().print(
        f"{card.name}: {card.parameters / 1e6:.1f} M weights, {card.size} px. The set {into} has "
        f"{len(members)} networks. Use it with PHOTOWARD_ENGINE_SURROGATE_DIRS={out} "
        f"PHOTOWARD_ENGINE_NETWORKS={into}.",
        soft_wrap=True,
    )


def _stored(
    builder: str,
    weights: Path | None,
    network: Any,  # noqa: ANN401  # timm's or torchvision's
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights, and size and normalisation as the architecture's authors have them."""
    from safetensors.torch import load_file

    config = getattr(network, "pretrained_cfg", None)
    if not config or not config.get("mean"):
        raise ValueError(
            f"{builder} does not say how its pictures are normalised; name a network of timm's "
            "that does."
        )
    card = {"size": config["input_size"][-1], "mean": config["mean"], "std": config["std"]}
    if weights is None:
        return _fetched(builder), card
    try:
        stored = load_file(weights)
    except Exception as error:  # safetensors raises its own kind and OSError
        raise ValueError(f"{weights} is no safetensors file that can be read: {error}.") from error
    _require_fit(weights, stored, network.state_dict())
    return stored, card


def _require_fit(
    weights: Path, stored: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]
) -> None:
    """Raises ValueError: the file holds other weights than the network has."""
    needed = {name: one for name, one in wanted.items() if not name.endswith("num_batches_tracked")}
    for name, one in needed.items():
        if name not in stored:
            raise ValueError(f"{weights} lacks {name}: it is of another network.")
        if stored[name].shape != one.shape:
            raise ValueError(
                f"{name} in {weights} is {tuple(stored[name].shape)}, where the network has "
                f"{tuple(one.shape)}: it is of another network."
            )
    unknown = set(stored) - set(wanted)
    if unknown:
        raise ValueError(f"{weights} holds {min(unknown)}, which the network has not.")


def _fetched(builder: str) -> dict[str, torch.Tensor]:
    """From timm's hub."""
    import timm

    try:
        network = timm.create_model(builder.removeprefix("timm:"), pretrained=True)
    except Exception as error:
        raise Unavailable(
            f"The weights of {builder} cannot be fetched ({type(error).__name__}): give --weights "
            "FILE where there is no way to the hub."
        ) from error
    found: dict[str, torch.Tensor] = network.state_dict()
    return found
