"""The origins of a folder's outputs, recorded in the user's data folder (decision 30).

One JSON object per line; the last one of a file counts. Labels are stored as digests.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from photoward.api.cli import console
from photoward.api.cli.files import names, user_data
from photoward.api.cli.files.names import fold_case
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COARSE_NS = 2_000_000_000
"""Coarsest time stamp of a file system, in nanoseconds: two seconds."""


def is_older(file_ns: int, photo_ns: int) -> bool:
    """Whether a file was certainly changed before a photo; both in nanoseconds."""
    return file_ns + COARSE_NS < photo_ns


@dataclass(frozen=True)
class Origin:
    """What an output was made of; older outputs have only ``version``."""

    version: str
    """Version of the photo: changes when it is replaced."""
    photo: str = ""
    """Its ``names.digest``."""
    recipe: str = ""
    """``recipe`` of the options without the label."""
    label: str = ""
    """Its ``names.digest``; empty: none was given."""

    @classmethod
    def of(cls, photo: str, version: str, options: Mapping[str, Any]) -> Origin:
        """The origin of an output of a photo's version with these options."""
        label = options.get("label")
        rest = {name: value for name, value in options.items() if name != "label"}
        return cls(version, names.digest(photo), recipe(rest), names.digest(label) if label else "")

    def fits(self, wanted: Origin) -> bool:
        """Whether it is the wanted origin, as far as is known; no wanted label fits every label."""
        if self.version != wanted.version or not self.photo:
            return self.version == wanted.version
        same = (self.photo, self.recipe) == (wanted.photo, wanted.recipe)
        return same and wanted.label in ("", self.label)


def recipe(options: Mapping[str, Any]) -> str:
    """A digest of options, 16 hexadecimal digits; None and empty values do not count."""
    given = sorted(
        (name, repr(value)) for name, value in options.items() if value not in (None, "", ())
    )
    return hashlib.sha256(repr(given).encode(errors="surrogateescape")).hexdigest()[:16]


PARTS = tuple(part.name for part in fields(Origin))


class OutputRecord:
    """The recorded origins of a folder's files; thread-safe.

    If the record cannot be read or written, that is printed once and origins stay unknown.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        known = hashlib.sha256(bytes(folder.resolve())).hexdigest()[:32]
        self._name = f"{known}.ndjson"
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, Any]] = {}
        self._lost = False
        text = ""
        try:
            text = self._path().read_text(errors="replace")
        except FileNotFoundError:
            pass
        except (OSError, Unavailable) as error:
            self._lose(error)
        self._begun = bool(text) and not text.endswith("\n")  # by who was killed while writing
        for line in text.splitlines():
            self._take(line)

    def of(self, target: str) -> Origin | None:
        """The origin of a file; None: unknown, missing, or changed since."""
        row = self._rows.get(fold_case(target))
        if row is None:
            return None
        try:
            stat = (self._folder / target).stat()
        except OSError:
            return None
        if stat.st_size != row["size"] or abs(stat.st_mtime_ns - row["modified"]) > COARSE_NS:
            return None
        return Origin(**{part: row[part] for part in PARTS})

    def note(self, target: str, made: Origin) -> None:
        """Record the origin of a file that was just written."""
        try:
            stat = (self._folder / target).stat()
            line = json.dumps(
                {
                    "target": target,
                    "size": stat.st_size,
                    "modified": stat.st_mtime_ns,
                    **asdict(made),
                }
            )
            with self._lock:
                self._take(line)
                user_data.folder().mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path().parent.mkdir(exist_ok=True)
                with self._path().open("a") as file:
                    file.write(f"\n{line}\n" if self._begun else f"{line}\n")
                self._begun = False
        except (OSError, Unavailable) as error:
            self._lose(error)

    def _path(self) -> Path:
        return user_data.folder() / "outputs" / self._name

    def _lose(self, error: OSError | Unavailable) -> None:
        if not self._lost:
            console.print_line(
                f"What files were made of cannot be noted: {error}. So a later run knows of those "
                "that are there only how old they are."
            )
        self._lost = True

    def _take(self, line: str) -> None:
        try:
            row = json.loads(line)
            known: dict[str, Any] = {key: int(row[key]) for key in ("size", "modified")}
            known |= {key: str(row[key]) for key in ("target", *PARTS)}
        except (ValueError, KeyError, TypeError):  # half of one, or a later version's
            return
        self._rows[fold_case(known["target"])] = known
