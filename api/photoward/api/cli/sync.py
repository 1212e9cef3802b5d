"""``photoward sync``: a folder or bucket through a running service into another one.

Outputs of the same version that exist already stay: an interrupted run continues. An event of the
store only triggers a comparison of the two places.
"""

from __future__ import annotations

import signal
import threading
from collections import defaultdict
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from photoward.api.cli import console
from photoward.api.cli.client import service_url
from photoward.api.cli.files import names
from photoward.api.cli.files.locations import Folder, Location, open_location
from photoward.api.cli.files.output_record import is_older
from photoward.api.cli.files.transfer import Photo, Refused, Transfer
from photoward.api.cli.options import Preset, ServiceUrl, Shaping
from photoward.core.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from photoward.api.cli.files.locations import FileVersion
    from photoward.api.cli.files.output_record import Origin

MAX_EVENT_BYTES = 1 << 20


@dataclass
class _SyncPlan:
    """The result of one comparison of the two locations."""

    pending: dict[Photo, str] = field(default_factory=dict)
    """Photo to protect → name of its output."""
    taken: dict[str, str] = field(default_factory=dict)
    """Output names in use (``fold_case``) → digest of the photo's name."""
    refused: dict[str, str] = field(default_factory=dict)
    """Name of a photo that cannot be protected → reason."""
    existing: int = 0
    others: int = 0


@dataclass
class _Synchronizer:
    """Compares the locations and protects the photos without an output."""

    source: Location
    out: Location
    transfer: Transfer
    output_format: str | None
    label: str | None
    labels_from_folders: bool
    refused: set[Photo] = field(default_factory=set)
    """Photos refused earlier: not sent again until they are replaced."""
    done: set[Photo] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)
    """Names whose refusal was printed."""

    def compare(self) -> _SyncPlan:
        """List both locations and find what is missing."""
        found, there = self.source.list_files(), self.out.list_files()
        if inside := self.out.subfolder_of(self.source):
            found = found.without(inside)  # outputs are not protected again
        made = self.out.origins(there.files)
        photos = {
            name: Photo(name, mark.version, self._label(name), mark.modified_ns)
            for name, mark in sorted(found.files.items())
            if names.is_picture(name)
        }
        targets = names.assign_targets(
            {name: names.output_name(name, None, self.output_format) for name in photos},
            lambda target: made[target].photo or None if target in made else None,
        )
        plan = _SyncPlan(refused=dict(found.skipped), others=len(found.files) - len(photos))
        plan.taken = {
            names.fold_case(name): made[name].photo if name in made else "" for name in there.files
        }
        plan.taken |= {
            names.fold_case(target): names.digest(name) for name, target in targets.items()
        }
        self._classify(photos, targets, there.files, made, plan)
        return plan

    def _classify(
        self,
        photos: dict[str, Photo],
        targets: dict[str, str],
        there: dict[str, FileVersion],
        made: dict[str, Origin],
        plan: _SyncPlan,
    ) -> None:
        """Sort the photos into existing, refused and pending ones."""
        known: defaultdict[str, list[Origin]] = defaultdict(list)
        for one in made.values():
            known[one.photo].append(one)
        originals = _entry_paths(self.source, photos)
        for name, photo in photos.items():
            target, wanted = targets[name], self.transfer.origin_of(photo)
            if (
                photo in self.done
                or any(one.fits(wanted) for one in known[wanted.photo])
                or _is_there(photo, wanted, there.get(target), made.get(target))
            ):
                plan.existing += 1
            elif why := self._obstacle(photo, target, originals):
                plan.refused[name] = why
            elif photo not in self.refused:
                plan.pending[photo] = target

    def _obstacle(self, photo: Photo, target: str, originals: set[Path]) -> str | None:
        if photo.label is not None and not photo.label.isprintable():
            return "Its folder's name is no label."
        if originals & _entry_paths(self.out, [target]):
            return "Its protected file would replace an original."
        return self.out.name_problem(target)

    def protect(self, plan: _SyncPlan) -> int:
        """Protect the pending photos and print refusals; the number of photos without an output."""
        for name in sorted(plan.refused.keys() - self.reported):
            console.print_refusal(self.source.root + name, plan.refused[name])
        self.reported |= plan.refused.keys()
        missed = self.transfer.run(plan.pending, plan.taken) if plan.pending else {}
        for photo, why in missed.items():
            console.print_refusal(self.source.root + photo.name, why)
        self.refused |= {photo for photo, why in missed.items() if isinstance(why, Refused)}
        self.done |= plan.pending.keys() - missed.keys()
        return len(missed)

    def _label(self, name: str) -> str | None:
        if not self.labels_from_folders:
            return self.label
        return PurePosixPath(name).parent.name or self.source.name


def _is_there(photo: Photo, wanted: Origin, found: FileVersion | None, made: Origin | None) -> bool:
    """Whether an output is the photo's: by its origin, or if that is unknown, by its date."""
    if found is None:
        return False
    return made.fits(wanted) if made else not is_older(found.modified_ns, photo.modified_ns)


def _entry_paths(where: Location, files: Iterable[str]) -> set[Path]:
    """Paths of files, if the location is a folder."""
    return {where.entry_path(name) for name in files} if isinstance(where, Folder) else set()


def sync(  # noqa: PLR0913  # one parameter an option
    source: Annotated[str, typer.Argument(help="Folder of photos, or s3://bucket/prefix.")],
    out: Annotated[
        str, typer.Argument(help="Folder for the protected files, or s3://bucket/prefix.")
    ],
    *,
    url: ServiceUrl = None,
    label: Annotated[
        str | None,
        typer.Option(help="What the photos show.", show_default="predicted by the service"),
    ] = None,
    labels_from_folders: Annotated[
        bool, typer.Option("--labels-from-folders", help="Use each photo's folder as its label.")
    ] = False,
    method: Annotated[
        str | None, typer.Option(help="Method.", show_default="that of the service")
    ] = None,
    preset: Preset = None,
    shaping: Shaping = None,
    output_format: Annotated[
        str | None,
        typer.Option(help="jpeg, png, webp or avif.", show_default="that of the photo"),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the photos in the service afterwards.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Continue until Ctrl-C.")] = False,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two comparisons, with --watch.")
    ] = 30.0,
    listen: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT for events of the object store, with --watch: each POST triggers a "
            "comparison.",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Protect the photos of a folder or bucket through a service, into another one.

    One output for each version of a photo; what Photoward has protected before is copied as it is.
    The API key comes from PHOTOWARD_API_KEY or `photoward login`, credentials and endpoint of
    buckets from AWS_*. Exit code 1: a file was refused.
    """
    if labels_from_folders and label is not None:
        raise BadInput("invalid_option", "Give --label or --labels-from-folders, not both.")
    if label is not None and not label.isprintable():
        raise BadInput("invalid_option", "--label takes printable characters.")
    if listen is not None and not watch:
        raise BadInput("invalid_option", "--listen goes with --watch.")
    options = {
        "method": method,
        "preset": preset,
        "shaping": shaping,
        "output_format": output_format,
    }
    here, there = open_location(source), open_location(out)
    if here.root == there.root:
        raise BadInput(
            "invalid_option", f"{out} contains the originals: choose another destination."
        )
    job = _Synchronizer(
        here,
        there,
        Transfer(service_url(url), here, there, options, keep=keep),
        output_format,
        label,
        labels_from_folders,
    )
    with closing(job.transfer), _interruptible():
        if watch:
            _watch(job, every, listen)
        _once(job, source)


def _once(job: _Synchronizer, source: str) -> None:
    plan = job.compare()
    if not (plan.pending or plan.existing or plan.refused):
        raise BadInput("invalid_option", f"{source} contains no photo.")
    missed = job.protect(plan)
    console.print_summary(
        protected=len(plan.pending) - missed - job.transfer.own,
        own=job.transfer.own,
        refused=missed + len(plan.refused),
        existing=plan.existing,
        others=plan.others,
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once; outputs are never half-written."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _watch(job: _Synchronizer, every: float, listen: str | None) -> NoReturn:
    """Compare now, at each event and periodically, until Ctrl-C."""
    wake_up = threading.Event()
    with ExitStack() as closing:
        if listen is not None:
            closing.enter_context(_listening(listen, wake_up))
        while True:
            wake_up.clear()
            try:
                plan = job.compare()
                missed = job.protect(plan)
                if plan.pending:
                    console.print_line(f"{len(plan.pending) - missed} protected, {missed} refused.")
            except Unavailable as error:
                console.print_line(f"{error.detail} Trying again in {every:g} s.")
            wake_up.wait(every)


@contextmanager
def _listening(address: str, wake_up: threading.Event) -> Iterator[None]:
    class EventHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class calls it so
            length = self.headers.get("Content-Length", "")
            if length.isdigit():
                self.rfile.read(min(int(length), MAX_EVENT_BYTES))
            wake_up.set()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:  # noqa: ANN401  # whatever it would log
            pass

    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise BadInput("invalid_option", "--listen takes HOST:PORT.")
    try:
        server = ThreadingHTTPServer((host.strip("[]"), int(port)), EventHandler)
    except (OSError, OverflowError) as error:
        raise BadInput("invalid_option", f"Cannot listen on {address}: {error}.") from error
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
