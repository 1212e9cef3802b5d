"""Folders of pictures on the command line: what lies in them, with which label; what is told."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from photoward.api.cli.files.names import is_picture
from photoward.core.errors import BadInput, PhotowardError
from photoward.core.files import is_hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHOWN = 3
"""Files that are named beside a note that holds for many."""

_console = Console(stderr=True)


@dataclass
class Found:
    """What lies in a folder and those below it."""

    pictures: list[Path] = field(default_factory=list)
    """By their names' ends."""
    others: int = 0
    """Other files among them."""
    passed: dict[Path, str] = field(default_factory=dict)
    """What may be or hold a picture and could not be looked at, and why."""


def walk(folder: Path, without: Path | None = None) -> Iterator[tuple[Path, str | None]]:
    """Each file below a folder, and each thing that is passed over, with the reason.

    What is hidden, or is what servers keep beside photos, is left out; so is ``without``.
    """
    waiting = [folder]
    while waiting:
        at = waiting.pop()
        try:
            with os.scandir(at) as entries:
                found = [one for one in entries if not is_hidden(one.name)]
        except OSError as error:
            yield at, f"It cannot be looked into: {error.strerror}."
            continue
        for entry in found:
            path = Path(entry.path)
            if not entry.is_dir(follow_symlinks=False):
                why = _obstacle(path)
                if why is None or path.is_symlink() or is_picture(path.name):
                    yield path, why
            elif without is None or path.resolve() != without:
                waiting.append(path)


def _obstacle(path: Path) -> str | None:
    """Why something is no file; None: it is one."""
    try:
        if path.is_dir():
            return "It is a link to a folder, which is not followed: name that folder."
        path.stat()
        return None if path.is_file() else "It is no file."
    except OSError as error:
        return f"It cannot be read: {error.strerror}."


def pictures(source: Path, out: Path) -> Found:
    """The pictures by their names' ends, and what else lies among them.

    Raises:
        BadInput: there is none, or ``out`` is where they are.
    """
    folder = source if source.is_dir() else source.parent
    if out.resolve() == folder.resolve():
        raise BadInput("invalid_option", f"{out} contains the originals: choose another folder.")
    if source.is_file():
        return Found([source])
    if not source.is_dir():
        raise BadInput("invalid_option", f"{source} is neither a file nor a folder.")
    found = Found()
    for path, why in walk(source, out.resolve()):  # what was made is not made again
        if why is not None:
            found.passed[path] = why
        elif is_picture(path.name):
            found.pictures.append(path)
        else:
            found.others += 1
    found.pictures.sort()
    if not found.pictures and not found.passed:
        raise BadInput("invalid_option", f"{source} contains no photo.")
    return found


def spot(path: Path) -> Path:
    """Where a file's own entry lies, whatever links lead there."""
    return path.parent.resolve() / path.name


def labels(
    source: Path, label: str | None, *, from_folders: bool
) -> Callable[[Path], str | None]:  # fmt: skip
    """Each picture's label: its folder's name or one for all.

    Raises:
        BadInput: both are asked for, or there is no folder.
    """
    if from_folders and (label is not None or not source.is_dir()):
        raise BadInput("invalid_option", "--labels-from-folders needs a folder and no --label.")
    return lambda path: path.absolute().parent.name if from_folders else label


def progress(console: Console = _console) -> Progress:
    """A bar for each task: how many of how many, and how long still."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    return Progress(*columns, console=console)


def refuse(source: object, why: object) -> None:
    """Say why a file is refused."""
    told = why.detail if isinstance(why, PhotowardError) else why
    say(f"✗ {source}: {told}")


def say(text: str) -> None:
    """A line of what goes on; of names that are no text, or meant for a terminal, the codes."""
    shown = (one if one.isprintable() else repr(one)[1:-1] for one in text)
    _console.print("".join(shown), markup=False, highlight=False, soft_wrap=True)


class Notes:
    """What is to be said of files that went well: each sentence once."""

    def __init__(self) -> None:
        self._said: defaultdict[str, list[object]] = defaultdict(list)

    def add(self, source: object, notes: list[str]) -> None:
        """Take note of what a finished file says of itself."""
        for note in notes:
            self._said[note].append(source)

    def tell(self) -> None:
        """Say each sentence, and of which files it holds."""
        for note, sources in sorted(self._said.items()):
            named = ", ".join(map(str, sorted(sources, key=str)[:SHOWN]))
            more = len(sources) - SHOWN
            say(f"• {named}{f' and {more} more' if more > 0 else ''}: {note}")
        self._said.clear()


def conclude(*, protected: int, refused: int, there: int, others: int) -> None:
    """Say how it went; exit code 1 if some file was refused."""
    say(
        f"{protected} protected, {refused} refused, {there} already there, {others} of no "
        "supported kind."
    )
    if refused:
        raise typer.Exit(1)
