"""Works off one claimed batch: fetch and check → pipeline → store → ledger → tidy up."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from photoward.core import api_keys, telemetry
from photoward.core.errors import NotFound, PhotowardError, Unavailable, is_ours
from photoward.core.failpoints import failpoint
from photoward.core.jobs import MAX_ATTEMPTS, Failure, Output, Rendition, Result, State
from photoward.core.key_derivation import tenant_secret
from photoward.core.object_keys import object_keys, original_key, output_keys
from photoward.core.proofs import FACTS, NewProof
from photoward.core.timings import StageTimings
from photoward.core.tracing import NO_OP
from photoward.worker.claim import held
from photoward.worker.pipeline import BatchStats, Job, Protected, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from photoward.core.jobs import Item, Options
    from photoward.core.ledger import Ledger
    from photoward.core.storage import ObjectStore
    from photoward.core.tracing import JobGroupSpan, Tracer
    from photoward.worker.batch_sizer import BatchSizer
    from photoward.worker.pipeline import Pipeline

log = structlog.get_logger(__name__)


class JobGroupWorker:
    """What one worker process needs to work off batches."""

    def __init__(  # noqa: PLR0913  # one collaborator each
        self,
        *,
        ledger: Ledger,
        store: ObjectStore,
        pipeline: Pipeline,
        sizer: BatchSizer,
        master: bytes,
        lease_s: float,
        tracer: Tracer = NO_OP,
    ) -> None:
        self.ledger = ledger
        self.store = store
        self.pipeline = pipeline
        self.sizer = sizer
        self._master = master
        self._lease_s = lease_s
        self._tracer = tracer

    def work_off(self, items: Sequence[Item], encoded: Callable[[], None] = lambda: None) -> int:
        """Bring a claimed batch to its end; the number of items that ended.

        Args:
            items: of one claim.
            encoded: told when only files are left in memory, no pixels.

        Raises:
            Unavailable: ledger or store are away; the items were given back or their lease
                runs out. After any other exception but a request to leave the lease runs out,
                so that the attempt counts: what always fails must not stand at the head of the
                queue for ever.
        """
        token = items[0].lease_token or ""
        telemetry.JOB_GROUP_ITEMS.observe(len(items))
        began, stats = time.perf_counter(), BatchStats()
        failpoint("claimed")
        spent = {item.id: StageTimings() for item in items}
        try:
            with (
                self._tracer.job_group(items) as span,
                held(self.ledger, token, self._lease_s) as tell,
            ):
                salts = {one: self.ledger.tenants.salt(one) for one in {i.tenant for i in items}}
                jobs, ended_early = self._fetch(items, spent, salts)
                failpoint("fetched")
                with api_keys.bound_tenant_salts(
                    salts
                ):  # of who is erased meanwhile no target is kept
                    outcomes = [*self.pipeline.protect(jobs, tell, stats), *ended_early]
                failpoint("protected")
                encoded()
                ended = self._settle(token, items, outcomes, spent, span)
        except (Unavailable, KeyboardInterrupt, SystemExit):
            self._give_back(token)
            raise
        self._record_cost(items, time.perf_counter() - began, stats)
        return ended

    def _record_cost(self, items: Sequence[Item], took_s: float, stats: BatchStats) -> None:
        group_key = items[0].group_key
        count = sum(not item.source.protected for item in items)
        if not count:
            return
        memory_share = None if stats.memory_share == 1 else int(count * stats.memory_share)
        cost = self.sizer.record(group_key, count, took_s - stats.waited_s, memory_share)
        telemetry.JOB_GROUP_LIMIT.labels(group_key).set(cost.size)
        telemetry.JOB_GROUP_ITEM_SECONDS.labels(group_key).set(cost.item_seconds)
        telemetry.JOB_GROUP_FIXED_SECONDS.labels(group_key).set(cost.fixed_seconds)

    def _give_back(self, token: str) -> None:
        try:
            self.ledger.items.release(token)
        except Unavailable:
            return  # then the lease runs out by itself

    def _fetch(
        self, items: Sequence[Item], spent: dict[str, StageTimings], salts: Mapping[str, bytes]
    ) -> tuple[list[Job], list[Protected | Refused]]:
        """What there is to do, and what of it has ended already."""
        jobs: list[Job] = []
        ended: list[Protected | Refused] = []
        for item in items:
            try:
                with _timed(spent[item.id], "fetch"):
                    data = self.store.get(original_key(item.tenant, item.id))
            except NotFound:
                detail = "The original is gone from the store."
                ended.append(Refused(item.id, PhotowardError("internal_error", detail)))
                continue
            if hashlib.sha256(data).hexdigest() != item.source.sha256:
                detail = "The stored original is not what was uploaded."
                ended.append(Refused(item.id, PhotowardError("internal_error", detail)))
                continue
            if item.source.protected:
                ended.append(_as_it_is(item, data))
                continue
            secret = tenant_secret(self._master, salts[item.tenant])
            source = item.source
            for one in item.options.placements(source.width, source.height):
                options = item.options.of(one)
                jobs.append(
                    Job(
                        item.id,
                        data,
                        options,
                        secret,
                        one.width,
                        one.height,
                        item.tenant,
                        one.name,
                        one.box,
                    )
                )
        return jobs, ended

    def _settle(
        self,
        token: str,
        claimed: Sequence[Item],
        outcomes: Sequence[Protected | Refused],
        spent: dict[str, StageTimings],
        span: JobGroupSpan,
    ) -> int:
        """Publish: objects first, then one transaction, then what nobody needs any more."""
        items = {item.id: item for item in claimed}
        refused = {o.id: o.error for o in outcomes if isinstance(o, Refused)}
        made: dict[str, dict[str, Protected]] = {}
        for o in outcomes:
            if isinstance(o, Protected):
                spent[o.id] += o.timings
                if o.id not in refused:
                    made.setdefault(o.id, {})[o.rendition] = o
        results = []
        for item_id, files in made.items():
            with _timed(spent[item_id], "store"):
                results.append(self._store(items[item_id], files))
        failpoint("output-stored")
        again = {item_id for item_id, e in refused.items() if _may_go_well(items[item_id], e)}
        failures = [
            Failure(item_id, e.code, e.detail)
            for item_id, e in refused.items()
            if item_id not in again
        ]
        done = self.ledger.items.complete(token, results) if results else set()
        failpoint("ledger-stored")
        failed = self.ledger.items.fail(token, failures) if failures else set()
        if again:  # nothing else is still held
            self.ledger.items.release(token, counted=True)
        for item_id in done:
            _count_done(items[item_id], spent[item_id])
            span.record_image(items[item_id], spent[item_id])
        for item_id in failed:
            _count_failed(items[item_id], refused[item_id].code)
            span.record_image(items[item_id], spent[item_id], refused[item_id].code)
        for item_id in again:
            _tell_again(items[item_id], refused[item_id])
        kept = {item_id for item_id in failed if is_ours(refused[item_id].code)}
        self._tidy(items, results, done, failed - kept)
        return len(done) + len(failed)

    def _store(self, item: Item, files: dict[str, Protected]) -> Result:
        """Write the output and its further renditions."""
        kept = {name: self._keep(key, files[name]) for name, key in output_keys(item).items()}
        first, *further = item.options.placements(item.source.width, item.source.height)
        renditions = tuple(
            Rendition(
                *one.size, *kept[one.name], files[one.name].measured, files[one.name].media_type
            )
            for one in further
        )
        whole = files[first.name]
        return Result(
            item_id=item.id,
            output=Output(*kept[first.name], whole.media_type, renditions),
            label_used=whole.label_used,
            label_source=whole.label_source,
            measured=whole.measured,
            proofs=tuple(
                NewProof(kept[one.name][0], *one.size, made, _facts(item.options, files[one.name]))
                for one in (first, *further)
                if (made := files[one.name].fingerprint)
            ),
        )

    def _keep(self, key: str, protected: Protected) -> tuple[str, int]:
        """Write a file unless one is there, as the first writer wins; its SHA-256 and length."""
        data = protected.data
        if not self.store.put(key, data, create_only=True):
            data = self.store.get(key)
        return hashlib.sha256(data).hexdigest(), len(data)

    def _tidy(
        self, items: dict[str, Item], results: Sequence[Result], done: set[str], failed: set[str]
    ) -> None:
        """Originals of ``done`` and ``failed`` go; outputs of what was cancelled meanwhile, too."""
        for item_id in done | failed:
            self.store.delete(original_key(items[item_id].tenant, item_id))
        lost = [result.item_id for result in results if result.item_id not in done]
        if not lost:
            return
        states = self.ledger.items.states(lost)
        for item_id in lost:
            if states.get(item_id, State.CANCELLED) is not State.CANCELLED:
                continue
            for key in object_keys(items[item_id]):
                self.store.delete(key)


def _facts(options: Options, file: Protected) -> dict[str, Any]:
    """How a file was protected, without anything of the photo or its owner."""
    asked = ("method", "preset", "epsilon", "shaping", "surrogate", "networks")
    return {
        **{name: getattr(options, name) for name in asked},
        **{name: file.measured.get(name) for name in FACTS},
    }


def _as_it_is(item: Item, data: bytes) -> Protected:
    """An output that was sent again."""
    source = item.source
    return Protected(
        item.id,
        item.options.placements(source.width, source.height)[0].name,
        data,
        source.media_type,
        label_used=None,
        label_source=None,
        measured={"notes": ["It was protected already, and was left as it is."]},
    )


@contextmanager
def _timed(timings: StageTimings, stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    timings.record({stage: time.perf_counter() - began})


def _may_go_well(item: Item, error: PhotowardError) -> bool:
    """Whether an item that failed is tried again at once: by our fault, and not for the last time.

    By hand it may be tried once more after that.
    """
    return is_ours(error.code) and item.attempts < MAX_ATTEMPTS


def _count_done(item: Item, spent: StageTimings) -> None:
    telemetry.ITEMS_FINISHED.labels("done", "").inc()
    telemetry.PROCESSED_MEGAPIXELS.inc(item.source.megapixels)
    telemetry.observe(spent)


def _count_failed(item: Item, code: str) -> None:
    telemetry.ITEMS_FINISHED.labels("failed", code).inc()
    log.info("item_failed", item=item.id, code=code, trace_id=item.trace_id)


def _tell_again(item: Item, error: PhotowardError) -> None:
    # A fault of ours tells nothing of the picture but what it did to us.
    log.warning(
        "item_tried_again",
        item=item.id,
        code=error.code,
        detail=error.detail,
        attempt=item.attempts,
        trace_id=item.trace_id,
    )
