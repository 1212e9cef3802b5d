"""``photoward protect``: files in, protected files out, without a server.

Runs the worker's own pipeline in this process; what it may not decide (whether a file is a
picture at all) the same sniffer decides as at the door.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from photoward.api.cli.environment import require_extra, settings_from
from photoward.core.catalogue import Catalogue, read_cards
from photoward.core.errors import BadInput, PhotowardError
from photoward.core.imaging.sniff import Limits, sniff
from photoward.core.keys import read_or_make_master, tenant_secret
from photoward.core.ledger import open_ledger

if TYPE_CHECKING:
    from photoward.core.jobs import Options
    from photoward.core.settings import Settings
    from photoward.worker.pipeline import Job, Pipeline, Protected

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif"})
TENANT = "default"
SUFFIX_OF = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/avif": ".avif"
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One file on its way: where from, where to, and what is wanted."""

    source: Path
    target: Path
    options: Options


def protect(  # noqa: PLR0913  # one option each
    source: Annotated[Path, typer.Argument(help="A picture, or a folder of pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the protected files.")],
    *,
    label: Annotated[str | None, typer.Option(help="What the pictures show.")] = None,
    labels_from_folders: Annotated[
        bool, typer.Option("--labels-from-folders", help="A picture's folder is its label.")
    ] = False,
    method: str | None = None,
    target: str | None = None,
    surrogate: str | None = None,
    preset: Annotated[str | None, typer.Option(help="subtle, standard or strong.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="Budget in 1/255.")] = None,
    output_format: Annotated[str | None, typer.Option(help="jpeg, png, webp or avif.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files in OUT.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Holds the secret.")] = None,
) -> None:
    """Protect a file or a folder of pictures; folders are kept."""
    require_extra("worker")
    settings = settings_from(data_dir=data_dir)
    cards = {name: card for name, (card, _) in read_cards(settings.surrogate_dirs).items()}
    catalogue = Catalogue(cards, settings.surrogate)

    def options(own: str | None) -> Options:
        return catalogue.options(
            label=own, method=method, target=target, surrogate=surrogate, preset=preset,
            epsilon=epsilon, output_format=output_format,
        )  # fmt: skip

    if labels_from_folders and (label is not None or not source.is_dir()):
        raise BadInput("invalid_option", "--labels-from-folders needs a folder and no --label.")
    files = list(_files(source))
    entries = [
        Entry(path, _target(source, path, out),
              options(path.parent.name if labels_from_folders else label))
        for path in files
    ]  # fmt: skip
    entries = [entry for entry in entries if force or not _present(entry)]
    refused = _run(settings, catalogue, entries, skipped=len(files) - len(entries))
    if refused:
        raise typer.Exit(1)


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    if not source.is_dir():
        raise BadInput("invalid_option", f"{source} is neither a file nor a folder.")
    found = sorted(p for p in source.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    if not found:
        raise BadInput("invalid_option", f"There is no picture in {source}.")
    yield from found


def _target(source: Path, path: Path, out: Path) -> Path:
    return out / (path.relative_to(source) if source.is_dir() else path.name)


def _present(entry: Entry) -> bool:
    """Whether an earlier run has finished this file, perhaps under another format's suffix."""
    return any(entry.target.with_suffix(s).exists() for s in (entry.target.suffix, *SUFFIXES))


def _run(settings: Settings, catalogue: Catalogue, entries: list[Entry], skipped: int) -> int:
    """Protect all entries; returns how many were refused."""
    from photoward.worker.lifecycle import open_pipeline  # noqa: PLC0415  # heavy

    ledger = open_ledger(settings)
    secret = tenant_secret(read_or_make_master(settings.master_secret), ledger.tenant_salt(TENANT))
    ledger.close()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    pipeline, pool = open_pipeline(settings)
    refused = 0
    with pool, Progress(*columns, console=console) as bar:
        task = bar.add_task("protect", total=len(entries))
        for batch in _batches(settings, catalogue, entries, secret):
            for entry, outcome in _outcomes(pipeline, batch):
                if isinstance(outcome, PhotowardError):
                    refused += 1
                    console.print(f"[red]✗[/] {entry.source}: {outcome}", highlight=False)
                bar.advance(task)
    pipeline.close()
    done = len(entries) - refused
    console.print(f"{done} protected, {refused} refused, {skipped} already there.")
    return refused


Batch: TypeAlias = "list[tuple[Entry, Job | PhotowardError]]"


def _batches(
    settings: Settings, catalogue: Catalogue, entries: list[Entry], secret: bytes
) -> Iterator[Batch]:
    """Group entries as a ledger's claim would: compatible, and not too much at once."""
    from photoward.worker.pipeline import Job  # noqa: PLC0415  # heavy

    open_batches: dict[str, Batch] = {}
    megapixels: dict[str, float] = {}
    limits = Limits(settings.max_megapixels, settings.max_side)
    for number, entry in enumerate(entries):
        try:
            data = entry.source.read_bytes()
            header = sniff(data, limits, complete=True)
        except OSError as error:
            yield [(entry, BadInput("corrupt", f"It cannot be read: {error}."))]
            continue
        except PhotowardError as error:
            yield [(entry, error)]
            continue
        if header is None:
            yield [(entry, BadInput("truncated", "The file ends within its header."))]
            continue
        key = catalogue.batch_key(entry.options, header.width, header.height)
        batch = open_batches.setdefault(key, [])
        size = header.width * header.height / 1e6
        if batch and (
            len(batch) >= settings.max_batch
            or megapixels[key] + size > settings.max_batch_megapixels
        ):
            yield open_batches.pop(key)
            batch = open_batches.setdefault(key, [])
            megapixels[key] = 0.0
        megapixels[key] = megapixels.get(key, 0.0) + size
        batch.append(
            (entry, Job(str(number), data, entry.options, secret, header.width, header.height))
        )
    yield from (batch for batch in open_batches.values() if batch)


def _outcomes(
    pipeline: Pipeline, batch: Batch
) -> Iterator[tuple[Entry, Protected | PhotowardError]]:
    from photoward.worker.pipeline import Job, Refused  # noqa: PLC0415  # heavy

    jobs = {job.id: entry for entry, job in batch if isinstance(job, Job)}
    for entry, job in batch:
        if isinstance(job, PhotowardError):
            yield entry, job
    ready = [job for _, job in batch if isinstance(job, Job)]
    for outcome in pipeline.protect(ready):
        entry = jobs[outcome.id]
        if isinstance(outcome, Refused):
            yield entry, outcome.error
        else:
            _write(entry, outcome)
            yield entry, outcome


def _write(entry: Entry, protected: Protected) -> None:
    """Appears whole or not at all; a changed format changes the suffix."""
    target = entry.target
    suffix = SUFFIX_OF[protected.media_type]
    same = {".jpg", ".jpeg"} if suffix == ".jpg" else {suffix}
    if target.suffix.lower() not in same:
        target = target.with_suffix(suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.part")
    draft.write_bytes(protected.data)
    draft.replace(target)
