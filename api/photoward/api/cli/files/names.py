"""Names of outputs: the photo's name, with the suffix of its format, unique in the location.

Names are relative, with ``/``.
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
"""Format → suffixes of its files; outputs get the first."""

FORMAT_OF = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}

MISNAMED = "Its suffix is that of another format; the protected file has the right one."


def is_picture(name: str) -> bool:
    """Whether the suffix is a photo's."""
    return _ending(name) in FORMAT_OF


def misnamed(name: str, kind: str | None) -> bool:
    """Whether the suffix is that of another format than ``kind``."""
    return kind is not None and FORMAT_OF.get(_ending(name), kind) != kind


def output_name(name: str, kind: str | None, output_format: str | None) -> str:
    """The name of a photo's output, before it is made unique.

    Args:
        name: name of the photo.
        kind: format of its content; None: not known, its suffix says it.
        output_format: format of the output; None: the photo's, or the one that replaces it.
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
    """A unique output name for each photo: the wanted one, or one with a number.

    Photos whose output has their own name come first.

    Args:
        wanted: photo → wanted output name.
        owner: existing output → ``digest`` of the photo that it was made of; None: not known.
        files: output name → names of the files that are written.

    Returns:
        Photo → output name. No two photos write one file, even where case is ignored.
    """
    taken: dict[str, str] = {}
    found: dict[str, str] = {}
    for photo in sorted(wanted, key=lambda name: (wanted[name] != name, name)):
        own = digest(photo)
        for target in numbered_names(wanted[photo]):
            written = files(target)
            holders = {taken.get(fold_case(one)) or owner(one) for one in written}
            if holders <= {None, own}:
                break
        found[photo] = target
        taken.update(dict.fromkeys(map(fold_case, written), own))
    return found


def numbered_names(name: str) -> Iterator[str]:
    """The name, then the name with ``-2``, ``-3`` … before its suffix."""
    yield name
    stem, ending = posixpath.splitext(name)
    yield from (f"{stem}-{number}{ending}" for number in itertools.count(2))


def fold_case(name: str) -> str:
    """The same text for names that a file system may treat as equal."""
    return unicodedata.normalize("NFC", name).casefold()


def digest(photo: str) -> str:
    """A digest that stands for a name, 32 hexadecimal digits."""
    return hashlib.sha256(photo.encode(errors="surrogateescape")).hexdigest()[:32]


def _ending(name: str) -> str:
    return posixpath.splitext(name)[1].lower()
