"""``photoward surrogate train``: train a surrogate on class folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.extras import require_extra
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from torch import nn

    from photoward.core.catalogue import SurrogateCard


def train(  # noqa: PLR0913  # one parameter an option
    *,
    data: Annotated[Path, typer.Option(help="Folder of class folders with images.")],
    out: Annotated[Path, typer.Option(help="Folder for the surrogate and the checkpoint.")],
    name: Annotated[str, typer.Option(help="Name of the surrogate.")] = "surrogate",
    holdout: Annotated[
        Path | None,
        typer.Option(help="Class folders to test on, with the same classes.", show_default="none"),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            help="Learn codewords over these alphabets instead of classes, as 64 or 16,16.",
            show_default="learn classes",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Installed surrogate to start from; it predicts labels for one of codewords.",
            show_default="random weights",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Training steps.", show_default="those of the recipe"),
    ] = None,
    width: Annotated[int, typer.Option(min=16, help="Channels of the first stage.")] = 16,
    photos: Annotated[
        bool,
        typer.Option(
            "--photos", help="Train on random crops of images of twice the side, as of photos."
        ),
    ] = False,
    size: Annotated[int, typer.Option(min=16, help="Side of the input in pixels.")] = 32,
    stride: Annotated[
        int,
        typer.Option(min=1, help="Stride of the stem: 96 pixels with 3 cost about 32 with 1."),
    ] = 1,
    batch: Annotated[int, typer.Option(min=2, help="Images per step.")] = 128,
    select: Annotated[
        str | None,
        typer.Option(
            help="bullettrain: attack only images near the decision boundary.",
            show_default="attack all",
        ),
    ] = None,
    prune: Annotated[
        str | None,
        typer.Option(
            help="rsr: learn to work with fewer channels, to be faster.", show_default="none"
        ),
    ] = None,
    pruned: Annotated[
        float, typer.Option(min=0.1, max=0.9, help="Share of the inner channels to prune.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    description: Annotated[
        str, typer.Option(help="Description of the data, for the card.", show_default="--data")
    ] = "",
    licence: Annotated[str, typer.Option(help="Licence of the weights, SPDX.")] = "Apache-2.0",
) -> None:
    """Train a surrogate for SEM; an interrupted run continues from its checkpoint."""
    require_extra("worker")
    from photoward.models.surrogates.cache import pick_device
    from photoward.models.training.data import load_folders
    from photoward.models.training.export import export
    from photoward.models.training.loop import CODED, Recipe, Trainer
    from photoward.models.training.loop import Progress as Step
    from photoward.models.training.selection import BULLETTRAIN
    from photoward.models.training.sparsity import RSR

    features, card = _start(start)
    recipe = replace(CODED, code=_alphabets(code)) if code else Recipe()
    recipe = replace(
        recipe,
        steps=steps or recipe.steps,
        width=width,
        size=size,
        stride=stride,
        batch=batch,
        seed=seed,
        grid=2 * size if photos else 0,
        start=card.sha256 if card else "",
        select=_known(select, "--select", BULLETTRAIN),
        prune=_known(prune, "--prune", RSR),
        pruned=pruned,
    )
    if card and card.inner:
        raise BadInput("invalid_option", f"{card.name} is pruned: start from one that is whole.")
    if card and (card.architecture, card.width) != (recipe.architecture, width):
        detail = f"{card.name} is a {card.architecture} of width {card.width}: use that width."
        raise BadInput("invalid_option", detail)
    if size % stride or (card and stride % card.stride):
        detail = f"--stride {stride} does not go into --size {size}, or not in whole steps of that "
        raise BadInput("invalid_option", f"{detail}of --start.")
    with _bar() as bar:
        side = recipe.grid or size
        pictures = load_folders(
            data, side, track=lambda files: bar.track(files, description="read")
        )
        unseen = load_folders(holdout, side, pictures.classes) if holdout else None
        trainer = Trainer(pictures, recipe, pick_device(settings_from().engine_device), features)
        if (out / "checkpoint.safetensors").exists():
            try:
                trainer.resume(out)
            except ValueError as error:
                raise BadInput("invalid_option", f"{error}.") from error
        task = bar.add_task("train", total=recipe.steps, completed=trainer.step)

        def report(step: Step) -> None:
            bar.update(
                task,
                completed=step.step,
                description=f"train  loss {step.loss:.2f}  "
                f"protected accuracy under attack {trainer.converged:.1%}",
            )

        trainer.run(report, checkpoint=out)
        made = export(
            trainer,
            out,
            name=name,
            data=description or data.name,
            data_sha256=pictures.digest(),
            licence=licence,
            holdout=unseen,
            labeller=_labeller(card) if code else None,
        )
    Console().print(f"{out / name}.safetensors  {made.figures}", highlight=False)


def _alphabets(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 2:  # noqa: PLR2004  # one symbol says nothing
        raise BadInput("invalid_option", "--code takes alphabets of 2 or more symbols, as 16,16.")
    return sizes


def _known(word: str | None, option: str, only: str) -> str:
    if word not in {None, only}:
        raise BadInput("invalid_option", f"{option} {word}: there is {only}, or leave it out.")
    return word or ""


def _labeller(card: SurrogateCard | None) -> str | None:
    """The one to start from, or the one that guesses for it."""
    if card is None:
        return None
    return card.name if card.classes else card.labeller


def _start(name: str | None) -> tuple[nn.Module | None, SurrogateCard | None]:
    """The network to start from, and its card."""
    if name is None:
        return None, None
    from photoward.core.catalogue import read_cards
    from photoward.models.surrogates.surrogate import (
        DigestMismatch,
        load_network,
    )

    cards = read_cards(settings_from().engine_surrogate_dirs)
    if name not in cards:
        raise BadInput("unknown_surrogate", f"There is no surrogate {name}: {', '.join(cards)}.")
    card, weights = cards[name]
    try:
        return load_network(card, weights)[0], card
    except (OSError, DigestMismatch) as error:
        raise BadInput("invalid_option", f"{name} cannot be loaded: {error}.") from error


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
