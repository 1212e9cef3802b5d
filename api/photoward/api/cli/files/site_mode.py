"""``photoward protect --in-place`` and ``--copy-rest``: sites, as work for the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from photoward.api.cli import console
from photoward.api.cli.files import user_data
from photoward.api.cli.files.names import digest
from photoward.api.cli.files.site import Kept, Selection, Site, undo
from photoward.api.cli.service.programs import only_one
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from photoward.api.cli.files.batch_runner import Writer
    from photoward.api.cli.files.plan import PlannedFile
    from photoward.core.jobs import Options


@dataclass
class Work:
    """What is to be done for one source, and what was found beside it."""

    entries: list[PlannedFile]
    out: Writer
    refused: dict[Path, object] = field(default_factory=dict)
    """File → reason."""
    existing: int = 0
    restored: int = 0
    own: int = 0
    """Files that are outputs of which nothing is kept."""
    others: int = 0


def prepare(  # noqa: PLR0913, PLR0917  # what a site and its run are
    closing: ExitStack,
    source: Path,
    out: Path,
    selection: Selection,
    originals: Path | None,
    options_of: Callable[[Path], Options],
) -> Work:
    """The work on a site; its kept files are locked until ``closing`` ends.

    Raises:
        BadInput: an option is not valid.
        Unavailable: another run works on the site, or a folder cannot be written.
    """
    site = Site(source, out, _kept(closing, source, out, originals), selection)
    plan = site.plan(options_of)
    if site.in_place:
        console.print_line(f"Originals and manifest are in {site.kept.folder}.")
    counts = plan.counts
    return Work(
        plan.entries,
        site,
        plan.refused,
        existing=counts["existing"] + counts["restored"],
        restored=counts["restored"],
        own=counts["own"],
        others=counts["left"] + counts["others"],
    )


def undo_all(sources: list[Path], originals: Path | None) -> None:
    """Put the originals of sites back. Raises typer.Exit with code 1: a file was left."""
    from contextlib import ExitStack

    refused = 0
    for source in sources:
        with ExitStack() as closing:
            kept = _kept(closing, source, source, originals)
            if not kept.rows:
                raise BadInput(
                    "invalid_option",
                    f"Nothing of {source} is kept in {kept.folder}: nothing to undo.",
                )
            done = undo(source, kept)
        for path, why in sorted(done.refused.items()):
            console.print_refusal(path, why)
        console.print_line(
            f"{done.restored} originals put back, {done.unchanged} unchanged, "
            f"{len(done.refused)} left. {kept.folder} can be deleted when all is well."
        )
        refused += len(done.refused)
    if refused:
        raise typer.Exit(1)


def _kept(closing: ExitStack, source: Path, out: Path, originals: Path | None) -> Kept:
    key = digest(str(source.resolve()) + "\0" + str(out.resolve()))
    folder = (originals or user_data.folder() / "sites") / key
    for public in (source, out):
        if folder.resolve().is_relative_to(public.resolve()):
            raise BadInput(
                "invalid_option",
                f"{folder} lies in the site, where everybody sees the originals: "
                "--originals names another folder.",
            )
    closing.enter_context(only_one(folder, "photoward protect", "site"))
    return Kept(folder)
