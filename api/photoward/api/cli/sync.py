"""``photoward sync``: a folder through a running service into another folder, as one batch.

What is in the other folder already is left as it is, so an interrupted run goes on where it stood.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from photoward.api.cli import folders
from photoward.api.cli.client import Client, Refusal
from photoward.core.catalogue import PRESETS
from photoward.core.errors import BadInput, Unavailable
from photoward.core.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

THREADS = 4
PATIENCE_S = 120.0
"""How long a service that is away or full is waited for, a file."""

Found = TypeVar("Found")

BUSY = frozenset({429, 503})


@dataclass(frozen=True)
class _File:
    source: Path
    target: Path
    label: str | None


def sync(  # noqa: PLR0913  # one option each
    source: Annotated[Path, typer.Argument(help="A folder of pictures.")],
    out: Annotated[Path, typer.Argument(help="Folder for the protected files.")],
    *,
    url: Annotated[str, typer.Option(help="Of the service.")] = "http://127.0.0.1:8080",
    label: Annotated[str | None, typer.Option(help="What the pictures show.")] = None,
    labels_from_folders: Annotated[
        bool, typer.Option("--labels-from-folders", help="A picture's folder is its label.")
    ] = False,
    method: str | None = None,
    preset: Annotated[str | None, typer.Option(help=f"{', '.join(PRESETS)}.")] = None,
    shaping: str | None = None,
    output_format: Annotated[str | None, typer.Option(help="jpeg, png, webp or avif.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the photos in the service.")] = False,
) -> None:
    """Send a folder's pictures to a service and write what comes back into another.

    An API key is taken from PHOTOWARD_API_KEY. Exit code 1: some file was refused.
    """
    if not source.is_dir():
        raise BadInput("invalid_option", f"{source} is not a folder.")
    label_of = folders.labels(source, label, from_folders=labels_from_folders)
    found, others = folders.pictures(source, out)
    files = [
        _File(path, folders.target_of(source, path, out, output_format), label_of(path))
        for path in found
    ]
    left = [file for file in files if not file.target.exists()]
    options = {"method": method, "preset": preset, "shaping": shaping,
               "output_format": output_format}  # fmt: skip
    refused = _run(url, left, options, keep=keep) if left else 0
    folders.conclude(
        protected=len(left) - refused, refused=refused, there=len(files) - len(left), others=others
    )  # fmt: skip


def _run(url: str, files: Sequence[_File], options: dict[str, Any], *, keep: bool) -> int:
    """Send all, then fetch all, several at a time; how many were refused."""
    asked = {name: value for name, value in options.items() if value is not None}
    try:
        with Client(url) as client:
            batch = client.make_batch(f"sync of {len(files)}", asked)
    except Refusal as refusal:
        raise BadInput("invalid_option", str(refusal.problem.get("detail"))) from None
    refused = 0
    with folders.progress() as bar, ThreadPoolExecutor(THREADS) as threads:
        sent, fetched = (bar.add_task(what, total=len(files)) for what in ("send", "fetch"))

        def send(file: _File) -> str | Refusal:
            try:
                return _patiently(url, lambda client: _sent(client, file, batch))
            except Refusal as refusal:
                return refusal
            finally:
                bar.advance(sent)

        def fetch(pair: tuple[_File, str | Refusal]) -> str | None:
            file, answer = pair
            try:
                if isinstance(answer, Refusal):
                    return str(answer.problem.get("detail"))
                return _fetched(url, file, answer, keep=keep)
            finally:
                bar.advance(fetched)

        answers = list(threads.map(send, files))
        pairs = zip(files, answers, strict=True)
        for file, why in zip(files, threads.map(fetch, pairs), strict=True):
            if why is not None:
                refused += 1
                folders.refuse(file.source, why)
    return refused


def _sent(client: Client, file: _File, batch: str) -> str:
    data = file.source.read_bytes()
    item = client.submit(
        data, "application/octet-stream", name=file.source.name, label=file.label, batch=batch
    )
    return str(item["id"])


def _fetched(url: str, file: _File, item_id: str, *, keep: bool) -> str | None:
    """Write the finished file; else why there is none."""
    item = _patiently(url, lambda client: client.ended(item_id, float("inf")))
    if item["state"] != "done":
        return str((item["error"] or {}).get("detail") or f"It ended {item['state']}.")
    write_whole(file.target, _patiently(url, lambda client: client.content(item_id)))
    if not keep:
        _patiently(url, lambda client: client.delete(item_id))
    return None


def _patiently(url: str, ask: Callable[[Client], Found]) -> Found:
    """Ask again while the service is away or full."""
    until = time.monotonic() + PATIENCE_S
    pause = 0.2
    while True:
        try:
            with Client(url) as client:
                return ask(client)
        except (Unavailable, Refusal) as error:
            busy = isinstance(error, Unavailable) or error.status in BUSY
            if not busy or time.monotonic() > until:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 5.0)
