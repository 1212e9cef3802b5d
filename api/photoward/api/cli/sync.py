"""``photoward sync``: a folder or bucket through a running service into another, once or for good.

What is in the other one already, of the same version, is left as it is: an interrupted run goes on
where it stood. A store's event only says that it is time to look; what is there says what to do.
"""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from photoward.api.cli import folders
from photoward.api.cli.places import Place, place
from photoward.api.cli.transfer import THREADS, Photo, Refused, Transfer
from photoward.core.catalogue import PRESETS
from photoward.core.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_EVENT_BYTES = 1 << 20


@dataclass
class _Sync:
    """Looks from time to time, and brings over what is missing."""

    source: Place
    out: Place
    transfer: Transfer
    output_format: str | None
    label: str | None
    labels_from_folders: bool
    refused: set[Photo] = field(default_factory=set)
    """Of before: they are not sent again until they are replaced."""
    brought: set[Photo] = field(default_factory=set)

    def look(self) -> tuple[list[Photo], int, int]:
        """What is to be done; how many photos are there already, and how many other files."""
        found, there = self.source.listed(), self.out.listed()
        if self.out.root.startswith(self.source.root):  # what was made is not made again
            inside = self.out.root.removeprefix(self.source.root)
            found = {name: mark for name, mark in found.items() if not name.startswith(inside)}
        pictures = {
            name: mark for name, mark in sorted(found.items())
            if folders.is_picture(PurePosixPath(name))
        }  # fmt: skip
        photos = {self._photo(name, mark.version): mark for name, mark in pictures.items()}
        new = [photo for photo in photos if photo not in self.refused | self.brought]
        with ThreadPoolExecutor(THREADS) as threads:
            current = threads.map(
                lambda one: self.transfer.current(photos[one], one.target, there.get(one.target)),
                new,
            )
            left = [photo for photo, is_there in zip(new, current, strict=True) if not is_there]
        already = len(photos) - len(left) - sum(photo in self.refused for photo in photos)
        return left, already, len(found) - len(pictures)

    def bring(self, photos: list[Photo]) -> int:
        """Have them protected; how many were not."""
        missed = self.transfer.run(photos)
        for photo, why in missed.items():
            folders.refuse(self.source.root + photo.name, why)
        self.refused |= {photo for photo, why in missed.items() if isinstance(why, Refused)}
        self.brought |= set(photos) - missed.keys()
        return len(missed)

    def _photo(self, name: str, version: str) -> Photo:
        path = PurePosixPath(name)
        folder = path.parent.name or self.source.name
        label = folder if self.labels_from_folders else self.label
        target = folders.target_name(path, self.output_format)
        return Photo(name, version, target.as_posix(), label)


def sync(  # noqa: PLR0913  # one option each
    source: Annotated[str, typer.Argument(help="A folder of pictures, or s3://bucket/prefix.")],
    out: Annotated[str, typer.Argument(help="Where the protected files go: likewise.")],
    *,
    url: Annotated[str, typer.Option(help="Of the service.")] = "http://127.0.0.1:8080",
    label: Annotated[str | None, typer.Option(help="What the pictures show.")] = None,
    labels_from_folders: Annotated[
        bool, typer.Option("--labels-from-folders", help="A picture's folder is its label.")
    ] = False,
    method: str | None = None,
    preset: Annotated[str | None, typer.Option(help=f"{', '.join(PRESETS)}.")] = None,
    shaping: str | None = None,
    output_format: Annotated[str | None, typer.Option(help="jpeg, png, webp or avif.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the photos in the service.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 30.0,
    listen: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT, for events of the store, of any form: each POST is a reason to look."
        ),
    ] = None,
) -> None:
    """Send a folder's or bucket's pictures to a service and write what comes back into another.

    One output for each version of a picture. An API key is taken from PHOTOWARD_API_KEY, buckets'
    credentials and endpoint from AWS_*. Exit code 1: some file was refused.
    """
    if labels_from_folders and label is not None:
        raise BadInput("invalid_option", "Give --label or --labels-from-folders, not both.")
    if listen is not None and not watch:
        raise BadInput("invalid_option", "--listen goes with --watch.")
    options = {"method": method, "preset": preset, "shaping": shaping,
               "output_format": output_format}  # fmt: skip
    here, there = place(source), place(out)
    if here.root == there.root:
        raise BadInput("invalid_option", f"{out} holds the originals: choose another place.")
    job = _Sync(
        here, there, Transfer(url, here, there, options, keep=keep), output_format, label,
        labels_from_folders,
    )  # fmt: skip
    with closing(job.transfer), _interruptible():
        if watch:
            _watch(job, every, listen)
        _once(job, source)


def _once(job: _Sync, source: str) -> None:
    left, already, others = job.look()
    if not left and not already:
        raise BadInput("invalid_option", f"There is no picture in {source}.")
    refused = job.bring(left) if left else 0
    folders.conclude(
        protected=len(left) - refused, refused=refused, there=already, others=others
    )  # fmt: skip


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends it at once, whatever its threads wait for: nothing is ever half-written."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _watch(job: _Sync, every: float, listen: str | None) -> NoReturn:
    """Look now, at each event and from time to time, until Ctrl-C."""
    reason = threading.Event()
    with ExitStack() as closing:
        if listen is not None:
            closing.enter_context(_listening(listen, reason))
        while True:
            reason.clear()
            try:
                left, _, _ = job.look()
                if left:
                    refused = job.bring(left)
                    folders.say(f"{len(left) - refused} protected, {refused} refused.")
            except Unavailable as error:
                folders.say(f"{error.detail} Looking again in {every:g} s.")
            reason.wait(every)


@contextmanager
def _listening(address: str, reason: threading.Event) -> Iterator[None]:
    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class calls it so
            length = self.headers.get("Content-Length", "")
            if length.isdigit():
                self.rfile.read(min(int(length), MAX_EVENT_BYTES))
            reason.set()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:  # noqa: ANN401  # whatever it would log
            pass

    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise BadInput("invalid_option", "--listen takes HOST:PORT.")
    try:
        server = ThreadingHTTPServer((host.strip("[]"), int(port)), Ear)
    except (OSError, OverflowError) as error:
        raise BadInput("invalid_option", f"{address} cannot be listened at: {error}.") from error
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
