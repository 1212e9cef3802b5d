"""``photoward evaluate``: what the protection of some files does to somebody's training run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from photoward.api.cli.environment import require_extra, settings_from
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from photoward.models.training.data import LabelledPictures


def evaluate(  # noqa: PLR0913  # one option each
    *,
    clean: Annotated[Path, typer.Option(help="Class folders of the unprotected pictures.")],
    protected: Annotated[Path, typer.Option(help="The same pictures, protected.")],
    test: Annotated[Path, typer.Option(help="Class folders of other, clean pictures.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the result (JSON).")] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 15,
    width: Annotated[int, typer.Option(min=16, help="Channels of the victim's first stage.")] = 16,
    size: Annotated[int, typer.Option(min=16, help="Side that the victim trains at.")] = 32,
    seed: Annotated[int, typer.Option(help="Never a surrogate's seed.")] = 1000,
) -> None:
    """Train one victim on clean and one on protected files; test both on clean pictures.

    Plain training only: one seed, no counter-measure. It does not show what a trainer reaches
    who starts from a pretrained network, trains adversarially or purifies the pictures first.
    """
    require_extra("worker")
    from photoward.models.evaluation import report  # noqa: PLC0415  # heavy
    from photoward.models.evaluation.victims import VictimRecipe, train_victim  # noqa: PLC0415
    from photoward.models.surrogates.cache import pick_device  # noqa: PLC0415  # heavy
    from photoward.models.training.data import load_folders  # noqa: PLC0415  # heavy

    recipe = VictimRecipe(width=width, size=size, epochs=epochs, seed=seed)
    device = pick_device(settings_from().device)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def load(folder: Path, classes: list[str] | None) -> LabelledPictures:
            return load_folders(
                folder, size, classes, lambda files: bar.track(files, description=folder.name)
            )

        control = load(clean, None)
        sets = {"clean": control, "protected": load(protected, control.classes),
                "test": load(test, control.classes)}  # fmt: skip
        if not sets["protected"].labels.equal(control.labels):
            raise BadInput(
                "invalid_option",
                f"{clean} and {protected} hold different sets of pictures: "
                "protect the whole folder first.",
            )
        verdicts = {}
        for name in ("clean", "protected"):
            steps = recipe.epochs * (len(control.labels) // recipe.batch or 1)
            task = bar.add_task(f"victim of {name}", total=steps)
            verdicts[name] = train_victim(
                sets[name], sets["test"], recipe, device,
                lambda step, _loss, task=task: bar.update(task, completed=step),  # type: ignore[misc]  # bound default
            )  # fmt: skip
    data: dict[str, Any] = {
        name: {"pictures": len(s.labels), "sha256": s.digest()} for name, s in sets.items()
    }
    result = report.assemble(
        command=shlex.join(["photoward", *sys.argv[1:]]),
        control=verdicts["clean"], protected=verdicts["protected"], data=data,
    )  # fmt: skip
    if out:
        report.write(result, out)
    table = Table("victim trained on", "own training views", "clean test pictures", "seconds")
    for name, verdict in verdicts.items():
        table.add_row(name, f"{verdict.train_accuracy:.1%}", f"{verdict.test_accuracy:.1%}",
                      f"{verdict.seconds:.0f}")  # fmt: skip
    Console().print(table)
