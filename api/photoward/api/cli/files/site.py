"""A built site: its photos are protected in place or in a copy, and can be put back.

What belongs to a site is kept outside of it, in a folder of the user's: each original, each
protected file, and a manifest that says which was made of which with which options. All are found
by the digests of their bytes: a site that is built anew from the same photos costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photoward.api.cli.files import names
from photoward.api.cli.files.locations import FileVersion
from photoward.api.cli.files.output_record import Origin
from photoward.api.cli.files.plan import Photo, PlannedFile
from photoward.core.errors import BadInput, PhotowardError, Unavailable
from photoward.core.files import LEFT_OUT, write_whole
from photoward.core.imaging.formats import foreign
from photoward.core.imaging.header import READ_ONLY, Limits
from photoward.core.imaging.sniff import HEAD, kind, sniff
from photoward.core.output_marks import is_marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.core.jobs import Options

MANIFEST = "manifest.ndjson"
NO_PHOTOS = frozenset({"an SVG", "an icon", "a cursor", "a PDF", "PostScript", "a video"})
"""What is recognised besides photos and may be copied as it is."""


@dataclass(frozen=True)
class Selection:
    """Which photos of a site are protected; the others stay as they are."""

    include: tuple[str, ...] = ()
    """Patterns of paths, as in a shell; ``*`` also takes ``/``. Empty: all."""
    exclude: tuple[str, ...] = ()
    min_side: int = 0
    """Pixels; photos whose shorter side has fewer are left."""

    def takes(self, name: str) -> bool:
        """Whether a photo of this path is wanted."""
        return (not self.include or _fits(name, self.include)) and not _fits(name, self.exclude)

    def wants(self, source: Path, path: Path) -> bool:
        """Whether a photo of a source is wanted. Raises nothing: what cannot be read is wanted."""
        name = path.relative_to(source).as_posix() if path != source else path.name
        if not self.takes(name):
            return False
        try:
            return not self.min_side or self.is_large(path.read_bytes())
        except OSError:
            return True

    def is_large(self, data: bytes) -> bool:
        """Whether the photo has enough pixels; True if that cannot be seen."""
        try:
            header = sniff(data, Limits(float("inf"), 1 << 30), complete=True)
        except PhotowardError:
            return True
        return header is None or min(header.width, header.height) >= self.min_side


@dataclass(frozen=True)
class Made:
    """A line of the manifest: one protected file."""

    file: str
    original: str
    """SHA-256 of the photo, as are the next one of the protected file."""
    output: str
    photo: str
    recipe: str
    label: str
    modified_ns: int
    """Of the photo."""
    options: dict[str, Any] = field(default_factory=dict)
    """Those that are not the default; the label is left out."""

    def fits(self, wanted: Origin) -> bool:
        """Whether the file was made of this version of a photo with these options."""
        same = (self.original, self.recipe) == (wanted.version, wanted.recipe)
        return same and wanted.label in ("", self.label)


class Kept:
    """A site's originals, protected files and manifest; thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self.rows: list[Made] = []
        try:
            text = (folder / MANIFEST).read_text(errors="replace")
        except FileNotFoundError:
            text = ""
        except OSError as error:
            raise Unavailable(f"{folder} cannot be read: {error.strerror}.") from error
        self._begun = bool(text) and not text.endswith("\n")  # by who was killed while writing
        for line in text.splitlines():
            try:
                self.rows.append(Made(**json.loads(line)))
            except (ValueError, TypeError):  # half of one
                continue
        self.last = {row.file: row for row in self.rows}
        self.by_output = {row.output: row for row in self.rows}

    def original(self, digest: str) -> Path:
        """Where an original is kept."""
        return self.folder / "originals" / digest

    def output(self, digest: str) -> Path:
        """Where a protected file is kept."""
        return self.folder / "outputs" / digest

    def keep(self, path: Path, data: bytes) -> None:
        """Keep a file under its digest; one that is kept already stays."""
        if not path.exists():
            write_whole(path, data)

    def read_original(self, digest: str) -> bytes:
        """An original's bytes. Raises BadInput: it is not kept any more, or was changed."""
        try:
            data = self.original(digest).read_bytes()
        except OSError as error:
            raise BadInput(
                "corrupt",
                f"Its original is not kept any more in {self.folder}: {error.strerror}.",
                field="file",
            ) from error
        if _digest(data) != digest:
            raise BadInput("corrupt", f"Its original in {self.folder} was changed.", field="file")
        return data

    def find(self, wanted: Origin) -> Made | None:
        """What was made of this photo with these options, whatever it was called, and is kept."""
        for row in reversed(self.rows):
            if row.fits(wanted) and self.output(row.output).exists():
                return row
        return None

    def note(self, row: Made) -> None:
        """Write a line; before the file itself is replaced. Raises Unavailable."""
        line = json.dumps(asdict(row))
        with self._lock:
            try:
                with (self.folder / MANIFEST).open("a") as file:
                    file.write(f"\n{line}\n" if self._begun else f"{line}\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise Unavailable(f"{self.folder} cannot be written: {error.strerror}.") from error
            self._begun = False
            self.rows.append(row)
            self.last[row.file] = self.by_output[row.output] = row


@dataclass
class SitePlan:
    """What a run does."""

    entries: list[PlannedFile] = field(default_factory=list)
    refused: dict[Path, object] = field(default_factory=dict)
    """Photo → reason."""
    counts: Counter[str] = field(default_factory=Counter)
    """``existing``, ``restored`` from earlier runs, ``left`` as not selected,
    ``own`` outputs of which nothing is kept, ``others``."""


class Site:
    """A folder of a site, the folder that gets its files, and what is kept of it.

    Args:
        source: the built site.
        out: the folder that gets its files; the same one: in place.
        kept: of this site.
        selection: which photos are protected.
    """

    def __init__(self, source: Path, out: Path, kept: Kept, selection: Selection) -> None:
        self.source, self.out, self.kept = source, out, kept
        self.in_place = source.resolve() == out.resolve()
        self._selection = selection
        self._options: dict[str, Options] = {}

    def plan(self, options_of: Callable[[Path], Options]) -> SitePlan:
        """Sort the files, copy those that are no photos, and put back what was made before.

        Raises:
            BadInput: an option is not valid.
            Unavailable: a folder cannot be written.
        """
        plan = SitePlan()
        for path, why in self._files():
            if why is not None:
                plan.refused[path] = why
                continue
            try:
                self._place(path, options_of, plan)
            except OSError as error:
                plan.refused[path] = f"It cannot be read: {error.strerror}."
            except PhotowardError as error:
                if error.field not in ("label", "file"):
                    raise
                plan.refused[path] = error
        return plan

    def write(
        self, name: str, data: bytes, origin: Origin, media_type: str, modified_ns: int
    ) -> None:
        """Keep a protected file, note it, and let it appear in the site. Raises Unavailable."""
        del media_type
        digest = _digest(data)
        self.kept.keep(self.kept.output(digest), data)
        options = self._options.get(name)
        self.kept.note(
            Made(
                name, origin.version, digest, origin.photo, origin.recipe, origin.label,
                modified_ns, _given(options) if options else {},
            )
        )  # fmt: skip
        write_whole(self.out / name, data, modified_ns)

    def _place(self, path: Path, options_of: Callable[[Path], Options], plan: SitePlan) -> None:
        name = path.relative_to(self.source).as_posix()
        with path.open("rb") as file:
            head = file.read(HEAD)
        own = kind(head)
        if own is None and not names.is_picture(name):
            what = foreign.name(head)
            if what is not None and what not in NO_PHOTOS and self._selection.takes(name):
                plan.refused[path] = f"This is {what}, which cannot be protected."
                return
            plan.counts["others"] += 1
            self._copy(path, name)
            return
        data = path.read_bytes()
        if not self._selection.takes(name) or not self._selection.is_large(data):
            plan.counts["left"] += 1
            self._copy(path, name)
            return
        self._protect(path, name, data, own, options_of(path), plan)

    def _protect(  # noqa: PLR0913, PLR0917  # what is known of a photo
        self,
        path: Path,
        name: str,
        data: bytes,
        own: str | None,
        options: Options,
        plan: SitePlan,
    ) -> None:
        """Leave, put back or plan one photo."""
        if (options.output_format or READ_ONLY.get(own or "", own)) != own:
            plan.refused[path] = "It would get another format, and pages name it by its own one."
            return
        digest, modified_ns = _digest(data), path.stat().st_mtime_ns
        made = self.kept.by_output.get(digest)
        if made is not None:  # our own file, perhaps under another name
            digest, modified_ns = made.original, made.modified_ns
            data = self.kept.read_original(digest)
        elif is_marked(data):
            plan.counts["own"] += 1
            self._copy(path, name)
            return
        entry = self._entry(name, own, FileVersion(digest, modified_ns), options)
        self._options[name] = options
        if self._is_there(entry, made):
            plan.counts["existing"] += 1
            return
        self.kept.keep(self.kept.original(digest), data)
        known = self.kept.find(entry.origin)
        if known is None:
            plan.entries.append(entry)
            return
        protected = self.kept.output(known.output).read_bytes()
        self.write(name, protected, entry.origin, "", modified_ns)
        plan.counts["restored"] += 1

    def _entry(
        self, name: str, own: str | None, version: FileVersion, options: Options
    ) -> PlannedFile:
        photo = Photo(
            self.kept.original(version.version), name, own, version, options, self.source / name
        )
        return PlannedFile(photo, name, options)

    def _is_there(self, entry: PlannedFile, made: Made | None) -> bool:
        """Whether the site has the wanted file."""
        if self.in_place:
            return made is not None and made.fits(entry.origin)
        row = self.kept.last.get(entry.target)
        if row is None or not row.fits(entry.origin):
            return False
        try:
            return _digest((self.out / entry.target).read_bytes()) == row.output
        except OSError:
            return False

    def _copy(self, path: Path, name: str) -> None:
        """Copy a file as it is, unless it is there."""
        if self.in_place:
            return
        found, target = path.stat(), self.out / name
        try:
            there = target.stat()
        except OSError:
            there = None
        if there and (there.st_size, there.st_mtime_ns) == (found.st_size, found.st_mtime_ns):
            return
        draft = target.with_name(f".{target.name[:80]}.photoward-part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, draft)
            draft.replace(target)
        except OSError as error:
            raise Unavailable(f"{target} cannot be written: {error.strerror}.") from error
        finally:
            draft.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[Path, str | None]]:
        """Each file, hidden ones included, and why it cannot be taken."""
        without = None if self.in_place else self.out.resolve()
        for folder, below, files in os.walk(self.source):
            here = Path(folder)
            for name in sorted(below):
                if (here / name).is_symlink():
                    yield here / name, "It is a link to a folder, which is not followed."
            below[:] = sorted(
                name
                for name in below
                if name not in LEFT_OUT | {".git"} and (here / name).resolve() != without
            )
            for name in sorted(files):
                path = here / name
                try:
                    regular = stat.S_ISREG(path.stat().st_mode)
                except OSError as error:
                    yield path, f"It cannot be read: {error.strerror}."
                    continue
                yield path, None if regular else "It is no file."


@dataclass
class Undone:
    """What putting back the originals did."""

    restored: int = 0
    unchanged: int = 0
    """Files that are originals, or gone."""
    refused: dict[Path, object] = field(default_factory=dict)
    """File → why it was left."""


def undo(site: Path, kept: Kept) -> Undone:
    """Put the originals back, byte by byte; a file that somebody has changed since is left."""
    done = Undone()
    for name, row in sorted(kept.last.items()):
        path = site / name
        try:
            digest = _digest(path.read_bytes())
        except FileNotFoundError:
            done.unchanged += 1
            continue
        except OSError as error:
            done.refused[path] = f"It cannot be read: {error.strerror}."
            continue
        made = kept.by_output.get(digest)
        if made is None:
            done.unchanged += digest == row.original
            if digest != row.original:
                done.refused[path] = "It was changed since it was protected, and was left."
            continue
        try:
            data = kept.read_original(made.original)
        except BadInput as error:
            done.refused[path] = error
            continue
        write_whole(path, data, made.modified_ns)
        done.restored += 1
    return done


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path, or its last part, fits a pattern."""
    last = name.rpartition("/")[2]
    return any(fnmatchcase(name, one) or fnmatchcase(last, one) for one in patterns)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _given(options: Options) -> dict[str, Any]:
    every = asdict(options)
    return {name: value for name, value in every.items() if value and name != "label"}
