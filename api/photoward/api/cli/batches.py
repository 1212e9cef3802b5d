"""``photoward batches``: what a service has of one's batches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from photoward.api.cli import console
from photoward.api.cli.options import AsJson, ServiceUrl
from photoward.api.cli.service_calls import connected, follow, path_of, save
from photoward.core.errors import PhotowardError
from photoward.core.jobs import ImageState

app = typer.Typer(no_args_is_help=True)

BatchId = Annotated[str, typer.Argument(help="Id of the batch, as `batches list` prints it.")]
SUCCEEDED, FAILED = ImageState.SUCCEEDED.value, ImageState.FAILED.value
PARTIAL = "?0"
"""What the header Batch-Complete says of a batch whose images have not all ended."""


@app.command("list")
def list_batches(
    *,
    limit: Annotated[int, typer.Option(min=1, help="Most batches.")] = 20,
    as_json: AsJson = False,
    url: ServiceUrl = None,
) -> None:
    """List batches, newest first."""
    with connected(url) as client:
        found = client.items("/v1/batches", limit)
        if as_json:
            for batch in found:
                console.print_json(batch)
            return
        rows = [_row(batch) for batch in found]
    heads = ("id", "name", "state", "photos", "succeeded", "failed", "refused", "created (UTC)")
    console.print_table(heads, rows)


@app.command()
def get(batch_id: BatchId, *, as_json: AsJson = False, url: ServiceUrl = None) -> None:
    """Print how a batch stands; `images list --batch ID` lists its images."""
    path = path_of("batches", batch_id)
    with connected(url) as client:
        _show(client.get(path), as_json=as_json)


@app.command()
def watch(batch_id: BatchId, *, as_json: AsJson = False, url: ServiceUrl = None) -> None:
    """Wait until all images of a batch have ended, and show the time left.

    With --json each change is printed. Exit code 1: an image did not succeed, or a photo was
    refused.
    """
    paths = {batch_id: path_of("batches", batch_id)}
    last: dict[str, Any] = {}
    with connected(url) as client, console.stages() as display:
        task = display.add_task(batch_id, total=None, state="")

        def show(_: str, batch: dict[str, Any]) -> bool:
            if as_json and batch != last:
                console.print_json(batch)
            last.clear()
            last.update(batch)
            total, ended = batch["total"], batch["ended"]
            display.update(task, total=total, completed=ended, state=_standing(batch))
            return bool(ended == total)

        found = follow(client, paths, show)[batch_id]
    if isinstance(found, PhotowardError):
        raise found
    if not as_json:
        _show(found, as_json=False)
    if found["refused"] or found["counts"].get(SUCCEEDED, 0) < found["total"]:
        raise typer.Exit(1)


@app.command()
def download(
    batch_id: BatchId,
    out: Annotated[Path, typer.Argument(help="Zip file to write.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    url: ServiceUrl = None,
) -> None:
    """Download the protected photos of a batch as one zip, with results.ndjson in it."""
    path = path_of("batches", batch_id)
    with connected(url) as client:
        headers = save(client, f"{path}/archive", out, replace=force)
    console.print_line(f"Written: {out}.")
    if headers.get("Batch-Complete") == PARTIAL:
        console.print_line("Not all images have ended: download it again later for the others.")


@app.command()
def close(batch_id: BatchId, *, as_json: AsJson = False, url: ServiceUrl = None) -> None:
    """Let a batch take no more photos."""
    _act(batch_id, "close", url, as_json=as_json)


@app.command()
def cancel(
    batch_id: BatchId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    url: ServiceUrl = None,
) -> None:
    """Cancel the images of a batch that have not ended; those that have succeeded stay."""
    if not yes:
        named = console.printable(batch_id)
        typer.confirm(f"Cancel what has not ended of batch {named}?", abort=True)
    _act(batch_id, "cancel", url, as_json=as_json)


@app.command()
def retry(batch_id: BatchId, *, as_json: AsJson = False, url: ServiceUrl = None) -> None:
    """Try images again that failed through a fault of the service, within a day."""
    _act(batch_id, "retry", url, as_json=as_json)


def _act(batch_id: str, action: str, url: str | None, *, as_json: bool) -> None:
    path = path_of("batches", batch_id)
    with connected(url) as client:
        _show(client.post(f"{path}/{action}"), as_json=as_json)


def _show(batch: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.print_json(batch)
        return
    facts = {
        "id": batch["id"],
        "name": batch["name"],
        "state": batch["state"],
        "photos": str(batch["total"]),
        **{name: str(count) for name, count in batch["counts"].items()},
        "refused": batch["refused"],
        "time left": _time_left(batch),
        "reference": batch["reference"],
        "created (UTC)": console.moment(batch["created_at"]),
    }
    console.print_table((), [(name, fact) for name, fact in facts.items() if fact])


def _row(batch: dict[str, Any]) -> tuple[object, ...]:
    counts = batch["counts"]
    return (
        batch["id"],
        batch["name"],
        batch["state"],
        batch["total"],
        counts.get(SUCCEEDED, 0),
        counts.get(FAILED, 0),
        batch["refused"],
        console.moment(batch["created_at"]),
    )


def _standing(batch: dict[str, Any]) -> str:
    left = _time_left(batch)
    return f"{batch['ended']} of {batch['total']}{f', {left} left' if left else ''}"


def _time_left(batch: dict[str, Any]) -> str:
    seconds = batch["eta_s"]
    if not seconds:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
