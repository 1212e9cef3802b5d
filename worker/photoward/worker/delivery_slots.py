"""How many messages may be under way at once, and to whom; counts them, sends none."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from photoward.core.webhooks import Webhook

MAX_IN_FLIGHT = 32
"""Each waits for somebody else, most of the time."""
MAX_PER_TENANT = 8
MAX_PER_WEBHOOK = 4
"""So a slow receiver leaves its own tenant's others as many again."""


class DeliverySlots:
    """Of one dispatcher. One thread acquires them, any may release them."""

    def __init__(self) -> None:
        self._tenants: Counter[str] = Counter()
        self._webhooks: Counter[str] = Counter()
        self._changed = threading.Condition()

    def fair_order(self, hooks: Iterable[Webhook]) -> list[Webhook]:
        """Those first whose tenants have the fewest messages under way, else as it falls."""
        shuffled = sorted(hooks, key=lambda _: random.random())  # noqa: S311  # no secret
        with self._changed:
            return sorted(shuffled, key=lambda hook: self._tenants[hook.tenant])

    def free(self, hook: Webhook) -> int:
        """How many messages more may go to a webhook."""
        with self._changed:
            return min(
                MAX_IN_FLIGHT - self._webhooks.total(),
                MAX_PER_TENANT - self._tenants[hook.tenant],
                MAX_PER_WEBHOOK - self._webhooks[hook.id],
            )

    def acquire(self, hook: Webhook) -> None:
        """One more is under way."""
        self._count(hook, 1)

    def release(self, hook: Webhook) -> None:
        """One less."""
        self._count(hook, -1)

    def wait_until_idle(self, within_s: float) -> bool:
        """Wait until none is under way; whether that came to pass."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._webhooks.total(), within_s)

    def _count(self, hook: Webhook, change: int) -> None:
        with self._changed:
            for counter, key in ((self._tenants, hook.tenant), (self._webhooks, hook.id)):
                counter[key] += change
                if not counter[key]:
                    del counter[key]
            self._changed.notify_all()
