"""What a request for a file gets: the protected file, a film as it is, a refusal – never a photo.

The order is always: the file's version in the inbox, its protected file in the outbox; only then
the photo itself, which goes through the service into the outbox and from there to the client. So a
process that ends between any two steps leaves nothing that could be served wrongly.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

from photoward.api.delivery.files import begun
from photoward.api.gateway.flights import Flights, Recent
from photoward.api.gateway.kinds import HEAD, IMAGE, media_kind
from photoward.api.gateway.outbox import Outbox, ProtectedFile, file_digest
from photoward.api.gateway.protector import Protector, RefusedPhoto
from photoward.core.errors import BadInput, NotFound, Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.storage.origins import ChangedFile, OriginFile
from photoward.core.telemetry import GATEWAY_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.core.storage.origins import Origin, OriginName

MAX_PROTECTED_AT_ONCE = 8
"""Photos that are read and sent at a time; × 25 MiB twice is what they take of memory."""
MAX_THREADS = 40
MAX_REMEMBERED = 20_000
"""Files whose version and kind are remembered; each takes less than a kilobyte."""
REFUSAL_S, FAULT_S, MISSING_S = 60.0, 1.0, 1.0
"""Seconds for which a refused photo, a fault of the service, a missing file is not tried again."""
TRIES = 3

Value = TypeVar("Value")

log = structlog.get_logger("photoward.gateway")


@dataclass(frozen=True)
class PassedFile:
    """A file of the inbox that is served as it is."""

    version: str
    media_type: str
    length: int | None
    """Bytes; None: its server does not say."""
    can_seek: bool
    """Whether it can be read in parts."""


class RefusedFile(BadInput):
    """The file is never served."""

    def __init__(self, detail: str) -> None:
        super().__init__("not_served", detail)


Found = ProtectedFile | PassedFile
Version = tuple["OriginName", str]


class Library:
    """The files of an inbox, as the public may see them.

    Args:
        origin: the inbox.
        outbox: has the protected files.
        protector: makes them.
        passed: groups of ``kinds.CLASSES`` that are served as they are.
        deadline_s: longest time that a request waits for its photo.
        recheck_s: time for which a file's version is believed.
        max_bytes: largest photo.
    """

    def __init__(  # noqa: PLR0913  # one collaborator or limit each
        self,
        origin: Origin,
        outbox: Outbox,
        protector: Protector,
        *,
        passed: frozenset[str],
        deadline_s: float,
        recheck_s: float,
        max_bytes: int,
    ) -> None:
        self._origin, self._outbox, self._protector = origin, outbox, protector
        self._passed = passed
        self._deadline_s, self._recheck_s = deadline_s, recheck_s
        self._max_bytes = max_bytes
        self._flights: Flights[Version, ProtectedFile | PassedFile] = Flights()
        self._looks: Flights[OriginName, OriginFile | NotFound] = Flights()
        self._versions: Recent[OriginName, OriginFile | NotFound] = Recent(
            MAX_REMEMBERED, time.monotonic
        )
        self._found: Recent[OriginName, tuple[str, Found]] = Recent(MAX_REMEMBERED, time.monotonic)
        self._refused: Recent[Version, RefusedFile | Unavailable] = Recent(
            MAX_REMEMBERED, time.monotonic
        )
        self._protecting = asyncio.Semaphore(MAX_PROTECTED_AT_ONCE)
        self._threads = CapacityLimiter(MAX_THREADS)

    async def close(self) -> None:
        """End what is under way; what the service has got, it finishes."""
        await self._flights.close()
        await self._looks.close()
        await self._protector.close()

    async def check(self) -> None:
        """Raises Unavailable when the outbox or the service does not answer."""
        await self._in_thread(self._outbox.check)
        await self._protector.check()

    async def find(self, name: OriginName) -> Found:
        """The file that a request may get.

        Raises:
            NotFound: the inbox has none.
            RefusedFile: it is never served.
            Unavailable: it cannot be protected now.
        """
        for left in reversed(range(TRIES)):
            try:
                return await self._find(name)
            except ChangedFile:
                if not left:
                    raise
        raise AssertionError  # the last try has raised

    async def _find(self, name: OriginName) -> Found:
        try:
            version = (await self._current(name)).version
        except Unavailable:
            return await self._last_known(name)
        known = name, version
        last = self._found.get(name)
        if last is not None and last[0] == version:
            return last[1]
        if (refused := self._refused.get(known)) is not None:
            raise refused.with_traceback(None)  # else it grows with each request
        try:
            return await self._flights.join(known, partial(self._make, *known), self._deadline_s)
        except TimeoutError:
            raise Unavailable("The photo is being protected; it takes longer than usual.") from None

    async def opened(
        self, name: OriginName, found: Found, start: int, end: int | None
    ) -> Iterator[bytes]:
        """A file's bytes from ``start`` and before ``end``.

        Raises:
            ChangedFile: it was replaced or removed a moment ago; ``find`` it again.
            Unavailable: it cannot be read.
        """
        if isinstance(found, PassedFile):
            chunks = _read(self._origin, name, found.version, start, end)
            return await self._in_thread(begun, chunks)
        try:
            return await self._in_thread(self._outbox.stream, found, start, end)
        except NotFound:
            self.forget(name)
            raise ChangedFile from None

    def forget(self, name: OriginName) -> None:
        """Look the file up again, in the inbox and the outbox, at the next request."""
        self._versions.forget(name)
        self._found.forget(name)

    async def sweep(self, older_than_s: float) -> int | None:
        """Delete from the outbox what has left the inbox; how many, None: it has no listing.

        Raises:
            Unavailable: one of them does not answer; then nothing is deleted.
        """
        return await self._in_thread(self._sweep, older_than_s)

    def _sweep(self, older_than_s: float) -> int | None:
        names = self._origin.names()
        if names is None:
            return None
        return self._outbox.discard_others(set(map(file_digest, names)), older_than_s)

    async def _current(self, name: OriginName) -> OriginFile:
        version = self._versions.get(name)
        if version is None:
            version = await self._looks.join(name, partial(self._look, name), None)
        if isinstance(version, NotFound):
            raise version.with_traceback(None)
        return version

    async def _look(self, name: OriginName) -> OriginFile | NotFound:
        """The file in the inbox; if it has left, its protected files leave, too."""
        try:
            version = await self._in_thread(self._origin.find, name)
        except NotFound as missing:
            await self._in_thread(self._outbox.discard, name)
            self._versions.set(name, missing, min(MISSING_S, self._recheck_s))
            return missing
        self._versions.set(name, version, self._recheck_s)
        return version

    async def _last_known(self, name: OriginName) -> Found:
        """The inbox does not answer: what was protected before still may be served."""
        file = await self._in_thread(self._outbox.newest, name)
        if file is None:
            raise Unavailable("The inbox does not respond.", "source_unreachable")
        return file

    async def _make(self, name: OriginName, version: str) -> Found:
        """The file for the public, out of the outbox, the inbox or the service."""
        known = name, version
        try:
            made = await self._in_thread(self._outbox.find, name, version)
            found = made or await self._classified(name, version)
        except ChangedFile:
            self._versions.forget(name)
            raise
        except RefusedFile as refused:
            self._refused.set(known, refused, REFUSAL_S)
            GATEWAY_FILES.labels("refused").inc()
            raise
        except Unavailable as fault:
            self._refused.set(known, fault, FAULT_S)
            GATEWAY_FILES.labels("unavailable").inc()
            raise
        self._found.set(name, (version, found), math.inf)
        return found

    async def _classified(self, name: OriginName, version: str) -> Found:
        head = await self._in_thread(self._read_whole, name, version, HEAD)
        kind = media_kind(head)
        if kind is None or kind.group not in self._passed | {IMAGE}:
            raise RefusedFile("Files of this kind are not served.")
        if kind.group == IMAGE:
            async with self._protecting:
                return await self._protected(name, version)
        size = (await self._current(name)).size
        GATEWAY_FILES.labels("passed").inc()
        return PassedFile(version, kind.media_type, size, self._origin.can_seek)

    async def _protected(self, name: OriginName, version: str) -> ProtectedFile:
        data = await self._in_thread(self._read_whole, name, version, None)
        failpoint("inbox-read")
        photo = None
        for _ in range(TRIES):
            try:
                photo = await self._protector.protect(data, f"{name}\0{version}")
                break
            except RefusedPhoto as refused:
                raise RefusedFile(f"The photo cannot be protected: {refused}") from None
            except NotFound:  # another process was faster, and has stored it before
                found = await self._in_thread(self._outbox.find, name, version)
                if found is not None:
                    return found
        if photo is None:
            raise Unavailable("The service loses the photo.")
        file = await self._in_thread(self._outbox.put, name, version, photo.data, photo.media_type)
        GATEWAY_FILES.labels("protected").inc()
        failpoint("outbox-stored")
        await self._clean_up(name, version, file, photo.item)
        return file

    async def _clean_up(
        self, name: OriginName, version: str, file: ProtectedFile, item: str
    ) -> None:
        """What stays when this fails is deleted by the service's retention and the next sweep."""
        try:
            await self._protector.forget(item)
            failpoint("item-deleted")
            now = await self._look(name)
            if isinstance(now, OriginFile) and now.version == version:
                await self._in_thread(self._outbox.discard, name, file)
        except Unavailable as error:
            log.warning("not_cleaned_up", item=item, detail=error.detail)

    def _read_whole(self, name: OriginName, version: str, most: int | None) -> bytes:
        """The first ``most`` bytes of a file, or all of a photo."""
        data = bytearray()
        end = most if self._origin.can_seek else None
        with self._origin.opened(name, version, 0, end) as chunks:
            for chunk in chunks:
                data += chunk
                if most is not None and len(data) >= most:
                    break
                if len(data) > self._max_bytes:
                    raise RefusedFile("The photo is larger than photos may be.")
        return bytes(data[:most])

    async def _in_thread(self, call: Callable[..., Value], *arguments: object) -> Value:
        return await to_thread.run_sync(partial(call, *arguments), limiter=self._threads)


def _read(
    origin: Origin, name: OriginName, version: str, start: int, end: int | None
) -> Iterator[bytes]:
    with origin.opened(name, version, start, end) as chunks:
        yield from chunks
