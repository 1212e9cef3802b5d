"""``photoward verify``: whether files were protected by a service, and what is left of that."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from photoward.api.cli import console
from photoward.api.cli.client import Refusal
from photoward.api.cli.files.folders import walk
from photoward.api.cli.files.names import is_picture
from photoward.api.cli.options import AsJson, ServiceUrl
from photoward.api.cli.service_calls import connected, refused
from photoward.core.errors import BadInput, PhotowardError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from photoward.api.cli.client import Client

PROTECTED = frozenset({"exact", "copy"})
"""Verdicts of files that are protected as they are."""

TRIES = 5
"""Of a file, while the service says that there are too many."""
PAUSE_S = 15.0


def verify(
    sources: Annotated[
        list[Path], typer.Argument(metavar="FILE|DIR...", help="Files, or folders of photos.")
    ],
    *,
    as_json: AsJson = False,
    url: ServiceUrl = None,
) -> None:
    """Print whether files were protected by a service, and how much of the noise is left in them.

    Exit code 0: all are protected files or copies with their noise; 1: some are not, or could not
    be verified; 2: wrong usage.
    """
    fine = True
    rows = []
    with connected(url) as client:
        for path, why in _files(sources):
            try:
                found = _verified(client, path, why)
            except (BadInput, Refusal, OSError) as error:
                fine = False
                _tell_refusal(path, error, as_json=as_json)
                continue
            fine &= found["verdict"] in PROTECTED
            if as_json:
                console.print_json({"file": str(path), **found})
            else:
                rows.append(_row(path, found))
    if not as_json:
        console.print_table(("file", "verdict", "noise left", "protected (UTC)", "method"), rows)
    if not fine:
        raise typer.Exit(1)


def _files(sources: Sequence[Path]) -> Iterator[tuple[Path, str | None]]:
    """Each file, with the reason if it cannot be read. Raises BadInput: there is none."""
    found: list[tuple[Path, str | None]] = []
    for source in sources:
        if source.is_dir():
            below = [one for one in walk(source) if one[1] or is_picture(one[0].name)]
            found += sorted(below, key=lambda one: one[0])
        elif source.exists():
            found.append((source, None))
        else:
            raise BadInput("invalid_option", f"{source} does not exist.")
    if not found:
        raise BadInput("invalid_option", f"{sources[0]} contains no photo.")
    yield from found


def _verified(client: Client, path: Path, why: str | None) -> dict[str, Any]:
    """What the service says of a file.

    Raises:
        BadInput: ``why`` it cannot be read.
        OSError: it cannot be read after all.
        Refusal: the service refuses it.
    """
    if why is not None:
        raise BadInput("invalid_option", why)
    data = path.read_bytes()
    for left in reversed(range(TRIES)):
        try:
            return client.verify(data)
        except Refusal as refusal:
            if refusal.problem.get("code") != "rate_limited" or not left:
                raise
            time.sleep(PAUSE_S)
    raise AssertionError


def _tell_refusal(path: Path, error: PhotowardError | Refusal | OSError, *, as_json: bool) -> None:
    if isinstance(error, Refusal):
        error = refused(error)
    said = error.detail if isinstance(error, PhotowardError) else error.strerror
    code = error.code if isinstance(error, PhotowardError) else "unreadable"
    if as_json:
        console.print_json({"file": str(path), "error": {"code": code, "detail": said}})
    else:
        console.print_refusal(path, said)


def _row(path: Path, found: dict[str, Any]) -> tuple[object, ...]:
    match, protection = found["match"] or {}, found["protection"] or {}
    share = match.get("noise_share")
    noise = "" if share is None else f"{share:.0%}"
    words = found["verdict"].replace("_", " ")
    return (
        path, words, noise, console.moment(protection.get("protected_at")) or "",
        protection.get("method") or "",
    )  # fmt: skip
