"""Delivers the outbox: signed messages to webhooks, again and again until they are taken."""

from __future__ import annotations

import json
import random
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from standardwebhooks import Webhook as Signer

from photoward.core import webhooks
from photoward.core.errors import Unavailable
from photoward.core.failpoints import failpoint
from photoward.core.key_derivation import webhook_secret
from photoward.core.safe_http import BlockedUrl, NoResponse, post
from photoward.worker.delivery_slots import DeliverySlots

if TYPE_CHECKING:
    from photoward.core.ledger import Ledger
    from photoward.core.webhooks import Delivery, Webhook

LEASE = timedelta(seconds=60)
"""Longer than an attempt may take: then somebody else makes the next."""

SHUTDOWN_WAIT_S = 2.0
"""How long the end of a process waits for answers; then leases run out, and others ask again."""

GONE = 410
JITTER = 0.1
"""Share by which waits differ, so that what failed together does not return together."""

log = structlog.get_logger(__name__)


class WebhookDispatcher:
    """Runs beside the worker; many may run at once.

    Each message has a thread of its own while it is under way, and no message waits for another's
    receiver: who is slow holds the few places of its webhook and tenant, and those not for long.

    Args:
        ledger: holds the outbox.
        master: signing secrets follow from it.
        private: whether webhooks may lie in the operator's own network.
        every_s: seconds between two looks.
        public_url: of the service: links begin with it, if it is given.
    """

    def __init__(
        self,
        ledger: Ledger,
        master: bytes,
        *,
        private: bool,
        every_s: float,
        public_url: str | None = None,
    ) -> None:
        self._ledger = ledger
        self._master = master
        self._private = private
        self._every_s = every_s
        self._public_url = public_url
        self._slots = DeliverySlots()
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to look every ``every_s`` seconds, and whenever a place is free again."""
        self._thread.start()

    def stop(self) -> None:
        """End; what has not been answered in ``SHUTDOWN_WAIT_S`` is left to whoever looks next."""
        self._ended.set()
        self._changed.set()
        self._thread.join()
        self.settled(SHUTDOWN_WAIT_S)

    def settled(self, within_s: float) -> bool:
        """Wait for what is under way; whether all of it has been answered or given up."""
        return self._slots.wait_until_idle(within_s)

    def deliver(self) -> int:
        """Send what is due to whom has a free place; how many messages that were."""
        begun = 0
        for hook in self._slots.fair_order(self._ledger.webhooks.list_due()):
            try:
                begun += self._send_to(hook)
            except Unavailable:
                raise
            except Exception:  # one odd row never stops the rest
                log.exception("webhook_delivery_failed", webhook=hook.id)
        return begun

    def _send_to(self, hook: Webhook) -> int:
        room = self._slots.free(hook)
        due = self._ledger.webhooks.claim_deliveries(hook.id, room, LEASE) if room else []
        if due:
            failpoint("message-due")
        for delivery in due:
            self._slots.acquire(hook)
            threading.Thread(
                target=self._settle, args=(delivery, hook), name="message", daemon=True
            ).start()
        return len(due)

    def _settle(self, delivery: Delivery, hook: Webhook) -> None:
        """Make one attempt, and free its place."""
        try:
            self._try(delivery, hook)
        except Unavailable as error:  # the lease runs out
            log.warning("webhook_ledger_unavailable", detail=error.detail)
        finally:
            self._slots.release(hook)
            self._changed.set()

    def _try(self, delivery: Delivery, hook: Webhook) -> None:
        status, error = self._post(delivery, hook)
        callback = delivery.url is not None
        gone_for_good = callback and status == GONE
        wait = None if gone_for_good else webhooks.retry_delay(delivery.attempts)
        if wait is not None:
            wait *= 1 + random.uniform(-JITTER, JITTER)  # noqa: S311  # no secret
        self._ledger.webhooks.record_attempt(delivery, status, error, wait)
        if status == GONE and not callback:
            self._ledger.webhooks.disable(hook.id)

    def _post(self, delivery: Delivery, hook: Webhook) -> tuple[int | None, str | None]:
        """The answer's status, or why there is none in words for the receiver's owner."""
        told = log.bind(webhook=hook.id, message=delivery.id)
        base_url = self._public_url or delivery.base_url or ""
        payload = webhooks.with_links(delivery.payload, base_url)
        body = json.dumps(payload, separators=(",", ":")).encode()
        try:
            headers = signed(delivery, hook, self._master, body)
            status = post(delivery.url or hook.url, body, headers, private=self._private)
        except BlockedUrl as blocked:
            told.info("webhook", status=None, error=str(blocked))
            return None, f"Not sent: {blocked}."
        except NoResponse as unanswered:
            told.info("webhook", status=None, error=unanswered.kind)
            return None, str(unanswered)
        except Exception:  # noqa: BLE001  # logged; tried again, as if its receiver had failed
            told.exception("webhook_attempt_failed")
            return None, "Not sent: something went wrong on our side."
        failpoint("message-posted")
        told.info("webhook", status=status, error=None)
        return status, None

    def _run(self) -> None:
        while not self._ended.is_set():
            self._changed.clear()
            try:
                if self.deliver():
                    continue
            except Unavailable as error:
                log.warning("webhook_ledger_unavailable", detail=error.detail)
            self._changed.wait(self._every_s)


def signed(delivery: Delivery, hook: Webhook, master: bytes, body: bytes) -> dict[str, str]:
    """The headers of a message, signed with the secret and, for a while, the one before it."""
    moment = datetime.now(UTC)
    versions = [hook.secret_version]
    if hook.previous_secret_until is not None and hook.previous_secret_until > moment:
        versions.append(hook.secret_version - 1)
    signatures = [
        Signer(webhook_secret(master, hook.id, version)).sign(delivery.id, moment, body.decode())
        for version in versions
    ]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Photoward",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
