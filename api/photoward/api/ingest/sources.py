"""Where a manifest may have photos fetched from: one row a kind of source."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from photoward.api.http.headers import tus
from photoward.api.ingest import uploads
from photoward.core.errors import BadInput, Conflict, NotFound, Unavailable
from photoward.core.fetches import UPLOAD
from photoward.core.jobs import well_formed
from photoward.core.safe_http import MAX_URL, Blocked, Unanswered, checked, fetching
from photoward.core.storage.inboxes import Inboxes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from photoward.core.ports import Ledger, ObjectStore
    from photoward.core.settings import Settings
    from photoward.core.uploads import Upload

TRY_AGAIN = frozenset({
    HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS,
})  # fmt: skip
"""What does not mean no, besides 5xx."""


class Kind(Protocol):
    """Gives photos out by what a manifest calls their places."""

    def name(self, tenant: str, place: str) -> str:
        """What a photo is called if nobody says it.

        Raises:
            BadInput: ``source_blocked``: the tenant may have nothing fetched from there.
        """

    def opened(self, tenant: str, place: str) -> AbstractContextManager[Iterator[bytes]]:
        """A photo's bytes.

        Raises:
            BadInput: it cannot be had, and will not be.
            Unavailable: ``source_unreachable``: another time, perhaps.
        """


NAMED = {
    "key": "bucket/key of an object in a bucket that the operator has opened",
    "url": "an https URL, where the operator allows them",
    UPLOAD: "the id of an upload, which becomes the photo",
}
"""What a line of a manifest calls a place → what that is."""


def kinds(settings: Settings, ledger: Ledger, store: ObjectStore) -> dict[str, Kind]:
    """The sources by ``NAMED``."""
    return {"key": Inboxes(settings), "url": Web(settings), UPLOAD: Brought(ledger, store)}


class Brought:
    """Uploads: bytes that the tenant has brought in before."""

    def __init__(self, ledger: Ledger, store: ObjectStore) -> None:
        self._ledger = ledger
        self._store = store

    def name(self, tenant: str, place: str) -> str:
        """See ``Kind``."""
        return tus.metadata(self._upload(tenant, place).metadata).get("filename", "")

    @contextmanager
    def opened(self, tenant: str, place: str) -> Iterator[Iterator[bytes]]:
        """See ``Kind``."""
        yield self._read(self._upload(tenant, place))

    def _read(self, upload: Upload) -> Iterator[bytes]:
        try:
            yield from uploads.whole(self._store, upload)
        except (Conflict, NotFound) as error:
            raise BadInput("source_missing", error.detail, field=UPLOAD) from None

    def _upload(self, tenant: str, place: str) -> Upload:
        try:
            upload = self._ledger.upload(tenant, well_formed(place))
        except NotFound:
            raise BadInput("source_missing", "There is no such upload.", field=UPLOAD) from None
        if upload.item is not None:
            raise BadInput("source_missing", "It has become a photo.", field=UPLOAD)
        return upload


class Web:
    """The Internet, if the operator lets it be asked."""

    def __init__(self, settings: Settings) -> None:
        self._open = settings.fetch_allow_urls
        self._private = settings.fetch_allow_private
        self._whole_s = settings.fetch_timeout_seconds

    def name(self, tenant: str, place: str) -> str:
        """See ``Kind``."""
        del tenant
        if not self._open:
            raise _blocked("This service fetches no URLs.")
        if len(place) > MAX_URL:
            raise _blocked(f"It is longer than {MAX_URL} characters.")
        try:
            return unquote(checked(place, private=self._private).path).rpartition("/")[2]
        except Blocked as blocked:
            raise _blocked(f"It is not fetched: {blocked}.") from None

    @contextmanager
    def opened(self, tenant: str, place: str) -> Iterator[Iterator[bytes]]:
        """See ``Kind``; only what is asked for and answered with 200, from where it was asked."""
        self.name(tenant, place)
        asked = fetching(place, private=self._private, whole_s=self._whole_s)
        with ExitStack() as closing:
            with _reached():
                answer = closing.enter_context(asked)
            _require_ok(answer.status)
            yield _read(answer.chunks)


def _blocked(detail: str) -> BadInput:
    return BadInput("source_blocked", detail, field="url")


def _require_ok(status: int) -> None:
    if status == HTTPStatus.OK:
        return
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in TRY_AGAIN:
        raise Unavailable(f"The source answers {status}.", "source_unreachable")
    away = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    detail = " Redirects are not followed." if away else ""
    raise BadInput("source_missing", f"The source answers {status}.{detail}", field="url")


def _read(chunks: Iterator[bytes]) -> Iterator[bytes]:
    with _reached():
        yield from chunks


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except Blocked as blocked:
        raise _blocked(f"It is not fetched: {blocked}.") from None
    except Unanswered as error:
        raise Unavailable(str(error), "source_unreachable") from error
