"""What commands print on the terminal: progress, refusals, notes, totals."""

from __future__ import annotations

from collections import defaultdict

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from photoward.core.errors import PhotowardError

SHOWN = 3
"""Most files that are named beside a note about many."""

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


def print_refusal(source: object, why: object) -> None:
    """Print why a file is refused."""
    reason = why.detail if isinstance(why, PhotowardError) else why
    print_line(f"✗ {source}: {reason}")


def print_line(text: str) -> None:
    """Print a line on standard error; characters that are not printable are escaped."""
    shown = (one if one.isprintable() else repr(one)[1:-1] for one in text)
    _console.print("".join(shown), markup=False, highlight=False, soft_wrap=True)


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
