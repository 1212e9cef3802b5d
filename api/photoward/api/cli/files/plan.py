"""The plan of ``photoward protect``: which files it writes, and which it refuses.

Reads names, the first bytes of photos and the folder's record; protects nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from photoward.api.cli.files import names
from photoward.api.cli.files.folders import entry_path
from photoward.api.cli.files.locations import FileVersion, Folder, file_version
from photoward.api.cli.files.output_record import Origin, is_older
from photoward.core.errors import BadInput, PhotowardError
from photoward.core.imaging.header import READ_ONLY
from photoward.core.imaging.sniff import HEAD, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from photoward.core.jobs import Options
    from photoward.core.renditions import RenditionRequest


@dataclass(frozen=True)
class Photo:
    """A photo that was found, and its options."""

    source: Path
    name: str
    """Relative path, also of its output."""
    kind: str | None
    """Format of its content; None: not one that is read."""
    mark: FileVersion
    options: Options
    place: Path | None = None
    """Where its owner knows it, if that is not ``source``."""

    @property
    def shown(self) -> Path:
        """Its path in messages."""
        return self.place or self.source

    @property
    def output_name(self) -> str:
        """Name of its output, before it is made unique."""
        return names.output_name(self.name, self.kind, self.options.output_format)

    @property
    def misnamed(self) -> bool:
        """Whether its suffix is that of another format."""
        return names.misnamed(self.name, self.kind)


@dataclass(frozen=True)
class PlannedFile:
    """One output to write."""

    photo: Photo
    target: str
    options: Options
    """The photo's options with one size."""

    @property
    def origin(self) -> Origin:
        """What it will be made of."""
        wanted = {
            one.name: getattr(self.options, one.name)
            for one in dataclasses.fields(self.options)
            if getattr(self.options, one.name) != one.default
        }
        read = self.photo.kind or ""
        wanted["output_format"] = self.options.output_format or READ_ONLY.get(read, read)
        return Origin.of(self.photo.name, self.photo.mark.version, wanted)


@dataclass
class Plan:
    """The files to write, and the photos that are refused."""

    entries: list[PlannedFile] = field(default_factory=list)
    refused: dict[Path, object] = field(default_factory=dict)
    """Photo → reason."""


def plan(
    photos: Collection[Path],
    source: Path,
    out: Folder,
    options_of: Callable[[Path], Options],
    *,
    force: bool,
) -> Plan:
    """Assign output names, and leave out existing outputs.

    Args:
        photos: paths in ``source``.
        source: a folder, or the one photo.
        out: folder of the outputs.
        options_of: photo → options; an invalid label refuses that photo alone.
        force: whether existing outputs are replaced.

    Raises:
        BadInput: an option is not valid.
    """
    made = Plan()
    found: dict[str, Photo] = {}
    for path in photos:
        try:
            photo = _photo(path, source, options_of(path))
        except PhotowardError as error:
            if error.field not in ("label", "file"):
                raise
            made.refused[path] = error
        else:
            found[photo.name] = photo
    wanted = next((one.options.renditions for one in found.values()), ())
    targets = names.assign_targets(
        {name: photo.output_name for name, photo in found.items()},
        lambda target: one.photo if (one := out.record.of(target)) else None,
        lambda target: tuple(target for _, target in _sized(target, wanted)),
    )
    originals = {entry_path(photo.source) for photo in found.values()}
    for name, target in targets.items():
        for one, sized in _sized(target, wanted):
            photo = found[name]
            entry = PlannedFile(photo, sized, replace(photo.options, renditions=one))
            why = _obstacle(entry, out, originals) or (None if force else _conflict(entry, out))
            if why is not None:
                made.refused[photo.source] = why
            elif force or not (out.path / sized).exists():
                made.entries.append(entry)
    return made


def _photo(path: Path, source: Path, options: Options) -> Photo:
    name = path.relative_to(source) if source.is_dir() else Path(path.name)
    try:
        with path.open("rb") as file:
            return Photo(path, name.as_posix(), kind(file.read(HEAD)), file_version(path), options)
    except OSError as error:
        raise BadInput("corrupt", f"It cannot be read: {error.strerror}.", field="file") from error


def _sized(
    target: str, wanted: tuple[RenditionRequest, ...]
) -> list[tuple[tuple[RenditionRequest, ...], str]]:
    """The rendition of each output of a photo, and its name; a single output needs no number."""
    if len(wanted) < 2:  # noqa: PLR2004  # a single output
        return [(wanted, target)]
    path = PurePosixPath(target)
    return [((one,), str(path.with_stem(f"{path.stem}-{one.width}"))) for one in wanted]


def _obstacle(entry: PlannedFile, out: Folder, originals: set[Path]) -> str | None:
    """Why an output cannot be written; None: it can."""
    if out.entry_path(entry.target) in originals:
        return f"{out.path / entry.target} is an original: choose another folder."
    return out.name_problem(entry.target)


def _conflict(entry: PlannedFile, out: Folder) -> str | None:
    """Why the existing file is not the wanted output; None: it is, or that is not known."""
    made = out.record.of(entry.target)
    if made is None:
        reason = "is older than the photo" if _is_older(entry, out.path / entry.target) else None
    elif made.fits(entry.origin):
        reason = None
    elif made.version == entry.origin.version:
        reason = "was made of it with other options"
    else:
        reason = "was made of it before it was replaced"
    return reason and f"{out.path / entry.target} {reason}: --force replaces it."


def _is_older(entry: PlannedFile, target: Path) -> bool:
    try:
        return is_older(file_version(target).modified_ns, entry.photo.mark.modified_ns)
    except OSError:  # not there
        return False
