"""Submits the files of an archive, one by one; only one of them is held at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from photoward.api.ingest.archives.base import MANIFEST
from photoward.api.ingest.manifest import options_by_file, split_details
from photoward.api.ingest.options import merge_options
from photoward.api.ingest.spool import Spool
from photoward.api.ingest.submit import submit_image
from photoward.core.errors import BadInput, Overloaded, PhotowardError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.api.ingest.archives.base import Archive, ArchiveMember
    from photoward.api.ingest.ndjson import Line
    from photoward.api.ingest.services import IngestServices
    from photoward.core.jobs import BatchDefaults

ADMISSION_EVERY = 50
"""Files between two checks of the queue's depth."""

ABSENT = f"{MANIFEST} names it, but it is not in the archive."

log = structlog.get_logger("photoward.batches")


@dataclass(frozen=True)
class FileResult:
    """The outcome of one file, or of a line of the manifest that names none."""

    file: str
    outcome: str | PhotowardError
    """The image's id, or the refusal."""


class ArchiveImporter:
    """Submits the files of one archive into a batch.

    Args:
        services: the process's.
        tenant: whose.
        batch_id: of the batch.
        defaults: its.
        label_by_folder: whether a file's folder is its label, where the manifest gives none.
        key: an idempotency key: each file of the same archive under it is submitted once.
    """

    def __init__(  # noqa: PLR0913  # what makes images of files
        self,
        services: IngestServices,
        tenant: str,
        batch_id: str,
        defaults: BatchDefaults,
        *,
        label_by_folder: bool,
        key: str | None,
    ) -> None:
        self._services, self._tenant, self._batch_id = services, tenant, batch_id
        self._defaults, self._label_by_folder, self._key = defaults, label_by_folder, key

    def run(self, archive: Archive[Any], lines: list[Line]) -> Iterator[FileResult]:
        """A result for each file and for each line of the manifest that names none of them.

        A file that is refused never stops the rest; a full queue refuses all that follow.
        """
        options, refusals = options_by_file(lines, MANIFEST)
        full: PhotowardError | None = None
        for number, member in enumerate(archive.members()):
            if number % ADMISSION_EVERY == 0 and full is None:
                full = self._admission_error()
            own = options.pop(member.name, {})
            refusal = full or refusals.pop(member.name, None)
            yield FileResult(member.name, refusal or self._import(archive, member, own, number))
        absent = BadInput("invalid_option", ABSENT, field="file")
        for name, error in {**refusals, **dict.fromkeys(options, absent)}.items():
            yield FileResult(name, error)

    def _import(
        self, archive: Archive[Any], member: ArchiveMember[Any], own: dict[str, Any], number: int
    ) -> str | PhotowardError:
        """The image's id, or why there is none."""
        try:
            return self._submit(archive, member, own, number)
        except PhotowardError as error:
            return error
        except Exception as error:  # the answer has begun: it goes on with the next file
            log.exception("archive_broke", batch=self._batch_id)
            return PhotowardError("internal_error", f"It broke ({type(error).__name__}).")

    def _submit(
        self, archive: Archive[Any], member: ArchiveMember[Any], own: dict[str, Any], number: int
    ) -> str:
        if member.refused is not None:
            raise BadInput("unsupported_type", member.refused)
        folder = (member.path or "").rpartition("/")[0].rpartition("/")[2]
        own, details = split_details(self._services, self._defaults, own)
        chosen = {"label": folder, **own} if self._label_by_folder and folder else own
        options = self._services.catalogue.options(**merge_options(self._defaults.options, chosen))
        with Spool.for_service(
            self._services.settings, declared=None, filename=member.path
        ) as spool:
            for chunk in archive.chunks(member.at):
                spool.write(chunk)
            image = spool.checked(options)
            request = self._request_digest(member, number)
            item = submit_image(
                self._services,
                self._tenant,
                image,
                batch_id=self._batch_id,
                request=request,
                details=details,
            )
        self._services.notifier.notify(item.id)  # workers begin while the rest comes in
        return item.id

    def _admission_error(self) -> PhotowardError | None:
        try:
            self._services.admission.check_now()
        except (Overloaded, Unavailable) as error:
            return error
        return None

    def _request_digest(self, member: ArchiveMember[Any], number: int) -> str | None:
        """Names the submission of this file under the archive's idempotency key."""
        if self._key is None:
            return None
        said = json.dumps([self._batch_id, self._key, number, member.name])
        return hashlib.sha256(said.encode()).hexdigest()
