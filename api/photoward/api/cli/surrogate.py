"""``photoward surrogate``: train one, and say which there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)  # fmt: skip
from rich.table import Table

from photoward.api.cli.environment import require_extra, settings_from
from photoward.core.errors import BadInput

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def show() -> None:
    """Say which surrogates are installed."""
    from photoward.core.catalogue import read_cards  # noqa: PLC0415  # only here

    settings = settings_from()
    table = Table("name", "input", "classes", "protected accuracy under attack", "SHA-256")
    for card, _ in read_cards(settings.surrogate_dirs).values():
        mark = " (default)" if card.name == settings.surrogate else ""
        converged = card.figures.get("protected_accuracy_under_attack", "")
        table.add_row(
            card.name + mark, f"{card.size} px", str(len(card.classes)), str(converged),
            card.sha256[:12],
        )  # fmt: skip
    Console().print(table)


@app.command()
def train(  # noqa: PLR0913  # one option each
    *,
    data: Annotated[Path, typer.Option(help="Folder of class folders with pictures.")],
    out: Annotated[Path, typer.Option(help="Folder for the surrogate and the checkpoint.")],
    name: Annotated[str, typer.Option(help="Name of the surrogate.")] = "surrogate",
    holdout: Annotated[Path | None, typer.Option(help="Unseen pictures, same classes.")] = None,
    steps: Annotated[int, typer.Option(min=1)] = 6000,
    width: Annotated[int, typer.Option(min=16, help="Channels of the first stage.")] = 16,
    size: Annotated[int, typer.Option(min=16, help="Side of the input in pixels.")] = 32,
    batch: Annotated[int, typer.Option(min=2)] = 128,
    seed: int = 0,
    description: Annotated[str, typer.Option(help="The data in words, for the card.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "Apache-2.0",
) -> None:
    """Train a SEM surrogate; an interrupted run goes on where its checkpoint stands."""
    require_extra("worker")
    from photoward.models.surrogates.cache import pick_device  # noqa: PLC0415  # heavy
    from photoward.models.training.data import load_folders  # noqa: PLC0415  # heavy
    from photoward.models.training.export import export  # noqa: PLC0415  # heavy
    from photoward.models.training.loop import Progress as Step  # noqa: PLC0415  # heavy
    from photoward.models.training.loop import Recipe, Trainer  # noqa: PLC0415  # heavy

    recipe = Recipe(steps=steps, width=width, size=size, batch=batch, seed=seed)
    with _bar() as bar:
        pictures = load_folders(
            data, size, track=lambda files: bar.track(files, description="read")
        )
        unseen = load_folders(holdout, size, pictures.classes) if holdout else None
        trainer = Trainer(pictures, recipe, pick_device(settings_from().device))
        if (out / "checkpoint.safetensors").exists():
            try:
                trainer.resume(out)
            except ValueError as error:
                raise BadInput("invalid_option", f"{error}.") from error
        task = bar.add_task("train", total=steps, completed=trainer.step)

        def report(step: Step) -> None:
            bar.update(
                task, completed=step.step,
                description=f"train  loss {step.loss:.2f}  "
                f"protected accuracy under attack {trainer.converged:.1%}",
            )  # fmt: skip

        trainer.run(report, checkpoint=out)
        card = export(
            trainer, out, name=name, data=description or data.name,
            data_sha256=pictures.digest(), licence=licence, holdout=unseen,
        )  # fmt: skip
    Console().print(f"{out / name}.safetensors  {card.figures}", highlight=False)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True),
    )  # fmt: skip
