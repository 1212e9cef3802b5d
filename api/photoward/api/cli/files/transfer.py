"""Photos from one place through a running service to another, as one batch."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from photoward.api.cli import console
from photoward.api.cli.client import Client, Refusal
from photoward.api.cli.files import names
from photoward.api.cli.files.output_record import Origin
from photoward.core.catalogue import PASS
from photoward.core.errors import BadInput, PhotowardError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from photoward.api.cli.files.locations import Location

THREADS = 4
RETRY_S = 120.0
"""Seconds that a service that is unreachable or full is retried, per file."""

BUSY = frozenset({429, 503})

SERVER_FAULT, TRIES = 500, 3
"""Lowest status of a fault of the service, and how often a photo is sent then."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Photo:
    """One version of a photo."""

    name: str
    version: str
    label: str | None
    modified_ns: int
    """Time of the last change, in nanoseconds since 1970."""


class Refused(Exception):  # noqa: N818  # it is what happened
    """The service cannot protect a photo, now or later."""


class Transfer:
    """Sends photos to a service and writes the outputs.

    Args:
        url: URL of the service.
        source: location of the photos.
        out: location of the outputs.
        options: options of the request; None values are left out.
        keep: whether photos stay in the service.
    """

    def __init__(
        self, url: str, source: Location, out: Location, options: dict[str, Any], *, keep: bool
    ) -> None:
        self._source, self._out, self._keep = source, out, keep
        self._client = Client(url)
        self._notes = console.Notes()
        self.own = 0
        """Photos of the last run that were outputs themselves, and were copied as they are."""
        self._naming, self._taken = Lock(), dict[str, str]()
        self._options = {name: value for name, value in options.items() if value is not None}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def origin_of(self, photo: Photo) -> Origin:
        """The origin that a photo's output will have."""
        return Origin.of(photo.name, photo.version, {**self._options, "label": photo.label})

    def run(
        self, photos: Mapping[Photo, str], taken: dict[str, str]
    ) -> dict[Photo, Refused | PhotowardError]:
        """Send photos and fetch outputs, several at a time; photos without an output, and why.

        Args:
            photos: photo → target.
            taken: output names in use (``fold_case``) → digest of the photo's name.
        """
        batch = self._batch()
        self._taken = taken
        missed: dict[Photo, Refused | PhotowardError] = {}
        self.own = 0
        with (
            console.progress() as bar,
            ThreadPoolExecutor(THREADS) as sending,
            ThreadPoolExecutor(THREADS) as fetching,
        ):
            sent, fetched = (bar.add_task(what, total=len(photos)) for what in ("send", "fetch"))

            def send(photo: Photo) -> str:
                try:
                    return self._sent(photo, batch)
                finally:
                    bar.advance(sent)

            def fetch(photo: Photo, target: str, item_id: Callable[[], str]) -> None:
                try:
                    self._fetch(photo, target, item_id(), batch)
                except Refusal as refusal:
                    missed[photo] = Refused(refusal.problem.get("detail"))
                except (Refused, PhotowardError) as error:
                    missed[photo] = error
                bar.advance(fetched)

            going = [sending.submit(send, photo) for photo in photos]
            ends = [
                fetching.submit(fetch, photo, target, one.result)
                for (photo, target), one in zip(photos.items(), going, strict=True)
            ]
            for end in ends:
                end.result()
        self._notes.print()
        return missed

    def _batch(self) -> str:
        """One batch for all transfers with the same locations and options within a day."""
        key = _key(self._source.root, self._out.root, *sorted(map(str, self._options.items())))
        name = f"{self._source.root} → {self._out.root}"[-128:]
        try:
            asked = {**self._options, "already_protected": PASS}
            return self._retry(lambda client: client.make_batch(name, asked, key))
        except Refusal as refusal:
            raise BadInput("invalid_option", str(refusal.problem.get("detail"))) from None

    def _sent(self, photo: Photo, batch: str) -> str:
        """The item of this version, perhaps of an earlier run; a failed one is sent again."""
        data = self._source.read(photo.name)
        name = PurePosixPath(photo.name).name
        key = _key(batch, photo.name, photo.version, str(photo.label))

        def submit(client: Client) -> str:
            while True:
                item = client.submit(
                    data,
                    "application/octet-stream",
                    name=name,
                    key=key,
                    label=photo.label,
                    batch=batch,
                )
                if item["state"] not in {"failed", "canceled"}:
                    return str(item["id"])
                client.delete(item["id"])

        return self._retry(submit)

    def _fetch(self, photo: Photo, target: str, item_id: str, batch: str) -> None:
        """Write the finished file; send a photo again that failed by the service's fault."""
        for left in reversed(range(TRIES)):
            item = self._retry(lambda client: client.ended(item_id, float("inf")))  # noqa: B023  # called at once
            if not left or (item["error"] or {}).get("status", 0) < SERVER_FAULT:
                break
            item_id = self._sent(photo, batch)
        done = item["state"] == "succeeded"
        if done:
            self._write(photo, target, item)
        if not self._keep:
            self._retry(lambda client: client.delete(item_id))
        if not done:
            problem = item["error"] or {}
            raise Refused(problem.get("detail") or f"It ended {item['state']}.")

    def _write(self, photo: Photo, target: str, item: dict[str, Any]) -> None:
        media_type = item["output"]["media_type"]
        made = self.origin_of(photo)
        named = self._named(target, media_type.removeprefix("image/"), made.photo)
        data = self._retry(lambda client: client.content(item["id"]))
        self._out.write(named, data, made, media_type, photo.modified_ns)
        with self._naming:
            self.own += item["source"]["protected"]
        self._notes.add(self._source.root + photo.name, item["measured"].get("notes", []))
        if named != target:
            self._notes.add(self._source.root + photo.name, [names.MISNAMED])

    def _named(self, target: str, kind: str, own: str) -> str:
        """An output name with the suffix of the format that the service has found."""
        fitting = names.output_name(target, kind, kind)
        if fitting == target:
            return target
        with self._naming:
            free = next(
                one
                for one in names.numbered_names(fitting)
                if self._taken.get(names.fold_case(one), own) == own
            )
            self._taken[names.fold_case(free)] = own
        return free

    def _retry(self, ask: Callable[[Client], Answer]) -> Answer:
        """Repeat a call while the service is unreachable or full."""
        until = time.monotonic() + RETRY_S
        pause = 0.2
        while True:
            try:
                return ask(self._client)
            except (Unavailable, Refusal) as error:
                busy = isinstance(error, Unavailable) or error.status in BUSY
                if not busy or time.monotonic() > until:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, 5.0)


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
