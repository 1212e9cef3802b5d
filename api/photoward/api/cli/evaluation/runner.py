"""One evaluation: load the data sets, train, write the report."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import TaskID
from rich.table import Table

from photoward.api.cli import console as terminal
from photoward.api.cli.configuration import settings_from
from photoward.api.cli.evaluation import datasets, surrogates_used
from photoward.core.errors import BadInput
from photoward.models.evaluation.matrix import Cell, Matrix, Plan
from photoward.models.evaluation.metrics.learned_share import told
from photoward.models.evaluation.picture_sets import Subjects, assemble, leak
from photoward.models.evaluation.registry import registry
from photoward.models.evaluation.reports import page, report
from photoward.models.evaluation.result_cache import Derived
from photoward.models.evaluation.trainer_run import Leak, VictimRecipe
from photoward.models.surrogates.cache import pick_device
from photoward.models.training.data import LabelledPictures, labelled_files, load_pictures

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.api.cli.evaluation.datasets import Datasets
    from photoward.api.cli.evaluation.preset import EvaluationPreset
    from photoward.models.evaluation.countermeasures.base import Countermeasure
    from photoward.models.evaluation.pretrained_networks import Networks


@dataclass(frozen=True)
class LeakedPairs:
    """Pairs of original and protected images that a purifier learns from, as typed."""

    originals: Path | None = None
    same: list[str] = field(default_factory=list)
    """Each ``PROTECTION=PATH``."""
    other: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DatasetOptions:
    """Where the images come from, as typed."""

    clean: Path | None
    protected: list[str]
    test: Path | None
    service: str | None
    data: Path | None
    quick: bool
    options: dict[str, str | None]
    surrogates: list[str] = field(default_factory=list)
    """Each ``PROTECTION=NETWORK,NETWORK``, or a set's name."""
    leaked: LeakedPairs = field(default_factory=LeakedPairs)


class Evaluation:
    """One evaluation from its options to its report."""

    def __init__(  # noqa: PLR0913  # one parameter an option
        self,
        preset: EvaluationPreset,
        sources: DatasetOptions,
        out: Path,
        networks: Networks,
        *,
        size: int,
        grid: int | None,
        first_seed: int,
        holdout: float,
    ) -> None:
        self.preset, self.sources, self.holdout = preset, sources, holdout
        self.networks = networks
        self.size, self.grid, self.first_seed = size, grid, first_seed
        as_file = out.suffix == ".json"
        self.folder = out.with_suffix("") if as_file else out
        self.result = out if as_file else out / "report.json"
        self.console = Console(stderr=True)

    def run(self) -> None:
        """Load, train, write the report and print it.

        Raises:
            BadInput: the pictures cannot be compared, or a file is where the folder should be.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise BadInput("invalid_option", f"--out {self.folder} is a file: name a folder.")
        device = pick_device(settings_from().engine_device)
        tried = self._countermeasures()
        missing = [one for one in tried.values() if one.missing]
        for one in missing:
            self.console.print(f"Skipped: {one.title}; missing {one.missing}", markup=False)
        if len(missing) == len(tried):
            raise BadInput("invalid_option", "There is no countermeasure left to try.")
        subjects = self._subjects()
        made_by = self._surrogates(subjects)
        preset = self.preset
        recipe = VictimRecipe(
            width=preset.width,
            size=self.size,
            grid=self.grid,
            epochs=preset.epochs,
            batch=preset.batch,
            learning_rate=preset.learning_rate,
            seed=self.first_seed,
        )
        derived = Derived(self.folder / "derived")
        matrix = Matrix(subjects, recipe, tried, self.folder / "cells", device, derived)
        found = report.assemble(
            command=shlex.join(["photoward", *sys.argv[1:]]),
            cells=self._train(matrix),
            subjects=subjects,
            recipe=recipe,
            countermeasures=tried,
            device=device,
            note="" if self.sources.clean or self.sources.data else datasets.DRAWN_NOTE,
            surrogates=made_by,
        )
        report.write(found, self.result)
        web = self.folder / "report.html"
        report.write_text(page.render(found, subjects), web)
        print_report(found)
        Console().print(f"{self.result}\n{web}", soft_wrap=True, highlight=False)

    def _countermeasures(self) -> dict[str, Countermeasure]:
        preset = self.preset
        known = registry(
            attack_steps=preset.attack_steps,
            candidates=preset.candidates,
            pretrained_side=preset.pretrained_side,
            fine_tune_epochs=preset.fine_tune_epochs,
            purifier_epochs=preset.purifier_epochs,
            networks=self.networks,
        )
        names = known if preset.countermeasures == ("all",) else preset.countermeasures
        return {name: self._possible(known[name]) for name in names}

    def _possible(self, one: Countermeasure) -> Countermeasure:
        """The countermeasure, with what is missing to run it."""
        side = self.grid or self.size
        if one.largest_px and side > one.largest_px:
            return replace(one, missing=f"pictures of at most {one.largest_px} px: give --size")
        leaked = self.sources.leaked
        if one.needs and not (leaked.same if one.needs == "same" else leaked.other):
            option = "--leaked" if one.needs == "same" else "--leaked-elsewhere"
            return replace(one, missing=f"pairs that leaked: give --originals and {option}")
        return one

    def _surrogates(self, subjects: Subjects) -> dict[str, list[str]]:
        """Protection → the networks that made it."""
        own = not (self.sources.clean or self.sources.data)
        drawn = subjects.protected if own else ()
        known = {name: surrogates_used.default_surrogates(name, self.networks) for name in drawn}
        return known | surrogates_used.parse_surrogates(
            self.sources.surrogates, subjects.protected, self.networks
        )

    def _train(self, matrix: Matrix) -> list[dict[str, Any]]:
        preset = self.preset
        plan = Plan(
            protections=list(matrix.subjects.protected),
            countermeasures=[n for n, one in matrix.countermeasures.items() if not one.missing],
            architectures=preset.architectures,
            networks={n: one.network for n, one in matrix.countermeasures.items() if one.network},
            plain_architectures=preset.plain_architectures,
            shares=preset.shares,
            plain_shares=preset.plain_shares,
            seeds=range(self.first_seed, self.first_seed + preset.seeds),
        )
        cells = plan.cells()
        done: list[dict[str, Any]] = []
        with terminal.progress(self.console) as bar:
            every = bar.add_task("cells", total=len(cells))
            lines: dict[Cell, TaskID] = {}

            def watch(cell: Cell, step: int, steps: int) -> None:
                if cell not in lines:
                    lines[cell] = bar.add_task(cell.name, total=steps)
                bar.update(lines[cell], completed=step, visible=step < steps)

            for result in matrix.run(cells, watch):
                done.append(result)
                bar.advance(every)
        return done

    def _subjects(self) -> Subjects:
        given = self.sources.clean or self.sources.data
        control = self._load(given) if given else None  # unreadable files are refused first
        sources = self._datasets()
        control = control or self._load(sources.clean)
        classes = control.classes
        subjects = assemble(
            control,
            {name: self._load(p, classes) for name, p in sources.protected.items()},
            self._load(sources.test, classes) if sources.test else None,
            holdout=self.holdout,
            limit=self.preset.pictures,
        )
        return replace(subjects, leaks=self._leaks(subjects))

    def _leaks(self, subjects: Subjects) -> dict[str, dict[str, Leak]]:
        """Protection → whose pairs → the pairs."""
        given = self.sources.leaked
        if not given.originals:
            return {}
        originals = self._load(given.originals)
        found: dict[str, dict[str, Leak]] = {}
        for whose, paths in (("same", given.same), ("other", given.other)):
            named = datasets.parse_datasets(given.originals, paths, None).protected if paths else {}
            if named and set(named) != set(subjects.protected):
                raise BadInput(
                    "invalid_option",
                    "Give pairs that leaked for each protection, by its name: "
                    f"{', '.join(subjects.protected)}.",
                )
            for name, path in named.items():
                after = self._load(path, originals.classes)
                found.setdefault(name, {})[whose] = leak(originals, after, name)
        return found

    def _load(self, source: Path, classes: list[str] | None = None) -> LabelledPictures:
        with terminal.progress(self.console) as bar:
            return load_pictures(
                source,
                self.grid or self.size,
                classes,
                lambda files: bar.track(files, description=source.name),
            )

    def _datasets(self) -> Datasets:
        sources = self.sources
        if sources.clean:
            return datasets.parse_datasets(sources.clean, sources.protected, sources.test)
        if not (sources.service and sources.data):
            return datasets.draw_shapes(self.folder / "shapes", sources.options)
        files, classes = labelled_files(sources.data)
        with terminal.progress(self.console) as bar:
            protected = datasets.protect_through_service(
                sources.service,
                sources.data,
                [(path, classes[n]) for path, n in files],
                self.folder / "protected",
                options=sources.options,
                track=lambda pending: bar.track(pending, description="protect"),
            )
        return datasets.Datasets(sources.data, protected, sources.test)


def print_report(found: dict[str, Any]) -> None:
    """Print the table of results and the findings."""
    console = Console()
    protections = ["clean", *found["findings"]]
    table = Table(
        "trainer", "network", "protected", *protections, title="clean test pictures that are right"
    )
    titles = {name: one["title"] for name, one in found["countermeasures"].items()}
    shown: dict[tuple[str, str], dict[int, dict[str, str]]] = {}
    for row in found["rows"]:
        spread = row["peak_accuracy"]["sd"]
        figure = told(row, 1) + ("" if spread is None else f" ± {100 * spread:.1f}")
        trainer = shown.setdefault((row["countermeasure"], row["architecture"]), {})
        trainer.setdefault(row["share"], {})[row["protection"]] = figure
    for (name, architecture), shares in shown.items():
        control = shares.pop(0)
        for share, figures in shares.items():
            line = {**control, **figures}
            table.add_row(titles[name], architecture, f"{share} %", *map(line.get, protections))
    console.print(table)
    measured = found["data"]["clean"]["intrinsic"]
    if measured["levina_bickel"] is not None:
        console.print(
            f"The set: dimension {measured['levina_bickel']}, label sharpness "
            f"{measured['label_sharpness']}; by the law of its dimension {measured['undone_by']} "
            "unprotected pictures undo the protection.",
            highlight=False,
        )
    if found["note"]:
        console.print(found["note"])
    for name, sentences in found["findings"].items():
        for sentence in sentences:
            console.print(f"{name}: {sentence}", markup=False, highlight=False)
