"""What protected files are called: as their photos, fitly ended, and never as another's.

Names are relative, with ``/``; knows no folders and no buckets.
"""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import unicodedata
from typing import TYPE_CHECKING

from photoward.core.imaging.header import READ_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SUFFIXES = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"),
    "png": (".png", ".apng"),
    "webp": (".webp",),
    "avif": (".avif",),
    "gif": (".gif",),
    "tiff": (".tif", ".tiff"),
    "heic": (".heic", ".heif", ".hif"),
}
"""Format → what its files' names end in; what is written gets the first."""

FORMAT_OF = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}

MISNAMED = "It is not what its name says; its protected file is called by what it is."


def is_picture(name: str) -> bool:
    """Whether its end says so."""
    return _ending(name) in FORMAT_OF


def misnamed(name: str, kind: str | None) -> bool:
    """Whether a name says that a file of this kind is of another one."""
    return kind is not None and FORMAT_OF.get(_ending(name), kind) != kind


def output_name(name: str, kind: str | None, output_format: str | None) -> str:
    """What a photo's protected file is called, whether others are called so or not.

    Args:
        name: of the photo.
        kind: the format of what is in it; None: nobody has looked, and its name says it.
        output_format: in which it shall leave; None: its own, or what stands for that.
    """
    own = FORMAT_OF.get(_ending(name))
    read = kind or own or ""
    written = output_format or READ_ONLY.get(read, read)
    if written in ("", own) or (own is None and output_format is None):
        return name
    return posixpath.splitext(name)[0] + SUFFIXES[written][0]


def assign_targets(
    wanted: Mapping[str, str],
    owner: Callable[[str], str | None],
    files: Callable[[str], tuple[str, ...]] = lambda name: (name,),
) -> dict[str, str]:
    """A target for each photo: what it wants, or with a number where that is another's.

    Who keeps the own name goes first, so that nobody loses it to a photo of another format.

    Args:
        wanted: photo → target.
        owner: of which photo (its ``digest``) a file was made that is there; None: not known.
        files: what is written under a target.

    Returns:
        Photo → target. No two write one file, be capitals told apart there or not.
    """
    held: dict[str, str] = {}
    found: dict[str, str] = {}
    for photo in sorted(wanted, key=lambda name: (wanted[name] != name, name)):
        own = digest(photo)
        for target in numbered_names(wanted[photo]):
            written = files(target)
            holders = {held.get(fold_case(one)) or owner(one) for one in written}
            if holders <= {None, own}:
                break
        found[photo] = target
        held.update(dict.fromkeys(map(fold_case, written), own))
    return found


def numbered_names(name: str) -> Iterator[str]:
    """The name, then with ``-2``, ``-3`` … before its end, as archives of the service have it."""
    yield name
    stem, ending = posixpath.splitext(name)
    yield from (f"{stem}-{number}{ending}" for number in itertools.count(2))


def fold_case(name: str) -> str:
    """The same for names that some file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def digest(photo: str) -> str:
    """What stands for a photo's name where none may be written."""
    return hashlib.sha256(photo.encode(errors="surrogateescape")).hexdigest()[:32]


def _ending(name: str) -> str:
    return posixpath.splitext(name)[1].lower()
