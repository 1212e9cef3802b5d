"""``photoward protect``: files in, protected files out, without a server.

Runs the worker's own pipeline in this process; what it may not decide (whether a file is a
picture at all) the same sniffer decides as at the door.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from photoward.api.cli import folders
from photoward.api.cli.environment import require_extra, settings_from
from photoward.core import rights
from photoward.core.access import DEFAULT_TENANT
from photoward.core.catalogue import DEFAULT_METHOD, METADATA, METHODS, PRESETS, Catalogue
from photoward.core.errors import BadInput, PhotowardError
from photoward.core.files import write_whole
from photoward.core.imaging.sniff import Limits, sniff
from photoward.core.keys import read_or_make_master, tenant_secret
from photoward.core.ledger import open_ledger

if TYPE_CHECKING:
    from photoward.core.jobs import Options
    from photoward.core.settings import Settings
    from photoward.worker.pipeline import Job, Pipeline, Protected

_METHODS = (
    f"{', '.join(name for name, method in METHODS.items() if not method.baseline)}; to compare "
    f"with: {', '.join(name for name, method in METHODS.items() if method.baseline)}. "
    f"{DEFAULT_METHOD} if nothing is said."
)


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
    method: Annotated[str | None, typer.Option(help=_METHODS)] = None,
    target: str | None = None,
    surrogate: str | None = None,
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
        str | None, typer.Option(help=f"What the files say: {', '.join(rights.CHOICES)}.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files in OUT.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Holds the secret.")] = None,
) -> None:
    """Protect a file or a folder of pictures; folders are kept.

    A file keeps its name, but for the suffix of another --output-format; a TIFF or GIF becomes a
    PNG, a HEIC a JPEG, if nothing else is said. What is in OUT already is
    left as it is, so that an interrupted run can go on. Exit code 1: some file was refused.
    """
    require_extra("worker")
    settings = settings_from(data_dir=data_dir)
    catalogue = Catalogue.of(settings)

    def options(own: str | None) -> Options:
        return catalogue.options(
            label=own, method=method, target=target, surrogate=surrogate, preset=preset,
            epsilon=epsilon, output_format=output_format, sizes=sizes, shaping=shaping,
            metadata=metadata, data_mining=data_mining,
        )  # fmt: skip

    label_of = folders.labels(source, label, from_folders=labels_from_folders)
    files, others = folders.pictures(source, out)
    entries = [
        entry for path in files
        for entry in _renditions(
            Entry(path, folders.target_of(source, path, out, output_format),
                  options(label_of(path)))
        )
    ]  # fmt: skip
    twice = {path for path, count in Counter(e.target for e in entries).items() if count > 1}
    left = [e for e in entries if force or e.target in twice or not e.target.exists()]
    refused = _run(settings, catalogue, left, twice)
    folders.conclude(
        protected=len(left) - refused, refused=refused, there=len(files) - len(left), others=others
    )  # fmt: skip


def _renditions(entry: Entry) -> Iterator[Entry]:
    """One entry for each size that is wanted, each with a name of its own."""
    sides = entry.options.sizes
    if len(sides) < 2:  # noqa: PLR2004  # one needs no number in its name
        yield entry
        return
    for side in sides:
        target = entry.target.with_stem(f"{entry.target.stem}-{side}")
        yield replace(entry, target=target, options=replace(entry.options, sizes=(side,)))


def _run(
    settings: Settings, catalogue: Catalogue, entries: list[Entry], twice: Collection[Path]
) -> int:
    """Protect all entries but those of equal targets; returns how many were refused."""
    from photoward.worker.lifecycle import open_pipeline  # noqa: PLC0415  # heavy

    ledger = open_ledger(settings)
    secret = tenant_secret(
        read_or_make_master(settings.master_secret), ledger.tenant_salt(DEFAULT_TENANT)
    )
    ledger.close()
    pipeline, pool = open_pipeline(settings)
    refused = 0
    with pool, folders.progress() as bar:
        task = bar.add_task("protect", total=len(entries))
        batches = _batches(settings, catalogue, entries, twice, secret)
        for outcomes in _two_at_a_time(lambda batch: list(_outcomes(pipeline, batch)), batches):
            for entry, outcome in outcomes:
                if isinstance(outcome, PhotowardError):
                    refused += 1
                    folders.refuse(entry.source, outcome)
                bar.advance(task)
    pipeline.close()
    return refused


Outcome: TypeAlias = "tuple[Entry, Protected | PhotowardError]"
Batch: TypeAlias = "list[tuple[Entry, Job | PhotowardError]]"


def _batches(
    settings: Settings,
    catalogue: Catalogue,
    entries: list[Entry],
    twice: Collection[Path],
    secret: bytes,
) -> Iterator[Batch]:
    """Group entries as a ledger's claim would: compatible, and not too much at once."""
    from photoward.worker.pipeline import Job  # noqa: PLC0415  # heavy

    open_batches: dict[str, Batch] = {}
    megapixels: dict[str, float] = {}
    limits = Limits(settings.max_megapixels, settings.max_side)
    for number, entry in enumerate(entries):
        if entry.target in twice:
            yield [(entry, BadInput("invalid_option", f"Others become {entry.target}, too."))]
            continue
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
        options, key = catalogue.placed(entry.options, header.width, header.height)
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
        (leaving,) = options.leaving(header.width, header.height)
        batch.append((entry, Job(str(number), data, options, secret, *leaving)))
    yield from (batch for batch in open_batches.values() if batch)


def _two_at_a_time(
    work: Callable[[Batch], list[Outcome]], batches: Iterable[Batch]
) -> Iterator[list[Outcome]]:
    """Decode and encode one batch while the noise of the other is made."""
    pending: deque[Future[list[Outcome]]] = deque()
    with ThreadPoolExecutor(2, "lane") as lanes:
        for batch in batches:
            pending.append(lanes.submit(work, batch))
            if len(pending) > 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _outcomes(pipeline: Pipeline, batch: Batch) -> Iterator[Outcome]:
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
            write_whole(entry.target, outcome.data)
            yield entry, outcome
