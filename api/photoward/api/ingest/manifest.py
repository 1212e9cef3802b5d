"""Manifests: lists of photos with what each of them wants, in an archive or instead of one.

A line that cannot be is refused alone, by its number and field.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from photoward.api.http.errors import validated
from photoward.api.http.schemas.images import Requested
from photoward.api.ingest import filenames
from photoward.api.ingest.json_lines import read
from photoward.api.ingest.options import merged
from photoward.core.errors import BadInput
from photoward.core.fetches import Expected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from photoward.api.ingest.json_lines import Line
    from photoward.api.ingest.sources import Kind
    from photoward.core.catalogue import Catalogue
    from photoward.core.jobs import Options

FILE = "file"
"""What a line calls a photo's name."""


def by_file(
    lines: Iterable[Line], where: str
) -> tuple[dict[str, dict[str, Any]], dict[str, BadInput]]:
    """Of an archive's manifest: options by file, and what is wrong, by file or by line.

    Args:
        lines: each names a file.
        where: what the manifest is called.
    """
    own: dict[str, dict[str, Any]] = {}
    bad: dict[str, BadInput] = {}
    for number, line in _numbered(lines):
        here = f"{where}, line {number}"
        try:
            name, entry = _named(line)
        except BadInput as error:
            bad[here] = _at(here, error)
            continue
        if name in own or name in bad:
            bad[here] = BadInput("invalid_option", f"{here}: {name} is named twice.")
            continue
        try:
            own[name] = _options(entry)
        except BadInput as error:
            bad[name] = _at(here, error)
    return own, bad


def _named(line: Line) -> tuple[str, dict[str, Any]]:
    entry = read(line)
    name = entry.pop(FILE, None)
    if not isinstance(name, str):
        raise BadInput("malformed_request", f'No object with "{FILE}".')
    return name, entry


def _at(where: str, error: BadInput) -> BadInput:
    return BadInput(error.code, f"{where}: {error.detail}", field=error.field)


@dataclass(frozen=True)
class _Named:
    """What a line says."""

    number: int
    file: str | None
    kind: str
    place: str
    wanted: Options
    item_id: str


@dataclass(frozen=True)
class Checked:
    """What became of a line."""

    number: int
    file: str | None
    outcome: Expected | BadInput


class Manifest:
    """Checks lines that name sources.

    Args:
        tenant: whose.
        kinds: of sources, by what a line calls a place of theirs.
        catalogue: of options.
        defaults: the batch's options.
        name: of this request: the same line under the same name is the same item.
    """

    def __init__(
        self, tenant: str, kinds: Mapping[str, Kind], catalogue: Catalogue,
        defaults: Mapping[str, Any], name: str,
    ) -> None:  # fmt: skip
        self._tenant, self._kinds, self._catalogue = tenant, kinds, catalogue
        self._defaults, self._name = defaults, name
        self._seen: set[tuple[str, str]] = set()

    def checked(
        self, lines: Iterable[Line], known: Callable[[Sequence[str]], Collection[str]]
    ) -> Iterator[Checked]:
        """Each line that is not empty.

        Args:
            lines: as they came.
            known: tells of ids which items are there: what such a line named has been accepted
                before, whatever its source says now.
        """
        found = [self._read(number, line) for number, line in _numbered(lines)]
        there = known([one.item_id for one in found if isinstance(one, _Named)])
        for one in found:
            yield one if isinstance(one, Checked) else self._expected(one, there)

    def _read(self, number: int, line: Line) -> _Named | Checked:
        file: str | None = None
        try:
            entry = read(line)
            file = _taken(entry, FILE)
            kind, place = self._source(entry)
            own = _options(entry)
            wanted = self._catalogue.options(**merged(self._defaults, own))
        except BadInput as error:
            return Checked(number, file, error)
        said = json.dumps([self._name, kind, place, file, own], sort_keys=True)
        item_id = hashlib.sha256(said.encode()).hexdigest()[:32]
        return _Named(number, file, kind, place, wanted, item_id)

    def _expected(self, named: _Named, there: Collection[str]) -> Checked:
        try:
            usual = self._usual(named, there)
            self._require_new((named.kind, named.place), (FILE, named.file or ""))
        except BadInput as error:
            return Checked(named.number, named.file, error)
        name = filenames.clean_path(named.file or usual)
        expected = Expected(named.item_id, named.kind, named.place, named.wanted, name)
        return Checked(named.number, expected.filename, expected)

    def _usual(self, named: _Named, there: Collection[str]) -> str:
        try:
            return self._kinds[named.kind].name(self._tenant, named.place)
        except BadInput:
            if named.item_id in there:
                return ""
            raise

    def _source(self, entry: dict[str, Any]) -> tuple[str, str]:
        named = [kind for kind in self._kinds if kind in entry]
        if len(named) != 1:
            raise BadInput("invalid_option", f"It must have one of {', '.join(self._kinds)}.")
        place = _taken(entry, named[0])
        if not place:
            raise BadInput("invalid_option", f"{named[0]} is empty.", field=named[0])
        return named[0], place

    def _require_new(self, *names: tuple[str, str]) -> None:
        for name, value in names:
            if value and (name, value) in self._seen:
                raise BadInput("invalid_option", f"This {name} is named twice.", field=name)
        self._seen.update(names)


def _numbered(lines: Iterable[Line]) -> Iterator[tuple[int, Line]]:
    for number, line in enumerate(lines, 1):
        if not isinstance(line, str) or line.strip():
            yield number, line


def _taken(entry: dict[str, Any], name: str) -> str | None:
    value = entry.pop(name, None)
    if value is not None and not isinstance(value, str):
        raise BadInput("invalid_option", f"{name} must be text.", field=name)
    return value


def _options(entry: Mapping[str, Any]) -> dict[str, Any]:
    return validated(Requested, entry).model_dump(exclude_unset=True)
