"""A batch's way: decode → perturb → encode → verify.

Pictures are handled by the limited imaging children (they alone hold full-size pixels); here only
working grids meet the surrogate. Knows no ledger, bucket or queue, so a worker and the command
line protect with the same code.
"""

from __future__ import annotations

import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from photoward.core import key_derivation, rights
from photoward.core.catalogue import DETAIL, PHOTO_GRID, grid_side, strength
from photoward.core.errors import PhotowardError, Unavailable
from photoward.core.failpoints import HANGING, hang
from photoward.core.imaging import fingerprint
from photoward.core.jobs import Stage
from photoward.core.output_marks import mark_id, output_mark
from photoward.core.proofs import Fingerprint
from photoward.core.targets import MemoryTargets
from photoward.core.timings import StageTimings
from photoward.models.methods.base import Brief
from photoward.models.methods.registry import METHODS, make
from photoward.models.pixels import from_bytes
from photoward.worker import label_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.core.catalogue import Catalogue
    from photoward.core.imaging.sandbox.pool import Finished, ImagingPool, Opened
    from photoward.core.jobs import Options
    from photoward.core.renditions import Box
    from photoward.core.targets import Target, Targets
    from photoward.models.methods.base import Method
    from photoward.models.surrogates.cache import SurrogateCache
    from photoward.models.surrogates.pretrained import NetworkSet
    from photoward.models.surrogates.surrogate import Surrogate
    from photoward.worker.provenance import Signer


FIRST = 8
"""Of a new label's pictures in one batch, so many say what it shows."""


@dataclass(frozen=True)
class Job:
    """One picture to protect."""

    id: str
    data: bytes
    options: Options
    secret: bytes
    """The tenant's secret."""
    width: int
    """In which it leaves, pixels; decides the working grid."""
    height: int
    tenant: str = ""
    """Whose label it is."""
    rendition: str = ""
    """Which of its item's files it is."""
    box: Box | None = None
    """The part of the picture that is shown; None: all."""


@dataclass(frozen=True)
class Protected:
    """A finished, verified file."""

    id: str
    rendition: str
    """As the job said."""
    data: bytes
    media_type: str
    label_used: str | None
    label_source: str | None
    measured: dict[str, Any]
    fingerprint: Fingerprint | None = None
    """None: it was protected before."""
    timings: StageTimings = field(default_factory=StageTimings)


@dataclass(frozen=True)
class Refused:
    """A picture that cannot be protected, and why."""

    id: str
    error: PhotowardError


@dataclass
class BatchStats:
    """How a batch went, besides its outcomes."""

    waited_s: float = 0.0
    """For another batch's noise."""
    memory_share: float = 1.0
    """Share of the batch that the accelerator's memory held at once."""


@dataclass
class _Work:
    """A picture on its way."""

    job: Job
    opened: Opened
    grid: int = 0
    """Side of the working grid; the pixels may be finer."""
    label: str = ""
    label_source: str = "given"
    target: Target | None = None
    noise: np.ndarray[Any, np.dtype[np.int16]] | None = None
    timings: StageTimings = field(default_factory=StageTimings)


class Pipeline:
    """Protects batches of compatible pictures.

    Two threads may each protect a batch: while the noise of one is made, and only one at a time
    is, the other's pictures are decoded or encoded.

    Args:
        pool: the imaging children.
        cache: the loaded surrogates.
        threads: pictures that are decoded or encoded side by side.
        signer: signs finished files; None: they are not signed.
        targets: keeps what labels are steered to; None: as long as this lives.
    """

    def __init__(
        self,
        pool: ImagingPool,
        cache: SurrogateCache,
        threads: int,
        signer: Signer | None = None,
        targets: Targets | None = None,
    ) -> None:
        self._pool = pool
        self._targets = targets or MemoryTargets()
        self._signer = signer
        self._cache = cache
        self._threads = ThreadPoolExecutor(threads, "imaging")
        self._noise = threading.Lock()

    @property
    def device(self) -> torch.device:
        """Where the noise is made."""
        return self._cache.device

    def close(self) -> None:
        """Let go of the threads; pool and cache belong to the caller."""
        self._threads.shutdown()

    def warm_up(self, catalogue: Catalogue) -> None:
        """Load what the default asks for and make noise once on both grids: no upload waits."""
        usual = catalogue.options()
        size = catalogue.surrogates[usual.surrogate].size
        for side in (size, PHOTO_GRID + 1):
            options, _ = catalogue.placed(usual, side, side)
            surrogate = self._cache.get(options.surrogate)
            networks = self._cache.networks(options.networks) if options.networks else None
            method = make(options.method, surrogate, options.preset, networks).hastened()
            grid = grid_side(options.method, surrogate.card.size, side, side)
            brief = Brief(
                epsilon=1.0,
                aspect=1.0,
                anchor=0,
                stream=np.zeros(method.stream_bytes(grid), np.uint8),
                label_stream=np.zeros(method.label_bytes(grid), np.uint8),
                direction=np.ones(surrogate.card.feature_dim, np.float32),
            )
            method.perturb(np.zeros((1, grid, grid, 3), np.uint8), [brief])

    def protect(
        self,
        jobs: Sequence[Job],
        on_stage: Callable[[Stage], None] = lambda _: None,
        stats: BatchStats | None = None,
        on_end: Callable[[Protected | Refused], None] = lambda _: None,
    ) -> list[Protected | Refused]:
        """Protect a batch; one bad picture never stops the rest.

        Args:
            jobs: compatible pictures: equal method, target and surrogate; fastest together
                when equal in working grid.
            on_stage: told when the batch enters a stage.
            stats: filled in, for who learns from it.
            on_end: told of each picture, as soon as it is finished or refused.

        Returns:
            One outcome a job, in no particular order.

        Raises:
            Unavailable: the fault is ours; the whole batch may be tried again.
        """
        stats = stats or BatchStats()
        on_stage(Stage.DECODE)
        opened = list(self._threads.map(self._open, jobs))
        work = [entry for entry in opened if isinstance(entry, _Work)]
        refused = [entry for entry in opened if isinstance(entry, Refused)]
        try:
            for one in refused:
                if isinstance(one.error, Unavailable):
                    raise one.error
            if work:
                on_stage(Stage.PERTURB)
                began = time.perf_counter()
                with self._noise:
                    stats.waited_s = time.perf_counter() - began
                    for grid in sorted({entry.grid for entry in work}):
                        own = [entry for entry in work if entry.grid == grid]
                        refused += self._perturb(own, stats)
                on_stage(Stage.ENCODE)
            perturbed = [entry for entry in work if entry.noise is not None]
            ended = []
            for outcome in chain(refused, self._threads.map(self._finish, perturbed)):
                on_end(outcome)
                ended.append(outcome)
            return ended
        finally:
            for entry in work:
                self._pool.close(entry.opened)

    def _open(self, job: Job) -> _Work | Refused:
        """Raises nothing of ours, so that what was opened beside it can be closed."""
        known = self._cache.cards.get(job.options.surrogate)
        if known is None:  # it was there when the picture was accepted
            detail = f"The surrogate {job.options.surrogate} is not installed any more."
            return Refused(job.id, PhotowardError("internal_error", detail))
        try:
            size, own = (job.width, job.height), known[0].size
            grid = grid_side(job.options.method, own, *size)
            fine = grid if grid == own else DETAIL * grid
            work = _Work(job, self._pool.open(job.data, grid=fine, size=size, box=job.box), grid)
        except PhotowardError as error:
            return Refused(job.id, error)
        work.timings.record({"decode": work.opened.seconds})
        return work

    def _perturb(
        self, work: Sequence[_Work], stats: BatchStats, share: float = 1.0
    ) -> list[Refused]:
        """Give each entry its noise; halve the batch when it fails, to find the one at fault."""
        began = time.perf_counter()
        options = work[0].job.options
        surrogate = self._cache.get(options.surrogate)
        networks = self._cache.networks(options.networks) if options.networks else None
        method = make(options.method, surrogate, options.preset, networks)
        try:
            self._choose_labels(work, method, surrogate, networks)
            hang(HANGING)
            noise = method.perturb(
                np.stack([entry.opened.pixels for entry in work]),
                _briefs(work, method, surrogate),
                work[0].grid,
            )
        except torch.cuda.OutOfMemoryError as error:
            if len(work) == 1:
                raise Unavailable("The GPU has too little memory for one job group.") from error
            torch.cuda.empty_cache()
            stats.memory_share = min(stats.memory_share, share / 2)
            return self._halves(work, stats, share / 2)
        except (ValueError, ArithmeticError) as error:
            if len(work) > 1:
                return self._halves(work, stats, share / 2)
            detail = f"The noise could not be made: {error}."
            return [Refused(work[0].job.id, PhotowardError("internal_error", detail))]
        share = (time.perf_counter() - began) / len(work)
        for entry, own in zip(work, noise, strict=True):
            entry.noise = own
            entry.timings.record({"perturb": share})
        return []

    def _halves(self, work: Sequence[_Work], stats: BatchStats, share: float) -> list[Refused]:
        middle = len(work) // 2
        return [
            *self._perturb(work[:middle], stats, share),
            *self._perturb(work[middle:], stats, share),
        ]

    def _choose_labels(
        self,
        work: Sequence[_Work],
        method: Method,
        surrogate: Surrogate,
        networks: NetworkSet | None,
    ) -> None:
        """The label that was given, or what is seen in the unprotected picture; and its target."""
        unlabelled = [entry for entry in work if entry.job.options.label is None]
        for entry, label in zip(
            unlabelled, self._seen_in(unlabelled, surrogate, networks), strict=True
        ):
            entry.label, entry.label_source = label, "predicted"
        labels: dict[label_targets.Label, list[_Work]] = {}
        for entry in work:
            entry.label = entry.label or entry.job.options.label or ""
            job = entry.job
            against = f"{job.options.surrogate}/{job.options.networks or ''}"
            whose = label_targets.Label(job.tenant, job.secret, entry.label, against)
            labels.setdefault(whose, []).append(entry)
        if not method.spec.steered or (surrogate.card.code and not networks):
            return  # filters and codewords follow from the label alone
        for whose, theirs in labels.items():
            samples = [_sample(entry) for entry in theirs[:FIRST]]
            first = functools.partial(label_targets.sighting, whose, samples, networks, surrogate)
            target = self._targets.get_or_choose(whose.tenant, whose.digest, first)
            for entry in theirs:
                entry.target = target

    def _seen_in(
        self,
        work: Sequence[_Work],
        surrogate: Surrogate,
        networks: NetworkSet | None,
    ) -> list[str]:
        """A label for each picture that has none."""
        if not work:
            return []
        samples = [_sample(entry) for entry in work]
        if networks:
            return [
                label_targets.likely_group(one).name
                for one in label_targets.class_probabilities(networks, samples)
            ]
        surrogate = self._cache.get(surrogate.card.labeller or surrogate.card.name)
        grids = np.stack([sample.pixels for sample in samples])
        aspects = torch.tensor([sample.aspect for sample in samples], device=surrogate.device)
        found = surrogate.predict(from_bytes(grids, surrogate.device), aspects)
        return [surrogate.card.classes[index] for index in found]

    def _finish(self, entry: _Work) -> Protected | Refused:
        job = entry.job
        if entry.noise is None:
            raise ValueError(job.id)
        bound = job.options.epsilon if METHODS[job.options.method].bounded else None
        done = repr(replace(job.options, label=entry.label))  # given or predicted: the same file
        mark = output_mark(key_derivation.mark_seed(job.secret, entry.opened.digest, done))
        try:
            finished = self._pool.finish(
                entry.opened,
                entry.noise,
                epsilon=bound,
                output_format=job.options.output_format,
                data_mining=job.options.data_mining,
                metadata=list(filter(None, job.options.keep_exif.split(","))),
                stated={name: getattr(job.options, name) for name in rights.STATEMENTS},
                quality=job.options.quality,
                instance=mark,
            )
        except Unavailable:
            raise
        except PhotowardError as error:
            return Refused(job.id, error)
        entry.timings.record(finished.seconds)
        data = finished.data
        if self._signer:
            began = time.perf_counter()
            data = self._signed(self._signer, finished)
            entry.timings.record({"sign": time.perf_counter() - began})
        measured = finished.measured | {
            "seconds": entry.timings.seconds(),
            "notes": [*entry.opened.notes, *self._misgivings(job)],
        }
        return Protected(
            job.id,
            job.rendition,
            data,
            finished.media_type,
            entry.label,
            entry.label_source,
            measured,
            _fingerprint(mark, finished),
            entry.timings,
        )

    def _signed(self, signer: Signer, finished: Finished) -> bytes:
        """The file with a manifest, once it is seen that its picture is the very same."""
        data = signer.sign(finished.data, finished.media_type, finished.data_mining)
        if self._seen(data) != self._seen(finished.data):
            raise Unavailable("Signing has changed the pixels.")
        return data

    def _seen(self, data: bytes) -> bytes:
        opened = self._pool.open(data, grid=1)
        self._pool.close(opened)
        return opened.digest

    def _misgivings(self, job: Job) -> list[str]:
        """What was done as asked, though the surrogate's card advises against it."""
        card, _ = self._cache.cards[job.options.surrogate]
        if card.photos and (job.width, job.height) != (card.size, card.size):
            better = f"for pictures of this size {card.photos} is better"
            return [f"{card.name} has not learnt noise that survives resizing: {better}."]
        return []


def _fingerprint(mark: str, finished: Finished) -> Fingerprint:
    before, after = map(fingerprint.thumbnail, (finished.before, finished.after))
    hashes, sketch = fingerprint.hashes(after), fingerprint.noise_sketch(before, after)
    return Fingerprint(mark_id(mark), hashes, sketch)


def _aspect(entry: _Work) -> float:
    return entry.opened.width / entry.opened.height


def _sample(entry: _Work) -> label_targets.PixelSample:
    return label_targets.PixelSample(entry.opened.pixels, _aspect(entry))


def _briefs(work: Sequence[_Work], method: Method, surrogate: Surrogate) -> list[Brief]:
    """What the method is told; a tenant's label directions are computed once."""
    directions = functools.cache(functools.partial(label_targets.label_directions, surrogate))
    return [_brief(entry, method, surrogate, directions) for entry in work]


def _brief(
    entry: _Work,
    method: Method,
    surrogate: Surrogate,
    directions: Callable[[bytes], torch.Tensor],
) -> Brief:
    """What the method is told of one picture; here the tenant's secret becomes noise."""
    options, secret, card = entry.job.options, entry.job.secret, surrogate.card
    epsilon, target = options.epsilon or 0.0, entry.target
    seed = key_derivation.image_seed(secret, method.spec.version, epsilon, entry.opened.digest)
    stream = key_derivation.key_stream(seed, method.stream_bytes(entry.grid))
    label_stream = key_derivation.label_stream(
        secret, "filter", entry.label, method.label_bytes(entry.grid)
    )
    direction = None
    code: tuple[int, ...] | None = None
    if options.target == "logits":
        code = (card.classes.index(entry.label),)
    elif options.target == "prototype" and card.code:
        code = key_derivation.codeword(secret, entry.label, card.code)
    elif options.target == "prototype" and target:
        direction = directions(secret)[target.vertex].numpy()
    eye = strength(options.preset, epsilon) if options.shaping == "perceptual" and epsilon else None
    return Brief(
        epsilon=epsilon,
        stream=np.frombuffer(stream, np.uint8),
        aspect=_aspect(entry),
        grey=entry.opened.grey,
        eye=eye,
        side=max(entry.job.width, entry.job.height),
        direction=direction,
        code=code,
        anchor=target.anchor if target else None,
        label_stream=np.frombuffer(label_stream, np.uint8),
    )
