"""What commands print on the terminal: progress, refusals, notes, totals."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from photoward.core.errors import PhotowardError

SHOWN = 3
"""Most files that are named beside a note about many."""

UNWRAPPED = 1000
"""Columns and lines of what goes into a file or to another program."""

_console = Console(stderr=True)


def progress(console: Console = _console) -> Progress:
    """A progress display with a bar, a count and the remaining time for each task."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


def stages(console: Console = _console) -> Progress:
    """A progress display with a bar and, in the field ``state``, a text for each task."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[state]}", markup=False),
        console=console,
    )


def print_refusal(source: object, why: object) -> None:
    """Print why a file is refused."""
    reason = why.detail if isinstance(why, PhotowardError) else why
    print_line(f"✗ {source}: {reason}")


def print_line(text: str) -> None:
    """Print a line on standard error; characters that are not printable are escaped."""
    _console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    """The text with characters that are not printable escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on standard output; where that is no terminal, nothing is cut or wrapped.

    Args:
        heads: of the columns; none: the first column has the names of the rows.
        rows: of cells; None is shown as a dash.
    """
    size = None if sys.stdout.isatty() else UNWRAPPED
    table = Table(*heads, show_header=bool(heads), box=None, pad_edge=False)
    if heads:
        table.columns[0].no_wrap = True  # an id is copied
    for row in rows:
        table.add_row(*("–" if cell is None else Text(printable(str(cell))) for cell in row))
    Console(width=size, height=size).print(table)


def print_json(value: object) -> None:
    """Print a line of JSON on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def moment(text: str | None) -> str | None:
    """A time of the API for people: UTC, to the minute."""
    return text and f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"


class Notes:
    """Notes about files that were protected; each sentence is printed once."""

    def __init__(self) -> None:
        self._said: defaultdict[str, list[object]] = defaultdict(list)

    def add(self, source: object, notes: list[str]) -> None:
        """Add the notes of a finished file."""
        for note in notes:
            self._said[note].append(source)

    def print(self) -> None:
        """Print each sentence with the files that it is about, and forget it."""
        for note, sources in sorted(self._said.items()):
            named = ", ".join(map(str, sorted(sources, key=str)[:SHOWN]))
            more = len(sources) - SHOWN
            print_line(f"• {named}{f' and {more} more' if more > 0 else ''}: {note}")
        self._said.clear()


def print_summary(
    *, protected: int, refused: int, existing: int, others: int, own: int = 0
) -> None:
    """Print the totals. Raises typer.Exit with code 1 if a file was refused.

    Args:
        protected: photos that were protected now.
        refused: photos that were not.
        existing: photos whose output was there.
        others: files that are no photos.
        own: photos that were outputs themselves, and were left as they are.
    """
    left = f"{own} protected before, " if own else ""
    print_line(
        f"{protected} protected, {left}{refused} refused, {existing} already there, {others} of no "
        "supported kind."
    )
    if refused:
        raise typer.Exit(1)
