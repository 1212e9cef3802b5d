"""Manifests: lists of photos with the options of each, in an archive or in place of the photos.

A line that is not valid is refused alone, by its number and field.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import structlog

from photoward.api.ingest import filenames
from photoward.api.ingest.details import retention
from photoward.api.ingest.ndjson import parse_object
from photoward.api.ingest.options import ManifestEntry, merge_options
from photoward.api.ingest.validation import validated
from photoward.core.errors import BadInput, Overloaded
from photoward.core.fetches import FetchRequest
from photoward.core.jobs import Details, State, new_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from photoward.api.ingest.ndjson import Line
    from photoward.api.ingest.services import IngestServices
    from photoward.core.jobs import BatchDefaults, Item, Options

FILE = "file"
"""The field with a photo's file name."""

log = structlog.get_logger("photoward.batches")


@dataclass(frozen=True)
class LineResult:
    """The outcome of one line."""

    number: int
    """From 1, empty lines counted."""
    file: str | None
    outcome: FetchRequest | BadInput


def options_by_file(
    lines: Iterable[Line], where: str
) -> tuple[dict[str, dict[str, Any]], dict[str, BadInput]]:
    """An archive's manifest: options by file name, and refusals by file name or line.

    Args:
        lines: each names a file.
        where: what the manifest is called in refusals.
    """
    options: dict[str, dict[str, Any]] = {}
    refusals: dict[str, BadInput] = {}
    for number, line in _numbered(lines):
        here = f"{where}, line {number}"
        try:
            name, entry = _split_name(line)
        except BadInput as error:
            refusals[here] = _located(here, error)
            continue
        if name in options or name in refusals:
            refusals[here] = BadInput("invalid_option", f"{here}: {name} is named twice.")
            continue
        try:
            options[name] = _options(entry)
        except BadInput as error:
            refusals[name] = _located(here, error)
    return options, refusals


def require_fetch_room(services: IngestServices, count: int) -> None:
    """Raises Overloaded: with ``count`` more, too many photos would wait to be fetched."""
    waiting = services.ledger.items.count_by_state().get(State.RECEIVED, 0)
    if waiting + count > services.settings.fetch_max_pending:
        raise Overloaded("The limit of photos that wait to be fetched is reached.")


def import_manifest(  # noqa: PLR0913  # what a manifest is, and for whom
    services: IngestServices,
    tenant: str,
    batch_id: str,
    lines: Sequence[Line],
    *,
    defaults: BatchDefaults,
    key: str | None,
) -> list[LineResult]:
    """Make an image of each valid line, to be fetched; durable when this returns.

    Args:
        services: the process's.
        tenant: whose.
        batch_id: of the images' batch.
        lines: as they came.
        defaults: the batch's.
        key: an idempotency key: the same manifest under it gives the images of then.

    Raises:
        BadInput: ``request_differs``: the key was used for another manifest.
        NotFound: there is no such batch.
        Overloaded: too many photos wait to be fetched.
    """
    request = key and _request_digest(batch_id, key, lines)  # before the lines are taken apart
    checker = _LineChecker(services, tenant, defaults, f"{tenant}\0{batch_id}\0{key or new_id()}")
    results = list(checker.check(lines, find_accepted=key is not None))
    accepted = [one.outcome for one in results if isinstance(one.outcome, FetchRequest)]
    require_fetch_room(services, len(accepted))
    services.ledger.fetches.enqueue(
        tenant, batch_id, accepted, services.tracer.traceparent(), request
    )
    services.fetch_wake_up.set()
    services.ledger.batches.count_refused(tenant, batch_id, len(results) - len(accepted))
    log.info("manifest", batch=batch_id, accepted=len(accepted), lines=len(results))
    return results


def fetch_image(  # noqa: PLR0913  # what makes an image
    services: IngestServices,
    tenant: str,
    source: dict[str, str],
    options: Options,
    *,
    batch_id: str | None,
    key: str | None,
    details: Details,
) -> Item:
    """Make an image of a photo that is to be fetched; durable when this returns.

    Args:
        services: the process's.
        tenant: whose.
        source: its one entry says of which kind the source is, and where the photo is in it.
        options: how it is protected.
        batch_id: of the batch that it belongs to.
        key: an idempotency key: under the same one the image of then is returned.
        details: what the client says of it.

    Raises:
        BadInput: the source is not allowed, or has no such photo; ``request_differs``.
        Conflict: ``batch_closed``.
        Overloaded: too many photos wait to be fetched.
    """
    ((kind, location),) = source.items()
    said = json.dumps([source, asdict(options), asdict(details), batch_id], sort_keys=True)
    halves = f"{tenant}\0{batch_id}\0{key or new_id()}", said
    digests = [hashlib.sha256(half.encode()).hexdigest()[:32] for half in halves]
    image_id = hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
    name = filenames.clean_path(services.sources[kind].name(tenant, location))
    require_fetch_room(services, 1)
    wanted = FetchRequest(image_id, kind, location, options, name, details)
    request = None if key is None else "".join(digests)
    here = services.tracer.traceparent()
    services.ledger.fetches.enqueue(tenant, batch_id, [wanted], here, request)
    services.fetch_wake_up.set()
    return services.ledger.items.get(tenant, image_id)


@dataclass(frozen=True)
class _ParsedLine:
    number: int
    file: str | None
    kind: str
    location: str
    options: Options
    details: Details
    image_id: str


class _LineChecker:
    """Checks the lines of one manifest.

    Args:
        services: the process's.
        tenant: whose.
        defaults: the batch's.
        request: names the request: the same line under the same name is the same image.
    """

    def __init__(
        self, services: IngestServices, tenant: str, defaults: BatchDefaults, request: str
    ) -> None:
        self._services, self._tenant = services, tenant
        self._defaults, self._request = defaults, request
        self._seen: set[tuple[str, str]] = set()

    def check(self, lines: Iterable[Line], *, find_accepted: bool) -> Iterator[LineResult]:
        """A result for each line that is not empty.

        ``find_accepted``: look for images that the same request made before: what their source says
        now no longer matters.
        """
        parsed = [self._parse(number, line) for number, line in _numbered(lines)]
        ids = [one.image_id for one in parsed if isinstance(one, _ParsedLine)]
        accepted = self._services.ledger.items.states(ids) if find_accepted else ()
        for one in parsed:
            yield one if isinstance(one, LineResult) else self._result(one, accepted)

    def _parse(self, number: int, line: Line) -> _ParsedLine | LineResult:
        file: str | None = None
        try:
            entry = parse_object(line)
            file = _pop_text(entry, FILE)
            kind, location = self._pop_source(entry)
            own = _options(entry)
            chosen, details = split_details(self._services, self._defaults, own)
            merged = merge_options(self._defaults.options, chosen)
            options = self._services.catalogue.options(**merged)
        except BadInput as error:
            return LineResult(number, file, error)
        said = json.dumps([self._request, kind, location, file, own], sort_keys=True)
        image_id = hashlib.sha256(said.encode()).hexdigest()[:32]
        return _ParsedLine(number, file, kind, location, options, details, image_id)

    def _result(self, line: _ParsedLine, accepted: Collection[str]) -> LineResult:
        try:
            default_name = self._default_name(line, accepted)
            self._require_new((line.kind, line.location), (FILE, line.file or ""))
        except BadInput as error:
            return LineResult(line.number, line.file, error)
        name = filenames.clean_path(line.file or default_name)
        expected = FetchRequest(
            line.image_id, line.kind, line.location, line.options, name, line.details
        )
        return LineResult(line.number, name, expected)

    def _default_name(self, line: _ParsedLine, accepted: Collection[str]) -> str:
        try:
            return self._services.sources[line.kind].name(self._tenant, line.location)
        except BadInput:
            if line.image_id in accepted:
                return ""
            raise

    def _pop_source(self, entry: dict[str, Any]) -> tuple[str, str]:
        sources = self._services.sources
        named = [field for field in sources if field in entry]
        if len(named) != 1:
            raise BadInput("invalid_option", f"It must have one of {', '.join(sources)}.")
        location = _pop_text(entry, named[0])
        if not location:
            raise BadInput("invalid_option", f"{named[0]} is empty.", field=named[0])
        return named[0], location

    def _require_new(self, *fields: tuple[str, str]) -> None:
        for field, value in fields:
            if value and (field, value) in self._seen:
                raise BadInput("invalid_option", f"This {field} is named twice.", field=field)
        self._seen.update(fields)


def _request_digest(batch_id: str, key: str, lines: Sequence[Line]) -> str:
    """Two halves: the first says what the manifest was sent under, the second what it says."""
    said = [line.detail if isinstance(line, BadInput) else line for line in lines]
    halves = f"{batch_id}\0{key}", json.dumps(said, sort_keys=True)
    return "".join(hashlib.sha256(half.encode()).hexdigest()[:32] for half in halves)


def _split_name(line: Line) -> tuple[str, dict[str, Any]]:
    entry = parse_object(line)
    name = entry.pop(FILE, None)
    if not isinstance(name, str):
        raise BadInput("malformed_request", f'No object with "{FILE}".')
    return name, entry


def _located(where: str, error: BadInput) -> BadInput:
    return BadInput(error.code, f"{where}: {error.detail}", field=error.field)


def _numbered(lines: Iterable[Line]) -> Iterator[tuple[int, Line]]:
    for number, line in enumerate(lines, 1):
        if not isinstance(line, str) or line.strip():
            yield number, line


def _pop_text(entry: dict[str, Any], field: str) -> str | None:
    value = entry.pop(field, None)
    if value is not None and not isinstance(value, str):
        raise BadInput("invalid_option", f"{field} must be text.", field=field)
    return value


def split_details(
    services: IngestServices, defaults: BatchDefaults, entry: Mapping[str, Any]
) -> tuple[dict[str, Any], Details]:
    """A line's options, and what it says of its photo beside them. Raises BadInput."""
    options = dict(entry)
    names = ("reference", "metadata", "expires_in_seconds")
    reference, notes, own_s = (options.pop(name, None) for name in names)
    wanted_s = defaults.retention_s if own_s is None else own_s
    kept_s = retention(wanted_s, services.settings.retention_image_seconds)
    return options, Details(reference=reference, metadata=notes or {}, retention_s=kept_s)


def _options(entry: Mapping[str, Any]) -> dict[str, Any]:
    return validated(ManifestEntry, entry).model_dump(exclude_unset=True)
