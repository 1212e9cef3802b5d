"""``photoward evaluate``: what the protection of some files does to somebody's training run."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from photoward.api.cli import exhibits
from photoward.api.cli.effort import FULL, PLAIN, QUICK, chosen, percentages, words
from photoward.api.cli.environment import require_extra, settings_from
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from photoward.api.cli.effort import Effort
    from photoward.api.cli.exhibits import Exhibits
    from photoward.models.evaluation.countermeasures.base import Countermeasure
    from photoward.models.evaluation.subjects import Subjects
    from photoward.models.training.data import LabelledPictures


@dataclass(frozen=True)
class _Sources:
    """Where the pictures come from, as it was typed."""

    clean: Path | None
    protected: list[str]
    test: Path | None
    service: str | None
    data: Path | None
    quick: bool
    options: dict[str, str | None]


def evaluate(  # noqa: PLR0913  # one option each
    *,
    clean: Annotated[
        Path | None, typer.Option(help="Unprotected pictures: class folders or a manifest.")
    ] = None,
    protected: Annotated[
        list[str] | None,
        typer.Option(help="The same pictures, protected; NAME=PATH, once for each method."),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Other, clean pictures; default: some of --clean.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="Protect --data through the service at this address.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Class folders to protect first.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for cells, report.json and report.html; or FILE.json.")
    ] = Path("evaluation-out"),
    quick: Annotated[
        bool, typer.Option("--quick", help="A look of ten minutes; has its own pictures.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Everything, three seeds: for a GPU.")
    ] = False,
    countermeasures: Annotated[
        str | None, typer.Option(help="Names with commas, or all.")
    ] = None,
    architectures: Annotated[str | None, typer.Option(help="Names with commas, or all.")] = None,
    shares: Annotated[str | None, typer.Option(help="Protected shares in %, as 20,60,100.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many.")] = None,
    seed: Annotated[int, typer.Option(help="The first; never a surrogate's.")] = 1000,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    width: Annotated[
        int | None, typer.Option(min=16, help="Channels of the victim's first stage.")
    ] = None,
    size: Annotated[int, typer.Option(min=16, max=224, help="Side that victims train at.")] = 32,
    batch: Annotated[int | None, typer.Option(min=2)] = None,
    pictures: Annotated[
        int | None, typer.Option(min=4, help="Train on no more than these.")
    ] = None,
    holdout: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of --clean to test on without --test.")
    ] = 0.2,
    attack_steps: Annotated[
        int | None, typer.Option(min=1, help="PGD steps of adversarial training.")
    ] = None,
    pretrained_side: Annotated[
        int | None, typer.Option(min=32, help="Pixels that a pretrained network is shown.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="With --service or --quick.")] = None,
    preset: Annotated[str | None, typer.Option(help="With --service or --quick.")] = None,
) -> None:  # fmt: skip
    """Train victims on clean and on protected files; test all of them on clean pictures.

    Without --quick and --full: plain training of one architecture with one seed. What is finished
    is kept in the folder, so an interrupted evaluation goes on where it stood.
    """
    require_extra("worker")
    from photoward.models.evaluation.countermeasures import registry  # noqa: PLC0415  # heavy
    from photoward.models.surrogates.architectures import ARCHITECTURES  # noqa: PLC0415

    if quick and full:
        raise BadInput("invalid_option", "Give --quick or --full, not both.")
    effort = chosen(
        QUICK if quick else FULL if full else PLAIN,
        countermeasures=words(countermeasures, "--countermeasures", registry()),
        architectures=words(architectures, "--architectures", ARCHITECTURES),
        shares=percentages(shares), seeds=seeds, epochs=epochs, width=width, batch=batch,
        pictures=pictures, attack_steps=attack_steps, pretrained_side=pretrained_side,
    )  # fmt: skip
    if size % 4 and "vit" in {*effort.architectures, *effort.plain_architectures}:
        raise BadInput("invalid_option", f"--size {size}: a ViT needs a multiple of 4.")
    sources = _Sources(
        clean, protected or [], test, service, data, quick, {"method": method, "preset": preset}
    )
    _check(sources)
    _Study(effort, sources, out, size=size, first_seed=seed, holdout=holdout).run()


def _check(sources: _Sources) -> None:
    """Refuse before anything is written."""
    if sources.service or sources.data:
        if not (sources.service and sources.data) or sources.clean or sources.protected:
            raise BadInput(
                "invalid_option",
                "--service and --data belong together, without --clean and --protected.",
            )
    elif bool(sources.clean) != bool(sources.protected):
        raise BadInput("invalid_option", "--clean and --protected belong together.")
    elif not sources.clean and not sources.quick:
        raise BadInput(
            "invalid_option",
            "Give --clean and --protected, or --service and --data; or --quick for a look at "
            "pictures of our own.",
        )
    if sources.clean and any(sources.options.values()):
        raise BadInput(
            "invalid_option", "--method and --preset are for pictures that are protected here."
        )
    if sources.test and not (sources.clean or sources.data):
        raise BadInput("invalid_option", "--test needs --clean or --data.")


class _Study:
    """One evaluation from its options to its report."""

    def __init__(  # noqa: PLR0913  # the command's options
        self, effort: Effort, sources: _Sources, out: Path, *, size: int, first_seed: int,
        holdout: float,
    ) -> None:  # fmt: skip
        self.effort, self.sources, self.holdout = effort, sources, holdout
        self.size, self.first_seed = size, first_seed
        as_file = out.suffix == ".json"
        self.folder = out.with_suffix("") if as_file else out
        self.result = out if as_file else out / "report.json"
        self.console = Console(stderr=True)

    def run(self) -> None:
        """Gather, train, tell.

        Raises:
            BadInput: the pictures cannot be compared, or a file is where the folder should be.
        """
        from photoward.models.evaluation import page, report  # noqa: PLC0415  # heavy
        from photoward.models.evaluation.matrix import Matrix  # noqa: PLC0415  # heavy
        from photoward.models.evaluation.victims import VictimRecipe  # noqa: PLC0415  # heavy
        from photoward.models.surrogates.cache import pick_device  # noqa: PLC0415  # heavy

        if self.folder.exists() and not self.folder.is_dir():
            raise BadInput("invalid_option", f"--out {self.folder} is a file: name a folder.")
        device = pick_device(settings_from().device)
        tried = self._countermeasures()
        for one in tried.values():
            if one.missing:
                self.console.print(f"Skipped: {one.title}; missing {one.missing}", markup=False)
        subjects = self._subjects()
        effort = self.effort
        recipe = VictimRecipe(
            width=effort.width, size=self.size, epochs=effort.epochs, batch=effort.batch,
            seed=self.first_seed,
        )  # fmt: skip
        matrix = Matrix(subjects, recipe, tried, self.folder / "cells", device)
        found = report.assemble(
            command=shlex.join(["photoward", *sys.argv[1:]]), cells=self._train(matrix, subjects),
            subjects=subjects, recipe=recipe, countermeasures=tried, device=device,
        )  # fmt: skip
        report.write(found, self.result)
        web = self.folder / "report.html"
        report.write_text(page.render(found, subjects), web)
        _tell(found)
        Console().print(f"{self.result}\n{web}", soft_wrap=True, highlight=False)

    def _countermeasures(self) -> dict[str, Countermeasure]:
        from photoward.models.evaluation.countermeasures import registry  # noqa: PLC0415  # heavy

        effort = self.effort
        known = registry(
            attack_steps=effort.attack_steps, candidates=effort.candidates,
            pretrained_side=effort.pretrained_side,
        )  # fmt: skip
        names = known if effort.countermeasures == ("all",) else effort.countermeasures
        return {name: known[name] for name in names}

    def _train(self, matrix: Any, subjects: Subjects) -> list[dict[str, Any]]:  # noqa: ANN401  # imported late
        from photoward.models.evaluation.matrix import Plan  # noqa: PLC0415  # heavy

        effort = self.effort
        plan = Plan(
            protections=list(subjects.protected),
            countermeasures=[n for n, one in matrix.countermeasures.items() if not one.missing],
            architectures=effort.architectures, plain_architectures=effort.plain_architectures,
            shares=effort.shares, plain_shares=effort.plain_shares,
            seeds=range(self.first_seed, self.first_seed + effort.seeds),
        )  # fmt: skip
        cells = plan.cells()
        done: list[dict[str, Any]] = []
        with _bar(self.console) as bar:
            every = bar.add_task("cells", total=len(cells))
            one = bar.add_task("", visible=False)

            def watch(cell: Any, step: int, steps: int) -> None:  # noqa: ANN401  # the same
                bar.update(one, description=cell.name, completed=step, total=steps, visible=True)

            for result in matrix.run(cells, watch):
                done.append(result)
                bar.update(one, visible=False)
                bar.advance(every)
        return done

    def _subjects(self) -> Subjects:
        from photoward.models.evaluation.subjects import assemble  # noqa: PLC0415  # heavy

        sources = self._exhibits()
        control = self._load(sources.clean)
        classes = control.classes
        return assemble(
            control, {name: self._load(p, classes) for name, p in sources.protected.items()},
            self._load(sources.test, classes) if sources.test else None,
            holdout=self.holdout, limit=self.effort.pictures,
        )  # fmt: skip

    def _load(self, source: Path, classes: list[str] | None = None) -> LabelledPictures:
        from photoward.models.training.data import load_pictures  # noqa: PLC0415  # heavy

        with _bar(self.console) as bar:
            return load_pictures(
                source, self.size, classes, lambda files: bar.track(files, description=source.name)
            )

    def _exhibits(self) -> Exhibits:
        sources = self.sources
        if sources.clean:
            return exhibits.named(sources.clean, sources.protected, sources.test)
        if not (sources.service and sources.data):
            return exhibits.own_shapes(self.folder / "shapes", sources.options)
        from photoward.models.training.data import labelled_files  # noqa: PLC0415  # heavy

        files, classes = labelled_files(sources.data)
        self._load(sources.data)  # what cannot be read is told before anything is sent
        with _bar(self.console) as bar:
            protected = exhibits.through_service(
                sources.service, sources.data, [(path, classes[n]) for path, n in files],
                self.folder / "protected", options=sources.options,
                track=lambda pending: bar.track(pending, description="protect"),
            )  # fmt: skip
        return exhibits.Exhibits(sources.data, protected, sources.test)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), console=console,
    )  # fmt: skip


def _tell(report: dict[str, Any]) -> None:
    """The report on the terminal: a table, and what it says."""
    console = Console()
    protections = ["clean", *report["findings"]]
    table = Table(
        "trainer", "network", "protected", *protections, title="clean test pictures that are right"
    )
    titles = {name: one["title"] for name, one in report["countermeasures"].items()}
    shown: dict[tuple[str, str], dict[int, dict[str, str]]] = {}
    for row in report["rows"]:
        spread = row["test_accuracy"]["sd"]
        figure = f"{row['test_accuracy']['mean']:.1%}" + (
            f" ± {100 * spread:.1f}" if spread else ""
        )
        trainer = shown.setdefault((row["countermeasure"], row["architecture"]), {})
        trainer.setdefault(row["share"], {})[row["protection"]] = figure
    for (name, architecture), shares in shown.items():
        control = shares.pop(0)
        for share, figures in shares.items():
            line = {**control, **figures}
            table.add_row(titles[name], architecture, f"{share} %", *map(line.get, protections))
    console.print(table)
    for name, sentences in report["findings"].items():
        for sentence in sentences:
            console.print(f"{name}: {sentence}", markup=False, highlight=False)
