"""What a public storage holds already: how it stands, protecting it afterwards, undoing that.

Each run derives what is left to do from the files themselves: it may be killed at any time.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.storage import storages

from photoward_client import Client, PhotowardError, RefusedError
from photoward_django import files
from photoward_django.conf import client, setting
from photoward_django.originals import State
from photoward_django.storage import ProtectedStorageMixin, is_photo, require_same_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AHEAD = 16
"""Photos that are at the service at once."""
BATCH = ".photoward-batch"
NOT_FOUND = 404


def protected_storages() -> dict[str, Any]:
    """Alias in ``STORAGES`` → storage, of those that protect."""
    found = {alias: storages[alias] for alias in settings.STORAGES}
    return {a: one for a, one in found.items() if isinstance(one, ProtectedStorageMixin)}


@dataclass
class Photo:
    """A photo on its way through the service."""

    name: str
    data: bytes
    item_id: str


class Library:
    """The files of one protected storage.

    Args:
        storage: a storage with ``ProtectedStorageMixin``.
        say: gets a sentence for each file that is not as it should be.
    """

    def __init__(self, storage: Any, say: Callable[[str], None]) -> None:  # noqa: ANN401
        self._storage = storage
        self._originals = storage.originals
        self._say = say

    def photos(self) -> Iterator[tuple[str, bytes, State]]:
        """Each public photo: its name, bytes and state."""
        for name in files.walk(self._storage):
            data = files.read(self._storage, name)
            if data is not None and is_photo(name, data):
                yield name, data, self._originals.state(name, data)

    def count(self) -> Counter[State]:
        """How many photos are in each state."""
        return Counter(state for _, _, state in self.photos())

    def protect(self, most: int | None = None) -> Counter[str]:
        """Protect at most so many of the photos that are not, as one batch of the service.

        Returns:
            How many were ``protected``, and how many ``failed``.

        Raises:
            PhotowardError: the service went away; what was done so far stays done.
        """
        service, counts = client(), Counter[str]()
        batch = self._batch(service)
        waiting: deque[Photo] = deque()
        for at, name in enumerate([n for n, _, s in self.photos() if s is not State.PROTECTED]):
            if most is not None and at >= most:
                break
            photo = self._submit(service, name, batch)
            if photo is None:
                counts["failed"] += 1
                continue
            waiting.append(photo)
            if len(waiting) >= AHEAD:
                counts[self._finish(service, waiting.popleft())] += 1
        for photo in waiting:
            counts[self._finish(service, photo)] += 1
        if most is None:
            _forget_batch(service, batch)
            self._originals.storage.delete(BATCH)
        return counts

    def undo(self, *, force: bool = False) -> Counter[str]:
        """Put every original back in public, byte by byte; the private ones stay.

        Args:
            force: also where something else has changed the public file since.

        Returns:
            How many were ``restored``, were so ``already``, are ``gone`` in public, or ``failed``.
        """
        self._originals.storage.delete(BATCH)  # what is protected after this is a new photo
        counts = Counter[str]()
        for name in self._originals.names():
            counts[self._restore(name, force=force)] += 1
        return counts

    def _batch(self, service: Client) -> str:
        """The batch of a run that was killed, or a new one."""
        found = files.read(self._originals.storage, BATCH)
        if found is not None:
            return found.decode()
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        made = service.json("POST", "/v1/batches", b"", headers, {"name": "django"})
        files.replace(self._originals.storage, BATCH, str(made["id"]).encode())
        return str(made["id"])

    def _submit(self, service: Client, name: str, batch: str) -> Photo | None:
        data = files.read(self._storage, name)
        if data is None:
            return None
        key = f"{batch}-{files.digest(name.encode() + data)}"
        file = PurePosixPath(name).name
        try:
            item = service.submit(
                data, name=file, idempotency_key=key, batch=batch, **setting("OPTIONS")
            )
        except RefusedError as error:
            if error.passing or error.status == NOT_FOUND:
                raise
            self._say(f"{name}: {error}")
            return None
        return Photo(name, data, item["id"])

    def _finish(self, service: Client, photo: Photo) -> str:
        item = service.wait(photo.item_id)
        if item["state"] != "succeeded":
            problem = item["error"] or {}
            self._say(
                f"{photo.name}: {problem.get('title', item['state'])}. {problem.get('remedy', '')}"
            )
            return "failed"
        published = service.download(photo.item_id)
        try:
            require_same_size(photo.data, published)
        except PhotowardError as error:
            self._say(f"{photo.name}: {error}")
            return "failed"
        # First the original: killed in between, the file is unprotected still, and found again.
        self._originals.keep(photo.name, photo.data, files.digest(published))
        if files.read(self._storage, photo.name) != photo.data:
            self._say(f"{photo.name}: it has changed in the meantime; run this again.")
            return "failed"
        files.replace(self._storage, photo.name, published)
        _forget(service, photo.item_id)
        return "protected"

    def _restore(self, name: str, *, force: bool) -> str:
        entry, original = self._originals.entry(name), self._originals.read(name)
        public = files.read(self._storage, name)
        if entry is None or original is None or files.digest(original) != entry.original:
            self._say(f"{name}: its private original is damaged or missing.")
            return "failed"
        if public is None:
            return "gone"
        if public == original:
            return "already"
        if self._originals.state(name, public) is State.CHANGED and not force:
            self._say(f"{name}: something else has changed it; --force restores it all the same.")
            return "failed"
        files.replace(self._storage, name, original)
        return "restored"


def _forget_batch(service: Client, batch: str) -> None:
    """Delete what a killed run has left at the service, and what failed."""
    for line in service.request("GET", f"/v1/batches/{batch}/results").content.splitlines():
        _forget(service, json.loads(line)["id"])


def _forget(service: Client, item_id: str) -> None:
    try:
        service.delete(item_id)
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
