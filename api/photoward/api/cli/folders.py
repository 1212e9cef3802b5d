"""Folders of pictures on the command line: which, where to, with which label; what is told."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from photoward.core.errors import BadInput
from photoward.core.imaging.header import READ_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SUFFIX_OF = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif"}
READ_ONLY_SUFFIXES = {
    ".gif": "gif", ".tif": "tiff", ".tiff": "tiff", ".heic": "heic", ".heif": "heic", ".hif": "heic"
}  # fmt: skip
SUFFIXES = frozenset({*SUFFIX_OF.values(), ".jpeg", *READ_ONLY_SUFFIXES})

_console = Console(stderr=True)


def files(folder: Path) -> Iterator[Path]:
    """What lies in a folder and those below it; what begins with a dot is hidden."""
    return (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def is_picture(name: PurePath) -> bool:
    """Whether the suffix says so."""
    return name.suffix.lower() in SUFFIXES


def pictures(source: Path, out: Path) -> tuple[list[Path], int]:
    """The pictures by their suffix, and how many other files lie among them."""
    folder = source if source.is_dir() else source.parent
    if out.resolve() == folder.resolve():
        raise BadInput("invalid_option", f"{out} holds the originals: choose another folder.")
    if source.is_file():
        return [source], 0
    if not source.is_dir():
        raise BadInput("invalid_option", f"{source} is neither a file nor a folder.")
    own = out.resolve()  # may lie in the source: what was made is not made again
    found = sorted(path for path in files(source) if own not in path.resolve().parents)
    pictures = [path for path in found if is_picture(path)]
    if not pictures:
        raise BadInput("invalid_option", f"There is no picture in {source}.")
    return pictures, len(found) - len(pictures)


def target_of(source: Path, path: Path, out: Path, output_format: str | None) -> Path:
    """Where a picture's protected file goes: folders are kept, the suffix tells the format."""
    name = path.relative_to(source) if source.is_dir() else PurePath(path.name)
    return out / target_name(name, output_format)


def target_name(name: PurePath, output_format: str | None) -> PurePath:
    """A protected file's name beside the other protected files."""
    own = name.suffix.lower()
    written = output_format or READ_ONLY.get(READ_ONLY_SUFFIXES.get(own, ""), "")
    suffix = SUFFIX_OF.get(written, name.suffix)
    same = {".jpg", ".jpeg"} if suffix == ".jpg" else {suffix}
    return name if own in same else name.with_suffix(suffix)


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
    _console.print("✗", f"{source}: {why}", markup=False, soft_wrap=True)


def say(text: str) -> None:
    """A line of what goes on."""
    _console.print(text, markup=False, soft_wrap=True)


def conclude(*, protected: int, refused: int, there: int, others: int) -> None:
    """Say how it went; exit code 1 if some file was refused."""
    _console.print(
        f"{protected} protected, {refused} refused, {there} already there, {others} of no "
        "supported kind."
    )
    if refused:
        raise typer.Exit(1)
