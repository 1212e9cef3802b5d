"""Takes batches out of the ledger and keeps hold of them while they are worked on."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from photoward.core.jobs import Item, Stage
    from photoward.core.ledger import Ledger
    from photoward.core.settings import Settings
    from photoward.worker.batch_sizer import BatchSizer


def claim(ledger: Ledger, settings: Settings, sizer: BatchSizer) -> list[Item]:
    """The next batch of compatible items, as large as the queue, its sizer and the limits allow.

    The queue is the batcher: a lone item is a batch of one at once; under load batches grow.
    """
    return ledger.items.claim(
        limit=sizer.first,
        limits=sizer.sizes(),
        max_megapixels=settings.worker_max_batch_megapixels,
        lease=timedelta(seconds=settings.queue_lease_seconds),
    )


@contextmanager
def held(ledger: Ledger, token: str, lease_s: float) -> Iterator[Callable[[Stage], None]]:
    """Renew a claim three times a lease while the block runs; yields a teller of its stage.

    Nobody is told when the ledger is away at that moment: the lease may run out, then another
    worker takes the items and the first writer wins.
    """
    lease = timedelta(seconds=lease_s)
    ended = threading.Event()

    def renew(stage: Stage | None = None) -> None:
        try:
            ledger.items.renew_lease(token, lease, stage)
        except Unavailable:
            return

    def keep() -> None:
        while not ended.wait(lease_s / 3):
            renew()

    keeper = threading.Thread(target=keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield renew
    finally:
        ended.set()
        keeper.join()
