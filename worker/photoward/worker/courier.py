"""Delivers the outbox: signed messages to webhooks, again and again until they are taken."""

from __future__ import annotations

import http.client
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from standardwebhooks import Webhook as Signer

from photoward.core import webhooks
from photoward.core.addresses import Blocked
from photoward.core.errors import Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.keys import webhook_secret
from photoward.core.outbound import post

if TYPE_CHECKING:
    from photoward.core.ports import Ledger
    from photoward.core.webhooks import Delivery, Webhook

AT_ONCE = 8
LEASE = timedelta(seconds=60)
"""Longer than an attempt may take: then somebody else makes the next."""

GONE = 410
JITTER = 0.1
"""Share by which waits differ, so that what failed together does not return together."""

log = structlog.get_logger(__name__)


class Courier:
    """Runs beside the worker; many may run at once.

    Args:
        ledger: holds the outbox.
        master: signing secrets follow from it.
        private: whether webhooks may lie in the operator's own network.
        every_s: seconds between two looks.
    """

    def __init__(self, ledger: Ledger, master: bytes, *, private: bool, every_s: float) -> None:
        self._ledger = ledger
        self._master = master
        self._private = private
        self._every_s = every_s
        self._ended = threading.Event()
        self._threads = ThreadPoolExecutor(AT_ONCE, "courier")
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Begin to look every ``every_s`` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when what is under way has been answered or given up."""
        self._ended.set()
        self._thread.join()
        self._threads.shutdown()

    def deliver(self) -> int:
        """Try everything that is due once; how many messages that were."""
        due = self._ledger.due(AT_ONCE, LEASE)
        if due:
            failpoint("message-due")
        list(self._threads.map(lambda pair: self._try(*pair), due))
        return len(due)

    def _try(self, delivery: Delivery, hook: Webhook) -> None:
        body = json.dumps(delivery.payload, separators=(",", ":")).encode()
        status: int | None = None
        error: str | None = None
        try:
            headers = signed(delivery, hook, self._master, body)
            status = post(hook.url, body, headers, private=self._private)
            failpoint("message-posted")
        except Blocked as blocked:
            error = f"Not sent: {blocked}."
        except (OSError, http.client.HTTPException) as failure:
            error = f"No answer ({type(failure).__name__})."
        wait = webhooks.next_try(delivery.attempts)
        if wait is not None:
            wait *= 1 + random.uniform(-JITTER, JITTER)  # noqa: S311  # no secret
        self._ledger.told(delivery, status, error, wait)
        log.info("webhook", webhook=hook.id, message=delivery.id, status=status, error=error)
        if status == GONE:
            self._ledger.disable_webhook(hook.id)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                if self.deliver():
                    continue
            except Unavailable as error:
                log.warning("courier_unavailable", detail=error.detail)
            self._ended.wait(self._every_s)


def signed(delivery: Delivery, hook: Webhook, master: bytes, body: bytes) -> dict[str, str]:
    """The headers of a message, signed with the secret and, for a while, the one before it."""
    moment = datetime.now(UTC)
    versions = [hook.version]
    if hook.old_until is not None and hook.old_until > moment:
        versions.append(hook.version - 1)
    signatures = [
        Signer(webhook_secret(master, hook.id, version)).sign(delivery.id, moment, body.decode())
        for version in versions
    ]
    return {
        "Content-Type": "application/json", "User-Agent": "Photoward",
        "webhook-id": delivery.id, "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }  # fmt: skip
