"""Works off one claimed batch: fetch and check → pipeline → store → ledger → tidy up."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from photoward.core import telemetry
from photoward.core.errors import NotFound, PhotowardError, Unavailable
from photoward.core.jobs import Failure, Output, Result
from photoward.core.keys import tenant_secret
from photoward.core.ports import original_key, output_key
from photoward.worker.claim import held
from photoward.worker.pipeline import Job, Protected, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photoward.core.jobs import Item
    from photoward.core.ports import Ledger, ObjectStore
    from photoward.worker.pipeline import Pipeline


class BatchWorker:
    """What one worker process needs to work off batches."""

    def __init__(  # one collaborator each
        self,
        *,
        ledger: Ledger,
        store: ObjectStore,
        pipeline: Pipeline,
        master: bytes,
        lease_s: float,
    ) -> None:
        self.ledger = ledger
        self.store = store
        self.pipeline = pipeline
        self._master = master
        self._lease_s = lease_s

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
        token = items[0].lease or ""
        telemetry.BATCH_ITEMS.observe(len(items))
        try:
            with held(self.ledger, token, self._lease_s) as tell:
                jobs, refused = self._fetch(items)
                outcomes = [*self.pipeline.protect(jobs, tell), *refused]
                encoded()
                return self._settle(token, {item.id: item for item in items}, outcomes)
        except (Unavailable, KeyboardInterrupt, SystemExit):
            self._give_back(token)
            raise

    def _give_back(self, token: str) -> None:
        try:
            self.ledger.release(token)
        except Unavailable:
            return  # then the lease runs out by itself

    def _fetch(self, items: Sequence[Item]) -> tuple[list[Job], list[Refused]]:
        jobs: list[Job] = []
        refused: list[Refused] = []
        began = time.perf_counter()
        salts = {tenant: self.ledger.tenant_salt(tenant) for tenant in {i.tenant for i in items}}
        for item in items:
            try:
                data = self.store.get(original_key(item.tenant, item.id))
            except NotFound:
                detail = "The original is gone from the store."
                refused.append(Refused(item.id, PhotowardError("internal_error", detail)))
                continue
            if hashlib.sha256(data).hexdigest() != item.source.sha256:
                detail = "The stored original is not what was uploaded."
                refused.append(Refused(item.id, PhotowardError("internal_error", detail)))
                continue
            secret = tenant_secret(self._master, salts[item.tenant])
            source = item.source
            jobs.append(Job(item.id, data, item.options, secret, source.width, source.height))
        telemetry.STAGE_SECONDS.labels("fetch").observe(time.perf_counter() - began)
        return jobs, refused

    def _settle(
        self, token: str, items: dict[str, Item], outcomes: Sequence[Protected | Refused]
    ) -> int:
        """Publish: objects first, then one transaction, then what nobody needs any more."""
        results = [self._store(items[o.id], o) for o in outcomes if isinstance(o, Protected)]
        failures = [
            Failure(o.id, o.error.code, o.error.detail) for o in outcomes if isinstance(o, Refused)
        ]
        done = self.ledger.store(token, results) if results else set()
        failed = self.ledger.fail(token, failures) if failures else set()
        for result in results:
            if result.item_id in done:
                _count(items[result.item_id], result)
        for failure in failures:
            if failure.item_id in failed:
                telemetry.ITEMS_ENDED.labels("failed", failure.code).inc()
        self._tidy(items, results, done, failed)
        return len(done) + len(failed)

    def _store(self, item: Item, protected: Protected) -> Result:
        """Write the output unless one is there: the first writer wins."""
        key, data = output_key(item.tenant, item.id), protected.data
        if not self.store.put(key, data, create_only=True):
            data = self.store.get(key)
        digest = hashlib.sha256(data).hexdigest()
        return Result(
            item_id=item.id,
            output=Output(sha256=digest, size=len(data), media_type=protected.media_type),
            label_used=protected.label_used,
            label_source=protected.label_source,
            measured=protected.measured,
        )

    def _tidy(
        self, items: dict[str, Item], results: Sequence[Result], done: set[str], failed: set[str]
    ) -> None:
        """Originals go when their item has ended; outputs of what was cancelled meanwhile, too."""
        for item_id in done | failed:
            self.store.delete(original_key(items[item_id].tenant, item_id))
        lost = [result.item_id for result in results if result.item_id not in done]
        if not lost:
            return
        for item_id in set(lost) - self.ledger.states(lost).keys():
            self.store.delete(output_key(items[item_id].tenant, item_id))
            self.store.delete(original_key(items[item_id].tenant, item_id))


def _count(item: Item, result: Result) -> None:
    telemetry.ITEMS_ENDED.labels("done", "").inc()
    telemetry.MEGAPIXELS.inc(item.source.width * item.source.height / 1e6)
    for stage, seconds in result.measured["seconds"].items():
        telemetry.STAGE_SECONDS.labels(stage).observe(seconds)
