"""``python -m benchmarks external``: a classifier behind an adversarial transform, attacked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.results import write
from photoward.api.cli.bench.output import Out, console
from photoward.api.cli.configuration import settings_from
from photoward.core.errors import BadInput
from photoward.models.evaluation import picture_sets
from photoward.models.evaluation.countermeasures.external_transform import transform
from photoward.models.evaluation.metrics import adversarial_robustness
from photoward.models.evaluation.pretrained_networks import Networks
from photoward.models.evaluation.result_cache import Derived
from photoward.models.evaluation.trainer_run import Scene, VictimRecipe
from photoward.models.surrogates.cache import pick_device
from photoward.models.training.data import load_pictures


def external(  # noqa: PLR0913  # one parameter an option
    data: Annotated[Path, typer.Argument(help="Class folders, or a manifest of labels.")],
    *,
    network: Annotated[str, typer.Option(help="Network of the transform.")] = "mobilenet-v2",
    epsilon: Annotated[
        int, typer.Option(min=1, max=64, help="Budget of the transform, in 1/255.")
    ] = 8,
    attack: Annotated[int, typer.Option(min=1, max=64, help="Budget of the attack, in 1/255.")] = 8,
    steps: Annotated[int, typer.Option(min=1, help="PGD steps of the attack.")] = 10,
    attacked: Annotated[int, typer.Option(min=1, help="Number of attacked test images.")] = 100,
    pictures: Annotated[int | None, typer.Option(min=4, help="Most images to train on.")] = 2000,
    size: Annotated[int, typer.Option(min=16, max=224, help="Side of the images in pixels.")] = 32,
    side: Annotated[int, typer.Option(min=16, help="Input side of the network in pixels.")] = 64,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each training.")] = 15,
    batch: Annotated[int, typer.Option(min=2, help="Images per step.")] = 64,
    kept: Annotated[
        Path | None,
        typer.Option(help="Folder for transformed images.", show_default="none"),
    ] = None,
    out: Out = None,
) -> None:
    """Train a classifier plainly and one behind the transform, and attack both (CVPR 2020)."""
    settings = settings_from()
    networks = Networks.installed(settings.engine_surrogate_dirs)
    if network not in networks.known:
        raise BadInput(
            "invalid_option",
            f"--network {network} is not installed; there are: {', '.join(networks.known)}.",
        )
    split = picture_sets.assemble(load_pictures(data, size), {}, None, holdout=0.2, limit=pictures)
    recipe = VictimRecipe(size=size, epochs=epochs, batch=batch)
    scene = Scene(
        split.clean, split.test, recipe, pick_device(settings.engine_device), Derived(kept)
    )
    behind = transform(networks, network, epsilon, side)
    stands = adversarial_robustness.Attack(attack, steps, attacked)
    rows = adversarial_robustness.resistance(scene, networks, network, behind, stands)
    table = Table("classifier", "clean", f"attacked, {attack}/255")
    for row in rows:
        table.add_row(str(row["classifier"]), *(f"{row[one]:.1%}" for one in ("clean", "attacked")))
    console.print(table)
    write(
        out,
        {
            "rows": rows,
            "network": network,
            "epsilon_255": epsilon,
            "attack_255": attack,
            "attack_steps": steps,
            "size": size,
            "side_px": side,
            "epochs": epochs,
            "trained_on": len(split.clean.labels),
            "classes": split.clean.classes,
            "data_sha256": split.clean.digest(),
        },
    )
