"""``photoward protect``: photos in, protected photos out, without a service.

Runs the worker's pipeline in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated

import typer

from photoward.api.cli import console
from photoward.api.cli.extras import require_extra
from photoward.api.cli.files import folders, site_mode, user_data
from photoward.api.cli.files.locations import Folder
from photoward.api.cli.files.names import MISNAMED, fold_case
from photoward.api.cli.files.plan import PlannedFile, plan
from photoward.api.cli.files.site import Selection
from photoward.api.cli.files.site_mode import Work
from photoward.api.cli.options import Preset, Shaping
from photoward.core.catalogue import (
    DEFAULT_METHOD,
    EXIF_GROUPS,
    LEAST_QUALITY,
    METHODS,
    SAME,
    Catalogue,
)
from photoward.core.errors import BadInput, PhotowardError
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
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE...", help="Photos, or folders of photos."),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for the protected files; of several sources each gets a folder in it.",
            show_default="none: --in-place needs none",
        ),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Replace photos of a site; the originals are kept elsewhere."
        ),
    ] = False,
    copy_rest: Annotated[
        bool,
        typer.Option("--copy-rest", help="Copy the site's other files into OUT, too."),
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="With --in-place: put the originals back.")
    ] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(
            help="Protect only photos whose path fits this pattern, as '*.jpg'; repeatable.",
            show_default="all",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave photos whose path fits this pattern, as 'icons/*'; repeatable.",
            show_default="none",
        ),
    ] = None,
    min_side: Annotated[
        int, typer.Option(min=0, help="Leave photos whose shorter side has fewer pixels.")
    ] = 0,
    originals: Annotated[
        Path | None,
        typer.Option(
            help="With --in-place and --copy-rest: folder that keeps originals and the manifest, "
            "outside of the site.",
            show_default="a folder for each site below ~/.local/share/photoward/sites",
        ),
    ] = None,
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
    quality: Annotated[
        str | None,
        typer.Option(
            help=f"Quality of lossy files, {LEAST_QUALITY} to 100, or {SAME}: a JPEG's own.",
            show_default="95 to 97",
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

    For a built site: --copy-rest makes a copy with all its files, --in-place replaces its photos;
    only what is new or was made with other options is made.
    """
    selection = Selection(tuple(include or ()), tuple(exclude or ()), min_side)
    as_site = in_place or copy_rest
    _check(sources, out, in_place=in_place, copy_rest=copy_rest, undoing=undo)
    if undo:
        site_mode.undo_all(sources, originals)
        return
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
            quality=quality,
            shaping=shaping,
            keep_exif=keep_exif,
            data_mining=data_mining,
            creator=creator,
            credit=credit,
            rights=rights,
            licence_url=licence_url,
        )

    if as_site and (sizes or options(label).output_format):
        raise BadInput("invalid_option", "A site's photos keep their size and format.")
    label_of = {
        source: folders.label_function(source, label, from_folders=labels_from_folders)
        for source in sources
    }
    if not labels_from_folders:
        options(label)  # a bad label of all photos is a bad option
    run = partial(_run, settings, catalogue)
    with ExitStack() as closing:
        works = [
            site_mode.prepare(closing, source, into, selection, originals, of)
            if as_site
            else _plain(source, into, selection, of, force=force)
            for source, into in _pairs(sources, out)
            for of in [partial(_options, label_of[source], options)]
        ]
        _finish(works, run)


def _options(
    label_of: Callable[[Path], str | None], options: Callable[[str | None], Options], path: Path
) -> Options:
    return options(label_of(path))


def _check(
    sources: list[Path], out: Path | None, *, in_place: bool, copy_rest: bool, undoing: bool
) -> None:
    """Raises BadInput: options that do not go together."""
    if in_place and (out or copy_rest):
        raise BadInput("invalid_option", "--in-place takes neither --out nor --copy-rest.")
    if undoing and not in_place:
        raise BadInput("invalid_option", "--undo takes back what --in-place did: give both.")
    if not in_place and out is None:
        raise BadInput("invalid_option", "Give --out, or --in-place to replace photos of a site.")
    if (in_place or copy_rest) and not all(source.is_dir() for source in sources):
        raise BadInput("invalid_option", "--in-place and --copy-rest take folders.")
    names = [fold_case(source.resolve().name) for source in sources if source.is_dir()]
    if out and len(set(names)) < len(names):
        raise BadInput("invalid_option", "Two sources have the same name: protect them apart.")


def _pairs(sources: list[Path], out: Path | None) -> list[tuple[Path, Path]]:
    """Each source and the folder that gets its files."""
    if out is None:
        return [(source, source) for source in sources]
    if len(sources) == 1:
        return [(sources[0], out)]
    return [(source, out / source.resolve().name if source.is_dir() else out) for source in sources]


def _plain(
    source: Path,
    out: Path,
    selection: Selection,
    options_of: Callable[[Path], Options],
    *,
    force: bool,
) -> Work:
    """The work on one source whose outputs go into a folder of their own."""
    found = folders.find_photos(source, out)
    photos = [path for path in found.photos if selection.wants(source, path)]
    there = Folder(out)
    todo = plan(photos, source, there, options_of, force=force)
    planned = {entry.photo.source for entry in todo.entries}
    return Work(
        todo.entries,
        there,
        refused=found.skipped | todo.refused,
        existing=len(photos) - len(planned | set(todo.refused)),
        others=found.others + len(found.photos) - len(photos),
    )


def _finish(works: list[Work], run: Callable[[list[Work], Results], None]) -> None:
    """Do all works, print what came of them. Raises typer.Exit with code 1: a file was refused."""
    refused = {path: why for work in works for path, why in work.refused.items()}
    _refuse(refused)
    results = Results(set(refused))
    if any(work.entries for work in works):
        run(works, results)
    done = {entry.photo.shown for work in works for entry in work.entries}
    done -= results.refused | results.own
    if restored := sum(work.restored for work in works):
        console.print_line(f"{restored} put back as an earlier run had made them.")
    console.print_summary(
        protected=len(done),
        refused=len(results.refused),
        existing=sum(work.existing for work in works),
        others=sum(work.others for work in works),
        own=len(results.own) + sum(work.own for work in works),
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
                self.notes.add(entry.photo.shown, outcome.measured.get("notes", []))
                if entry.photo.misnamed:
                    self.notes.add(entry.photo.shown, [MISNAMED])
            elif outcome.code == "already_protected":
                self.own.add(entry.photo.shown)
                self.notes.add(entry.photo.shown, [outcome.detail])
            elif entry.photo.shown not in self.refused:
                self.refused.add(entry.photo.shown)
                console.print_refusal(entry.photo.shown, outcome)


def _run(settings: Settings, catalogue: Catalogue, works: list[Work], results: Results) -> None:
    """Protect and write all of them."""
    from photoward.api.cli.files.batch_runner import BatchRunner
    from photoward.core.ledger import open_ledger
    from photoward.worker.lifecycle import open_pipeline

    secret = user_data.secret(settings)
    ledger = open_ledger(settings)  # keeps what labels are steered to
    pipeline, pool = open_pipeline(settings, ledger.targets)
    with pool, console.progress() as bar:
        task = bar.add_task("protect", total=sum(len(work.entries) for work in works))

        def ended(entry: PlannedFile, outcome: Protected | PhotowardError) -> None:
            results.end(entry, outcome)
            bar.advance(task)

        for work in works:
            BatchRunner(
                pipeline, catalogue, settings, secret=secret, out=work.out, on_end=ended
            ).run(work.entries)
    pipeline.close()
    ledger.close()
    results.notes.print()
