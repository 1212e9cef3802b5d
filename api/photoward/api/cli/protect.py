"""``photoward protect``: files in, protected files out, without a server.

Runs the worker's own pipeline in this process; what it may not decide (whether a file is a
picture at all) the same sniffer decides as at the door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated

import typer

from photoward.api.cli.extras import require_extra
from photoward.api.cli.files import folders, user_data
from photoward.api.cli.files.locations import Folder
from photoward.api.cli.files.names import MISNAMED
from photoward.api.cli.files.plan import Entry, plan
from photoward.core.catalogue import DEFAULT_METHOD, METADATA, METHODS, PRESETS, Catalogue
from photoward.core.errors import PhotowardError
from photoward.core.rights import CHOICES

if TYPE_CHECKING:
    from photoward.core.jobs import Options
    from photoward.core.settings import Settings
    from photoward.worker.pipeline import Protected

_METHODS = (
    f"{', '.join(name for name, method in METHODS.items() if not method.baseline)}; to compare "
    f"with: {', '.join(name for name, method in METHODS.items() if method.baseline)}. "
    f"{DEFAULT_METHOD} if nothing is said."
)


def protect(  # noqa: PLR0913  # one option each
    source: Annotated[Path, typer.Argument(help="A picture, or a folder of pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the protected files.")],
    *,
    label: Annotated[str | None, typer.Option(help="What the pictures show.")] = None,
    labels_from_folders: Annotated[
        bool, typer.Option("--labels-from-folders", help="A picture's folder is its label.")
    ] = False,
    method: Annotated[str | None, typer.Option(help=_METHODS)] = None,
    target: str | None = None,
    surrogate: str | None = None,
    networks: Annotated[
        str | None, typer.Option(help="Set of pretrained networks; `surrogate list` tells them.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help=f"{', '.join(PRESETS)}.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="Budget in 1/255.")] = None,
    output_format: Annotated[str | None, typer.Option(help="jpeg, png, webp or avif.")] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Longer sides in pixels, with commas: a file for each, shrunk before it is "
            "protected; of several, names end in the side."
        ),
    ] = None,
    shaping: Annotated[
        str | None, typer.Option(help="perceptual: less of the change where it would be seen.")
    ] = None,
    metadata: Annotated[
        str | None, typer.Option(help=f"What of EXIF to keep: {','.join(METADATA)}.")
    ] = None,
    data_mining: Annotated[
        str | None, typer.Option(help=f"What the files say: {', '.join(CHOICES)}.")
    ] = None,
    creator: Annotated[
        str | None, typer.Option(help="Who made the pictures that do not say so any more.")
    ] = None,
    credit: Annotated[str | None, typer.Option(help="Whom to credit, likewise.")] = None,
    rights: Annotated[str | None, typer.Option(help="The copyright notice, likewise.")] = None,
    licence_url: Annotated[
        str | None, typer.Option(help="Where the terms of use stand, likewise.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files in OUT.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Holds the secret.", show_default="the user's data folder"),
    ] = None,
) -> None:
    """Protect a file or a folder of pictures; folders are kept.

    A file keeps its name and its date, but for the suffix of another --output-format or of what it
    really is; a TIFF or GIF becomes a PNG, a HEIC a JPEG, if nothing else is said. Of two that
    would be called the same one gets a number. What is in OUT already is left as it is, so that an
    interrupted run can go on. Exit code 1: some file was refused, or could not be looked at.

    The secret is kept in one place for each user, or where --data-dir says.
    """
    require_extra("worker")
    settings = user_data.settings(data_dir)
    catalogue = Catalogue.of(settings)

    @cache
    def options(own_label: str | None) -> Options:
        return catalogue.options(
            label=own_label, method=method, target=target, surrogate=surrogate, preset=preset,
            networks=networks,
            epsilon=epsilon, output_format=output_format, sizes=sizes, shaping=shaping,
            metadata=metadata, data_mining=data_mining, creator=creator, credit=credit,
            rights=rights, licence_url=licence_url,
        )  # fmt: skip

    label_of = folders.labels(source, label, from_folders=labels_from_folders)
    if not labels_from_folders:
        options(label)  # what is wrong with it is wrong with the command
    found = folders.pictures(source, out)
    there = Folder(out)
    todo = plan(
        found.pictures, source, there, lambda path: options(label_of(path)), force=force
    )  # fmt: skip
    _refuse(found.passed | todo.refused)
    tally = Tally(set(todo.refused))
    if todo.entries:
        _run(settings, catalogue, todo.entries, there, tally)
    done = {entry.photo.source for entry in todo.entries} - tally.refused
    folders.conclude(
        protected=len(done), refused=len(tally.refused) + len(found.passed),
        there=len(found.pictures) - len(done) - len(tally.refused), others=found.others,
    )  # fmt: skip


def _refuse(why: Mapping[Path, object]) -> None:
    for path, reason in sorted(why.items()):
        folders.refuse(path, reason)


@dataclass
class Tally:
    """How photos end, told as they do; threads share it."""

    refused: set[Path]
    notes: folders.Notes = field(default_factory=folders.Notes)
    lock: Lock = field(default_factory=Lock)

    def end(self, entry: Entry, outcome: Protected | PhotowardError) -> None:
        """Take note of one."""
        with self.lock:
            if not isinstance(outcome, PhotowardError):
                self.notes.add(entry.photo.source, outcome.measured.get("notes", []))
                if entry.photo.misnamed:
                    self.notes.add(entry.photo.source, [MISNAMED])
            elif entry.photo.source not in self.refused:
                self.refused.add(entry.photo.source)
                folders.refuse(entry.photo.source, outcome)


def _run(
    settings: Settings, catalogue: Catalogue, entries: list[Entry], out: Folder, tally: Tally
) -> None:
    """Protect and write all of them."""
    from photoward.api.cli.files.batch_runner import Lanes  # noqa: PLC0415  # heavy
    from photoward.core.ledger import open_ledger  # noqa: PLC0415  # the same
    from photoward.worker.lifecycle import open_pipeline  # noqa: PLC0415  # the same

    secret = user_data.secret(settings)
    ledger = open_ledger(settings)  # keeps what labels are steered to
    pipeline, pool = open_pipeline(settings, ledger)
    with pool, folders.progress() as bar:
        task = bar.add_task("protect", total=len(entries))

        def ended(entry: Entry, outcome: Protected | PhotowardError) -> None:
            tally.end(entry, outcome)
            bar.advance(task)

        Lanes(pipeline, catalogue, settings, secret=secret, out=out, ended=ended).run(entries)
    pipeline.close()
    ledger.close()
    tally.notes.tell()
