"""Names of protected files: the original's name, marked, with the extension of the new format."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from photoward.core.catalogue import FORMATS

EXTENSIONS = {media: "jpg" if name == "jpeg" else name for name, media in FORMATS.items()}
"""Media type → extension, without a dot."""

_RESERVED_SIGNS = re.compile(r'[<>:"|?*]')
_RESERVED_WORDS = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9¹²³]", re.IGNORECASE)


def archive_path(path: str | None, media_type: str) -> str:
    """A protected file's path in a zip: folder and name of the original, with its own extension.

    Every system can unpack it: characters and names that Windows reserves are replaced.
    """
    given = PurePosixPath(path or "photo")
    whole = given.with_name(f"{given.stem}.{EXTENSIONS[media_type]}")
    return "/".join(map(_portable, whole.parts))


def _portable(name: str) -> str:
    kept = _RESERVED_SIGNS.sub("_", name).rstrip(" .")
    return f"_{kept}" if _RESERVED_WORDS.fullmatch(kept.partition(".")[0].strip()) else kept
