"""A list of labelled files in place of class folders: CSV or JSON lines with path and label."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMS = 'lines of path,label (.csv) or of {"path": …, "label": …} (.jsonl)'


def read_manifest(manifest: Path) -> list[tuple[Path, str]]:
    """The files and their labels, in the manifest's order.

    Paths are relative to the manifest's folder. A CSV may begin with the line ``path,label``.

    Raises:
        BadInput: it cannot be read, a line lacks one of the two, or a file is not there; the
            sentence names the line.
    """
    read = {".csv": _csv, ".jsonl": _json_lines}.get(manifest.suffix.lower())
    if read is None:
        raise BadInput("invalid_option", f"{manifest} is no manifest: write {FORMS}.")
    found: dict[Path, str] = {}
    try:
        for number, (path, label) in read(manifest):
            file = manifest.parent / path
            if not path or not label or not file.is_file():
                fault = f"names no file ({path!r})" if label else "has no label"
                raise BadInput("invalid_option", f"Line {number} of {manifest} {fault}.")
            if file in found:
                raise BadInput("invalid_option", f"Line {number} of {manifest} names {path} again.")
            found[file] = label
    except (OSError, ValueError, TypeError, csv.Error) as error:
        detail = f"{manifest} cannot be read as {FORMS}: {error}."
        raise BadInput("invalid_option", detail) from error
    return list(found.items())


def _csv(manifest: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    with manifest.open(newline="", encoding="utf-8-sig") as lines:
        for number, row in enumerate(csv.reader(lines), 1):
            if row and (number > 1 or row[:2] != ["path", "label"]):
                yield number, (row[0].strip(), row[1].strip() if len(row) > 1 else "")


def _json_lines(manifest: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    for number, line in enumerate(manifest.read_text().splitlines(), 1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                message = f"line {number} is no object"
                raise ValueError(message)
            yield number, (str(row.get("path", "")), str(row.get("label", "")))
