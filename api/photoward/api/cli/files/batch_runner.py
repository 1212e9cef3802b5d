"""Runs the worker's pipeline over planned files in this process, two batches at a time.

A photo or output that fails does not stop the others.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeAlias

from photoward.core.errors import BadInput, PhotowardError, Unavailable, is_ours
from photoward.core.imaging.sniff import Limits, sniff
from photoward.core.output_marks import is_marked
from photoward.worker.pipeline import Job, Pipeline, Protected, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from photoward.api.cli.files.output_record import Origin
    from photoward.api.cli.files.plan import PlannedFile
    from photoward.core.catalogue import Catalogue
    from photoward.core.settings import Settings

Batch: TypeAlias = "dict[str, tuple[PlannedFile, Job]]"
Ended: TypeAlias = "Callable[[PlannedFile, Protected | PhotowardError], None]"


class Writer(Protocol):
    """Takes finished files."""

    def write(
        self, name: str, data: bytes, origin: Origin, media_type: str, modified_ns: int
    ) -> None:
        """Write a file whole. Raises Unavailable."""


class BatchRunner:
    """Protects planned files and writes them.

    Args:
        pipeline: protects the batches; the caller closes it.
        catalogue: completes a photo's options once its size is known.
        settings: limits of a photo and of a batch.
        secret: the tenant's secret.
        out: takes the outputs.
        on_end: called with each file's result, from any thread.
    """

    def __init__(  # noqa: PLR0913  # one parameter an option
        self,
        pipeline: Pipeline,
        catalogue: Catalogue,
        settings: Settings,
        *,
        secret: bytes,
        out: Writer,
        on_end: Ended,
    ) -> None:
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._settings = settings
        self._secret = secret
        self._out = out
        self._on_end = on_end

    def run(self, entries: Iterable[PlannedFile]) -> None:
        """Decode and encode one batch while the noise of the other is made."""
        going: deque[Future[None]] = deque()
        with ThreadPoolExecutor(2, "batch") as threads:
            for batch in self._batches(entries):
                going.append(threads.submit(self._protect, batch))
                if len(going) > 1:
                    going.popleft().result()
            while going:
                going.popleft().result()

    def _batches(self, entries: Iterable[PlannedFile]) -> Iterator[Batch]:
        """Group files as a worker's claim does: compatible, and within the limits of a batch."""
        waiting: dict[str, Batch] = {}
        megapixels: dict[str, float] = {}
        for number, entry in enumerate(entries):
            try:
                job, key = self._job(str(number), entry)
            except PhotowardError as error:
                self._on_end(entry, error)
                continue
            size = job.width * job.height / 1e6
            batch = waiting.setdefault(key, {})
            if batch and (
                len(batch) >= self._settings.worker_max_batch_items
                or megapixels[key] + size > self._settings.worker_max_batch_megapixels
            ):
                yield waiting.pop(key)
                batch = waiting.setdefault(key, {})
                megapixels[key] = 0.0
            megapixels[key] = megapixels.get(key, 0.0) + size
            batch[job.id] = entry, job
        yield from waiting.values()

    def _job(self, name: str, entry: PlannedFile) -> tuple[Job, str]:
        """A job, and the key that jobs of one batch share. Raises PhotowardError."""
        limits = Limits(
            self._settings.imaging_max_megapixels, self._settings.imaging_max_side_pixels
        )
        try:
            data = entry.photo.source.read_bytes()
        except OSError as error:
            raise BadInput("corrupt", f"It cannot be read: {error.strerror}.") from error
        if is_marked(data):
            raise BadInput("already_protected", "It is protected already, and was left as it is.")
        header = sniff(data, limits, complete=True)
        if header is None:
            raise BadInput("truncated", "The file ends within its header.")
        options, key = self._catalogue.placed(entry.options, header.width, header.height)
        (leaving,) = options.placements(header.width, header.height)
        return Job(name, data, options.of(leaving), self._secret, *leaving.size), key

    def _protect(self, batch: Batch, *, last: bool = False) -> None:
        """Protect a batch; try jobs that failed by our fault once more, each alone."""
        left = dict(batch)

        def end(outcome: Protected | Refused) -> None:
            ours = isinstance(outcome, Refused) and is_ours(outcome.error.code)
            if last or not ours:
                self._end(left.pop(outcome.id)[0], outcome)

        try:
            self._pipeline.protect([job for _, job in batch.values()], on_end=end)
        except Unavailable as error:
            if last:
                for entry, job in left.values():
                    self._end(entry, Refused(job.id, error))
                return
        for name, one in left.items():
            self._protect({name: one}, last=True)

    def _end(self, entry: PlannedFile, outcome: Protected | Refused) -> None:
        if isinstance(outcome, Refused):
            self._on_end(entry, outcome.error)
            return
        modified_ns = entry.photo.mark.modified_ns
        try:
            self._out.write(
                entry.target, outcome.data, entry.origin, outcome.media_type, modified_ns
            )
        except PhotowardError as error:
            self._on_end(entry, error)
        else:
            self._on_end(entry, outcome)
