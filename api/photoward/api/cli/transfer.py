"""Photos from one place through a running service to another, as one batch."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from photoward.api.cli import folders
from photoward.api.cli.client import Client, Refusal
from photoward.core.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.api.cli.places import Mark, Place

THREADS = 4
PATIENCE_S = 120.0
"""How long a service that is away or full is waited for, a file."""

SURE_S = 3600.0
"""What is that much younger than its photo was made of it; of others the place is asked."""

BUSY = frozenset({429, 503})

OURS, TRIES = 500, 3
"""From which status on the service is at fault, and how often a photo is sent then."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Photo:
    """One version of a file to protect."""

    name: str
    version: str
    target: str
    label: str | None


class Refused(Exception):  # noqa: N818  # it is what happened
    """The service cannot protect a photo, and will not when it is asked again."""


class Transfer:
    """Sends photos and writes what comes back.

    Args:
        url: of the service.
        source: where the photos are.
        out: where the protected files go.
        options: what the service is asked for.
        keep: whether photos stay in the service.
    """

    def __init__(
        self, url: str, source: Place, out: Place, options: dict[str, Any], *, keep: bool
    ) -> None:
        self._source, self._out, self._keep = source, out, keep
        self._client = Client(url)
        self._options = {name: value for name, value in options.items() if value is not None}

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def current(self, mark: Mark, target: str, found: Mark | None) -> bool:
        """Whether the protected file of this version is there already."""
        if found is None or found.modified - mark.modified > SURE_S:
            return found is not None
        made_from = self._out.made_from(target)
        return found.modified >= mark.modified if made_from is None else made_from == mark.version

    def run(self, photos: Sequence[Photo]) -> dict[Photo, Refused | Unavailable]:
        """Send and fetch, several at a time; for which there is no file now, and why."""
        batch = self._batch()
        missed: dict[Photo, Refused | Unavailable] = {}
        with (
            folders.progress() as bar, ThreadPoolExecutor(THREADS) as sending,
            ThreadPoolExecutor(THREADS) as fetching,
        ):  # fmt: skip
            sent, fetched = (bar.add_task(what, total=len(photos)) for what in ("send", "fetch"))

            def send(photo: Photo) -> str:
                try:
                    return self._sent(photo, batch)
                finally:
                    bar.advance(sent)

            def fetch(photo: Photo, item_id: Callable[[], str]) -> None:
                try:
                    self._fetch(photo, item_id(), batch)
                except Refusal as refusal:
                    missed[photo] = Refused(refusal.problem.get("detail"))
                except (Refused, Unavailable) as error:
                    missed[photo] = error
                bar.advance(fetched)

            going = [sending.submit(send, photo) for photo in photos]
            ends = [
                fetching.submit(fetch, photo, one.result)
                for photo, one in zip(photos, going, strict=True)
            ]
            for end in ends:
                end.result()
        return missed

    def _batch(self) -> str:
        """One for all that goes from here to there with these options within a day."""
        key = _key(self._source.root, self._out.root, *sorted(map(str, self._options.items())))
        name = f"{self._source.root} → {self._out.root}"[-128:]
        try:
            return self._patiently(lambda client: client.make_batch(name, self._options, key))
        except Refusal as refusal:
            raise BadInput("invalid_option", str(refusal.problem.get("detail"))) from None

    def _sent(self, photo: Photo, batch: str) -> str:
        """The item of this version: a run before may have sent it; what failed is sent anew."""
        data = self._source.read(photo.name)
        name = PurePosixPath(photo.name).name
        key = _key(batch, photo.name, photo.version, str(photo.label))

        def submit(client: Client) -> str:
            while True:
                item = client.submit(
                    data, "application/octet-stream", name=name, key=key, label=photo.label,
                    batch=batch,
                )  # fmt: skip
                if item["state"] not in {"failed", "cancelled"}:
                    return str(item["id"])
                client.delete(item["id"])

        return self._patiently(submit)

    def _fetch(self, photo: Photo, item_id: str, batch: str) -> None:
        """Write the finished file; what fails by the service's fault is sent again a few times."""
        for left in reversed(range(TRIES)):
            item = self._patiently(lambda client: client.ended(item_id, float("inf")))  # noqa: B023  # called at once
            if not left or (item["error"] or {}).get("status", 0) < OURS:
                break
            item_id = self._sent(photo, batch)
        done = item["state"] == "done"
        if done:
            data = self._patiently(lambda client: client.content(item_id))
            self._out.write(photo.target, data, photo.version)
        if not self._keep:
            self._patiently(lambda client: client.delete(item_id))
        if not done:
            problem = item["error"] or {}
            raise Refused(problem.get("detail") or f"It ended {item['state']}.")

    def _patiently(self, ask: Callable[[Client], Found]) -> Found:
        """Ask again while the service is away or full."""
        until = time.monotonic() + PATIENCE_S
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
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
