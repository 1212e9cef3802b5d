"""Many photos at once: from an archive into the ledger, and from the ledger into a list or archive.

Nothing of an archive is ever held but the file at hand.
"""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from photoward.api.http.body.reader import Upload
from photoward.api.http.schemas.images import Image, Problem
from photoward.api.ingest import filenames
from photoward.api.ingest import manifest as manifests
from photoward.api.ingest.archives import base as archives
from photoward.api.ingest.archives.base import MANIFEST
from photoward.api.ingest.options import merged
from photoward.api.ingest.spool import Spool
from photoward.api.ingest.submit import accept, remove
from photoward.core.errors import (
    BadInput,
    NotFound,
    Overloaded,
    PhotowardError,
    Unavailable,
    is_ours,
)
from photoward.core.jobs import State
from photoward.core.object_keys import original_key, output_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from photoward.api.http.deps import Parts
    from photoward.api.ingest.archives.base import Archive, Member
    from photoward.api.ingest.json_lines import Line
    from photoward.core.jobs import Item

LONGEST_PAGE = 500
"""Items that are asked of the ledger at once."""

EVERY = 50
"""Files of an archive between two looks at the queue's depth."""

ABSENT = f"{MANIFEST} names it, but it is not in the archive."

log = structlog.get_logger("photoward.batches")


class Unpacking:
    """Hands the files of an archive in, one by one, and tells of each."""

    def __init__(  # noqa: PLR0913  # what makes items of files
        self, parts: Parts, tenant: str, batch_id: str, defaults: dict[str, Any], *,
        by_folder: bool, key: str | None,
    ) -> None:  # fmt: skip
        self._parts, self._tenant, self._batch_id = parts, tenant, batch_id
        self._defaults, self._by_folder, self._key = defaults, by_folder, key

    def hand_in(
        self, archive: Archive[Any], lines: list[Line], closing: ExitStack
    ) -> Iterator[bytes]:
        """NDJSON, a line for each file; closes what the archive lies in."""
        counts = {"accepted": 0, "refused": 0}
        with closing:
            own, bad = manifests.by_file(lines, MANIFEST)
            full: PhotowardError | None = None
            for number, member in enumerate(archive.members()):
                if number % EVERY == 0 and full is None:
                    full = self._full()
                asked = own.pop(member.name, {})
                refused = full or bad.pop(member.name, None)
                told = {"problem": problem_of(refused)} if refused else self._told(
                    archive, member, asked, number
                )  # fmt: skip
                counts["accepted" if "id" in told else "refused"] += 1
                yield archives.line({"file": member.name, **told})
            absent = BadInput("invalid_option", ABSENT, field="file")
            for name, problem in {**bad, **dict.fromkeys(own, absent)}.items():
                counts["refused"] += 1
                yield archives.line({"file": name, "problem": problem_of(problem)})
            log.info("archive", batch=self._batch_id, **counts)
            yield archives.line(counts)

    def _told(
        self, archive: Archive[Any], member: Member[Any], own: dict[str, Any], number: int
    ) -> dict[str, Any]:
        """What became of a file; one bad one never stops the rest."""
        try:
            return {"id": self._one(archive, member, own, number)}
        except PhotowardError as error:
            return {"problem": problem_of(error)}
        except Exception as error:  # half an answer would tell less
            log.exception("archive_broke", batch=self._batch_id)
            broke = PhotowardError("internal_error", f"It broke ({type(error).__name__}).")
            return {"problem": problem_of(broke)}

    def _full(self) -> PhotowardError | None:
        try:
            self._parts.admission.check_now()
        except (Overloaded, Unavailable) as error:
            return error
        return None

    def _one(
        self, archive: Archive[Any], member: Member[Any], own: dict[str, Any], number: int
    ) -> str:
        if member.refused is not None:
            raise BadInput("unsupported_type", member.refused)
        folder = (member.path or "").rpartition("/")[0].rpartition("/")[2]
        asked = {"label": folder, **own} if self._by_folder and folder else own
        options = self._parts.catalogue.options(**merged(self._defaults, asked))
        with Spool.of(self._parts.settings, declared=None, filename=member.path) as spool:
            for chunk in archive.chunks(member.at):
                spool.write(chunk)
            upload = Upload(spool.finish(), options, spool.file())
            request = self._request(member, number)
            item = accept(self._parts, self._tenant, upload, self._batch_id, request)
        self._parts.announcer.announce(item.id)  # workers begin while the rest comes in
        return item.id

    def _request(self, member: Member[Any], number: int) -> str | None:
        """A name of this file's handing in: sent again under the same key it is done once."""
        if self._key is None:
            return None
        said = json.dumps([self._batch_id, self._key, number, member.name])
        return hashlib.sha256(said.encode()).hexdigest()


def problem_of(error: PhotowardError) -> dict[str, Any]:
    """What a line of an answer says of a refusal."""
    return Problem.of(error.code, error.detail, field=error.field).model_dump(exclude_none=True)


def every(parts: Parts, tenant: str, batch_id: str, state: State | None = None) -> Iterator[Item]:
    """All of a batch's items, or those in a state, asked for page by page."""
    seen = 0
    while True:
        page = parts.ledger.batch_items(
            tenant, batch_id, after=seen, limit=LONGEST_PAGE, state=state
        )
        yield from (item for _, item in page)
        if len(page) < LONGEST_PAGE:
            return
        seen = page[-1][0]


def retry(parts: Parts, tenant: str, batch_id: str) -> None:
    """Hand in anew what failed by our fault, as long as its original is kept; in its place.

    What could not be fetched is fetched anew.

    What was handed in already by a call that broke off is not handed in twice.
    """
    if parts.ledger.expect_again(tenant, batch_id):
        parts.expecting.set()
    failed = [
        item for item in every(parts, tenant, batch_id, State.FAILED)
        if is_ours(item.error_code or "internal_error")
    ]  # fmt: skip
    for old in failed:
        name = hashlib.sha256(f"retry {old.id}".encode()).hexdigest()
        try:
            photo = parts.store.get(original_key(tenant, old.id))
        except NotFound:
            continue
        upload = Upload(old.source, old.options, io.BytesIO(photo))
        parts.announcer.announce(accept(parts, tenant, upload, batch_id, name).id)
        with suppress(NotFound):  # another call was faster
            remove(parts, tenant, old.id, asked=False)


def result(item: Item) -> dict[str, Any]:
    """What a list of results says of an item."""
    shown = Image.of(item)
    return {
        "id": item.id, "file": item.source.filename, "state": item.state,
        "label_used": item.label_used, "content": shown.links.content,
        "sha256": item.output.sha256 if item.output else None,
        "measured": item.measured,
        "problem": shown.error.model_dump(exclude_none=True) if shown.error else None,
    }  # fmt: skip


def files(parts: Parts, tenant: str, batch_id: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and bytes of each finished file, and last of the list of results.

    What is deleted meanwhile is in neither.
    """
    told = []
    for item in every(parts, tenant, batch_id):
        if item.output is not None:
            name = filenames.protected(item.source.filename, item.output.media_type)
            try:
                chunks = parts.store.stream(output_key(tenant, item.id))
            except NotFound:
                continue
            yield name, chunks
        told.append(archives.line(result(item)))
    yield "results.ndjson", iter(told)
