"""``photoward protect``: photos in, protected photos out, without a service.

Runs the worker's pipeline in this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated

import typer

from photoward.api.cli import console
from photoward.api.cli.extras import require_extra
from photoward.api.cli.files import folders, user_data
from photoward.api.cli.files.locations import Folder
from photoward.api.cli.files.names import MISNAMED
from photoward.api.cli.files.plan import PlannedFile, plan
from photoward.api.cli.options import Preset, Shaping
from photoward.core.catalogue import (
    DEFAULT_METHOD,
    EXIF_GROUPS,
    METHODS,
    Catalogue,
)
from photoward.core.errors import PhotowardError
from photoward.core.rights import CHOICES
from photoward.core.rights import DEFAULT as DEFAULT_STATEMENT

if TYPE_CHECKING:
    from photoward.core.jobs import Options
    from photoward.core.settings import Settings
    from photoward.worker.pipeline import Protected

_METHODS = (
    f"Method: {', '.join(name for name, method in METHODS.items() if not method.baseline)}; for "
    f"comparison: {', '.join(name for name, method in METHODS.items() if method.baseline)}."
)
_SETTING = "that of the settings"


def protect(  # noqa: PLR0913  # one parameter an option
    source: Annotated[Path, typer.Argument(help="A photo, or a folder of photos.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the protected files.")],
    *,
    label: Annotated[
        str | None,
        typer.Option(help="What the photos show.", show_default="predicted by the surrogate"),
    ] = None,
    labels_from_folders: Annotated[
        bool, typer.Option("--labels-from-folders", help="Use each photo's folder as its label.")
    ] = False,
    method: Annotated[
        str | None, typer.Option(help=_METHODS, show_default=f"{_SETTING}, else {DEFAULT_METHOD}")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="What sem steers to: prototype (any label) or logits (the surrogate's classes).",
            show_default="prototype",
        ),
    ] = None,
    surrogate: Annotated[
        str | None,
        typer.Option(
            help="Surrogate network; `surrogate list` prints them.", show_default=_SETTING
        ),
    ] = None,
    networks: Annotated[
        str | None,
        typer.Option(
            help="Set of pretrained networks; `surrogate list` prints them.", show_default=_SETTING
        ),
    ] = None,
    preset: Preset = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            help="Largest change of a sample, in 1/255.", show_default="that of the preset"
        ),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option(help="jpeg, png, webp or avif.", show_default="that of the photo"),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Longer sides in pixels, separated by commas: one file each, scaled down before "
            "it is protected; several get the side at the end of their names.",
            show_default="that of the photo",
        ),
    ] = None,
    shaping: Shaping = None,
    keep_exif: Annotated[
        str | None,
        typer.Option(
            help=f"EXIF to keep, separated by commas: {', '.join(EXIF_GROUPS)}.",
            show_default="none",
        ),
    ] = None,
    data_mining: Annotated[
        str | None,
        typer.Option(
            help=f"Statement about data mining in the files: {', '.join(CHOICES)}.",
            show_default=DEFAULT_STATEMENT,
        ),
    ] = None,
    creator: Annotated[
        str | None,
        typer.Option(help="Creator to write into the files.", show_default="as in the photo"),
    ] = None,
    credit: Annotated[
        str | None,
        typer.Option(help="Credit line to write into the files.", show_default="as in the photo"),
    ] = None,
    rights: Annotated[
        str | None,
        typer.Option(help="Copyright notice to write into them.", show_default="as in the photo"),
    ] = None,
    licence_url: Annotated[
        str | None,
        typer.Option(help="URL of the terms of use to write.", show_default="as in the photo"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files in OUT.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the master secret.",
            show_default="PHOTOWARD_DATA_DIR, else ~/.local/share/photoward",
        ),
    ] = None,
) -> None:
    """Protect a photo, or a folder of photos with its subfolders, without a service.

    Files keep their names and dates; the suffix follows the format (a TIFF or GIF becomes a PNG, a
    HEIC a JPEG, unless --output-format says otherwise). Files that are in OUT already stay, so that
    an interrupted run can continue. What Photoward has protected before is left as it is, and not
    copied to OUT. Exit code 1: a file was refused or could not be read.
    """
    require_extra("worker")
    settings = user_data.settings(data_dir)
    catalogue = Catalogue.of(settings)

    @cache
    def options(own_label: str | None) -> Options:
        return catalogue.options(
            label=own_label,
            method=method,
            target=target,
            surrogate=surrogate,
            preset=preset,
            networks=networks,
            epsilon=epsilon,
            output_format=output_format,
            sizes=sizes,
            shaping=shaping,
            keep_exif=keep_exif,
            data_mining=data_mining,
            creator=creator,
            credit=credit,
            rights=rights,
            licence_url=licence_url,
        )

    label_of = folders.label_function(source, label, from_folders=labels_from_folders)
    if not labels_from_folders:
        options(label)  # a bad label of all photos is a bad option
    found = folders.find_photos(source, out)
    there = Folder(out)
    todo = plan(found.photos, source, there, lambda path: options(label_of(path)), force=force)
    _refuse(found.skipped | todo.refused)
    results = Results(set(todo.refused))
    if todo.entries:
        _run(settings, catalogue, todo.entries, there, results)
    done = {entry.photo.source for entry in todo.entries} - results.refused - results.own
    console.print_summary(
        protected=len(done),
        refused=len(results.refused) + len(found.skipped),
        existing=len(found.photos) - len(done) - len(results.refused) - len(results.own),
        others=found.others,
        own=len(results.own),
    )


def _refuse(why: Mapping[Path, object]) -> None:
    for path, reason in sorted(why.items()):
        console.print_refusal(path, reason)


@dataclass
class Results:
    """Counts and prints the results of photos; thread-safe."""

    refused: set[Path]
    own: set[Path] = field(default_factory=set)
    """Photos that are outputs themselves."""
    notes: console.Notes = field(default_factory=console.Notes)
    lock: Lock = field(default_factory=Lock)

    def end(self, entry: PlannedFile, outcome: Protected | PhotowardError) -> None:
        """Record the result of one file."""
        with self.lock:
            if not isinstance(outcome, PhotowardError):
                self.notes.add(entry.photo.source, outcome.measured.get("notes", []))
                if entry.photo.misnamed:
                    self.notes.add(entry.photo.source, [MISNAMED])
            elif outcome.code == "already_protected":
                self.own.add(entry.photo.source)
                self.notes.add(entry.photo.source, [outcome.detail])
            elif entry.photo.source not in self.refused:
                self.refused.add(entry.photo.source)
                console.print_refusal(entry.photo.source, outcome)


def _run(
    settings: Settings,
    catalogue: Catalogue,
    entries: list[PlannedFile],
    out: Folder,
    results: Results,
) -> None:
    """Protect and write all of them."""
    from photoward.api.cli.files.batch_runner import BatchRunner
    from photoward.core.ledger import open_ledger
    from photoward.worker.lifecycle import open_pipeline

    secret = user_data.secret(settings)
    ledger = open_ledger(settings)  # keeps what labels are steered to
    pipeline, pool = open_pipeline(settings, ledger.targets)
    with pool, console.progress() as bar:
        task = bar.add_task("protect", total=len(entries))

        def ended(entry: PlannedFile, outcome: Protected | PhotowardError) -> None:
            results.end(entry, outcome)
            bar.advance(task)

        BatchRunner(pipeline, catalogue, settings, secret=secret, out=out, on_end=ended).run(
            entries
        )
    pipeline.close()
    ledger.close()
    results.notes.print()
