"""From where a manifest may have photos fetched: one class for each kind of source."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from photoward.api.ingest.upload_content import parse_metadata, read_upload
from photoward.core.errors import BadInput, Conflict, NotFound, Unavailable
from photoward.core.fetches import UPLOAD_SOURCE
from photoward.core.jobs import validate_id
from photoward.core.safe_http import MAX_URL, BlockedUrl, NoResponse, check_url, open_response
from photoward.core.storage.inboxes import Inboxes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings
    from photoward.core.storage import ObjectStore
    from photoward.core.uploads import Upload

RETRYABLE = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Statuses that are no final refusal, besides 5xx."""


class PhotoSource(Protocol):
    """Reads photos by the locations that a manifest gives."""

    def name(self, tenant: str, location: str) -> str:
        """The file name of a photo, where the manifest gives none.

        Raises:
            BadInput: ``source_blocked``: the tenant may not fetch from there.
        """

    def opened(self, tenant: str, location: str) -> AbstractContextManager[Iterator[bytes]]:
        """A photo's bytes.

        Raises:
            BadInput: ``source_missing`` or ``source_blocked``, for good.
            Unavailable: ``source_unreachable``, for now.
        """


SOURCE_FIELDS = {
    "key": "bucket/key of an object in a bucket that the operator has opened",
    "url": "an https URL, where the operator allows them",
    UPLOAD_SOURCE: "the id of an upload, which becomes the photo",
}
"""The field of a manifest's line that gives a location → what it holds."""


def open_sources(settings: Settings, ledger: Ledger, store: ObjectStore) -> dict[str, PhotoSource]:
    """One source for each of ``SOURCE_FIELDS``."""
    return {
        "key": Inboxes(settings),
        "url": UrlSource(settings),
        UPLOAD_SOURCE: UploadSource(ledger, store),
    }


class UploadSource:
    """The tenant's uploads, by id; each can be used once."""

    def __init__(self, ledger: Ledger, store: ObjectStore) -> None:
        self._ledger = ledger
        self._store = store

    def name(self, tenant: str, location: str) -> str:
        """The file name in the upload's metadata. Raises BadInput: ``source_missing``."""
        return parse_metadata(self._upload(tenant, location).metadata).get("filename", "")

    @contextmanager
    def opened(self, tenant: str, location: str) -> Iterator[Iterator[bytes]]:
        """The upload's bytes. Raises BadInput: ``source_missing``."""
        yield self._read(self._upload(tenant, location))

    def _read(self, upload: Upload) -> Iterator[bytes]:
        try:
            yield from read_upload(self._store, upload)
        except (Conflict, NotFound) as error:
            raise BadInput("source_missing", error.detail, field=UPLOAD_SOURCE) from None

    def _upload(self, tenant: str, location: str) -> Upload:
        try:
            upload = self._ledger.uploads.get(tenant, validate_id(location))
        except NotFound:
            raise BadInput(
                "source_missing", "There is no such upload.", field=UPLOAD_SOURCE
            ) from None
        if upload.item_id is not None:
            raise BadInput("source_missing", "It has become a photo.", field=UPLOAD_SOURCE)
        return upload


class UrlSource:
    """Web servers, by URL, where the operator has allowed it."""

    def __init__(self, settings: Settings) -> None:
        self._enabled = settings.fetch_allow_urls
        self._private = settings.fetch_allow_private
        self._timeout_s = settings.fetch_timeout_seconds

    def name(self, tenant: str, location: str) -> str:
        """The last part of the URL's path. Raises BadInput: ``source_blocked``."""
        del tenant
        if not self._enabled:
            raise _blocked("This service fetches no URLs.")
        if len(location) > MAX_URL:
            raise _blocked(f"It is longer than {MAX_URL} characters.")
        try:
            return unquote(check_url(location, private=self._private).path).rpartition("/")[2]
        except BlockedUrl as blocked:
            raise _blocked(f"It is not fetched: {blocked}.") from None

    @contextmanager
    def opened(self, tenant: str, location: str) -> Iterator[Iterator[bytes]]:
        """The body of an answer 200; redirects are not followed. Raises as ``PhotoSource`` does."""
        self.name(tenant, location)
        request = open_response(location, private=self._private, whole_s=self._timeout_s)
        with ExitStack() as closing:
            with _translated():
                answer = closing.enter_context(request)
            _require_success(answer.status)
            yield _read(answer.chunks)


def _blocked(detail: str) -> BadInput:
    return BadInput("source_blocked", detail, field="url")


def _require_success(status: int) -> None:
    if status == HTTPStatus.OK:
        return
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in RETRYABLE:
        raise Unavailable(f"The source answers {status}.", "source_unreachable")
    away = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    detail = " Redirects are not followed." if away else ""
    raise BadInput("source_missing", f"The source answers {status}.{detail}", field="url")


def _read(chunks: Iterator[bytes]) -> Iterator[bytes]:
    with _translated():
        yield from chunks


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BlockedUrl as blocked:
        raise _blocked(f"It is not fetched: {blocked}.") from None
    except NoResponse as error:
        raise Unavailable(str(error), "source_unreachable") from error
