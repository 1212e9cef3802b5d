"""The interfaces between the domain and whatever keeps its data.

Every adapter of a port passes the same suite in ``tests/contracts``. Adapters translate their
vendor's errors: what the infrastructure did wrong leaves as ``Unavailable``, a missing thing as
``NotFound``. All calls are blocking; the HTTP face calls them in threads.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from photoward.core.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import timedelta
    from typing import Any, BinaryIO

    from photoward.core.api_keys import ApiKey, Minted, Scope
    from photoward.core.audit import Entry
    from photoward.core.fetches import Arrival, Expected
    from photoward.core.jobs import (
        Batch,
        Failure,
        Item,
        Lane,
        Options,
        Result,
        Source,
        Stage,
        State,
        Usage,
        Waiting,
    )
    from photoward.core.uploads import Upload
    from photoward.core.webhooks import Delivery, Event, Webhook


NO_LIMITS: Mapping[str, int] = MappingProxyType({})


class Keyring(Protocol):
    """API keys, and the end of a tenant. Each call is one transaction."""

    def add_key(
        self, minted: Minted, tenant: str, name: str, scopes: Collection[Scope],
        lifetime: timedelta | None,
    ) -> ApiKey:  # fmt: skip
        """Keep a fresh key; None: it never expires."""

    def live_key(self, key_id: str) -> ApiKey | None:
        """The key of that id and its tenant's salt, unless there is none or it has expired."""

    def any_live_key(self) -> bool:
        """Whether anybody could come in with a key."""

    def keys(self, tenant: str) -> list[ApiKey]:
        """All of the tenant's keys, oldest first, expired ones too."""

    def end_key(self, tenant: str, key_id: str, after: timedelta) -> ApiKey:
        """Let a key expire that long from now, or earlier if it does. Raises NotFound."""

    def rotate_key(self, tenant: str, key_id: str, minted: Minted, grace: timedelta) -> ApiKey:
        """A fresh key of an old one's name, scopes and lifetime; the old one ends after ``grace``.

        Raises NotFound.
        """

    def usage(self, tenant: str) -> Usage:
        """What the tenant has handed in of late, and what it may."""

    def allowance(self, tenant: str) -> Usage | None:
        """The same of a tenant with a quota; None, and nothing counted, for any other."""

    def set_quota(self, tenant: str, megapixels: float | None) -> None:
        """How many megapixels a tenant may hand in a day; None: no limit."""

    def set_weight(self, tenant: str, weight: float) -> None:
        """How large a share of a busy machine a tenant gets beside the others', who have 1."""

    def erase(self, tenant: str) -> list[Item]:
        """Forget a tenant: keys, labels, names and measurements go, unfinished work is cancelled.

        The salt is replaced, so that nobody can compute the tenant's secret any more, and who came
        in before (``core.api_keys``) writes nothing of the tenant: such calls raise NotFound. Of
        the audit log only the entry of this deed is left. Returns the items as they were, for their
        objects' removal; ``get`` finds none of them.
        """


class Batches(Protocol):
    """Items that were handed in as one. Each call is one transaction."""

    def add_batch(  # what makes a batch
        self, batch_id: str, tenant: str, name: str, options: Mapping[str, Any], *,
        request: str | None = None,
    ) -> Batch:  # fmt: skip
        """A batch without items; ``request`` as in ``Ledger.add``."""

    def batch(self, tenant: str, batch_id: str) -> Batch:
        """How it stands. Raises NotFound: no such batch of this tenant."""

    def batch_options(self, tenant: str, batch_id: str) -> dict[str, Any]:
        """What its items are protected with by default, without counting any. Raises NotFound."""

    def batch_items(
        self,
        tenant: str,
        batch_id: str,
        *,
        after: int,
        limit: int,
        states: Collection[State] | None = None,
    ) -> list[tuple[int, Item]]:
        """Its items in the order of arrival, each with its place; ``after``: the last one seen.

        ``states``: only items in one of them.
        """

    def cancel_batch(self, tenant: str, batch_id: str) -> list[Item]:
        """End what has not ended as ``cancelled``; those items as they were. Raises NotFound."""


class Arrivals(Protocol):
    """What is still to be fetched: items that are ``received``. Each call is one transaction.

    Who takes an arrival may be overtaken, when it is too slow, by who takes it next; then nothing
    that it reports changes anything.
    """

    def expect(
        self, tenant: str, batch_id: str, expected: Sequence[Expected], trace: str | None = None,
        request: str | None = None,
    ) -> None:  # fmt: skip
        """Put items into a batch whose photos are to be fetched; durable when this returns.

        ``trace`` as of an item. An id that is known already is left as it is. ``request``: 64
        characters, of which the first 32 say what was asked under and the others what for.

        Raises:
            BadInput: ``request_differs``: under the first half another second half came before.
            NotFound: no such batch.
        """

    def expect_again(self, tenant: str, batch_id: str) -> int:
        """Fresh items in the places of those that could not be fetched; how many."""

    def take_arrival(self, lease: timedelta) -> Arrival | None:
        """One that is due, nobody else's for ``lease``; tenants come in turn, whatever they expect.

        None: nothing is due.
        """

    def hold_arrival(self, arrival: Arrival, lease: timedelta) -> bool:
        """Keep it for longer; False: it was cancelled, or somebody else has it."""

    def postpone(self, arrival: Arrival, wait: timedelta, *, counted: bool) -> None:
        """Have it tried again after ``wait``, and this try forgotten unless it is ``counted``."""

    def arrive(
        self, arrival: Arrival, options: Options, source: Source, batch_key: str
    ) -> Item | None:
        """``received → queued``: its photo has been stored. None: as in ``hold_arrival``.

        An upload is used up by that, as in ``add``.

        Raises:
            Overloaded: ``over_quota``.
            Conflict: ``upload_used``.
            NotFound: there is no such upload any more.
        """

    def miss(self, arrival: Arrival, failure: Failure, *, final: bool) -> bool:
        """``received → failed``, for good or until it is expected again; False: as in ``hold``."""

    def prune_arrivals(self, older_than: timedelta) -> int:
        """Forget where what failed so long ago lies; how many."""


class Outbox(Protocol):
    """Webhooks and the messages to them. Each call is one transaction.

    ``store``, ``fail``, ``miss``, ``expire`` and ``cancel_batch`` put messages in, in the
    transactions that they tell of: nothing ends without its message, and no message tells of what
    did not happen.
    """

    def add_webhook(
        self, webhook_id: str, tenant: str, url: str, events: Collection[Event]
    ) -> Webhook:  # fmt: skip
        """Tell a tenant's events to a URL from now on."""

    def webhooks(self, tenant: str) -> list[Webhook]:
        """All of the tenant's, oldest first."""

    def rotate_webhook(self, tenant: str, webhook_id: str, grace: timedelta) -> Webhook:
        """Another secret; the one before signs as well for a while. Enables it again, too."""

    def remove_webhook(self, tenant: str, webhook_id: str) -> None:
        """Forget it and its messages. Raises NotFound."""

    def deliveries(
        self, tenant: str, webhook_id: str, *, after: int, limit: int
    ) -> list[Delivery]:  # fmt: skip
        """Its messages, oldest first; ``after``: the place of the last one seen."""

    def replay(self, tenant: str, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a message again, as if for the first time. Raises NotFound."""

    def awaiting(self) -> list[Webhook]:
        """All to which messages are due, unless their receivers are gone; in no order.

        Before that it is put among the messages which batches have come to rest: all in them has
        ended, and for ``webhooks.REST`` nothing came to them.
        """

    def due(self, webhook_id: str, limit: int, lease: timedelta) -> list[Delivery]:
        """Take a webhook's messages whose time has come, oldest first.

        Nobody else gets them for ``lease``.
        """

    def told(
        self, delivery: Delivery, status: int | None, error: str | None, retry: timedelta | None
    ) -> None:
        """How an attempt went; without success it is made again after ``retry``, or never."""

    def disable_webhook(self, webhook_id: str) -> None:
        """Tell it nothing more: its receiver is gone."""

    def prune_deliveries(self, older_than: timedelta) -> int:
        """Forget messages that ended and are old; how many."""


class Audit(Protocol):
    """Who did what to whom. Each call is one transaction.

    What a deed changes and its entry are written in one transaction; who acts says
    ``core.audit.acting``.
    """

    def entries(self, tenant: str | None, *, after: int, limit: int) -> list[Entry]:
        """Those of a tenant, or all, oldest first; ``after``: the place of the last one seen."""

    def note_refusal(self, code: str, key_id: str | None) -> None:
        """Somebody was refused with ``code``, perhaps with a key of that id."""

    def prune_audit(self, older_than: timedelta) -> int:
        """Forget old entries; how many."""


class Workers(Protocol):
    """Who works, as far as it was heard of. Each call is one transaction."""

    def beat(self, worker_id: str) -> None:
        """A worker gets on."""

    def leave(self, worker_id: str) -> None:
        """It ends."""

    def last_beat(self) -> timedelta | None:
        """How long ago any of them was heard of; None: nobody works."""


class Uploads(Protocol):
    """Bytes that are no item yet. Each call is one transaction.

    An upload that has expired is as if there were none: all but ``parts_needed`` raise NotFound.
    """

    def add_upload(  # noqa: PLR0913  # what makes an upload, and its bounds
        self, upload_id: str, tenant: str, length: int, metadata: str, *, most: int, most_bytes: int
    ) -> Upload:  # fmt: skip
        """One of which nothing has come.

        Raises:
            Overloaded: ``too_many_uploads``: the tenant has ``most`` that are not used, or would
                have announced more than ``most_bytes`` with them.
        """

    def upload(self, tenant: str, upload_id: str) -> Upload:
        """How it stands. Raises NotFound: no such upload of this tenant."""

    def write_upload(
        self, tenant: str, upload_id: str, part: str, size: int, *, start: int | None
    ) -> Upload:
        """Count a part that is in the store.

        Args:
            tenant: whose.
            upload_id: of the upload.
            part: name of the part.
            size: bytes of the part.
            start: how much must have come before; None: it takes the place of all that came.

        Raises:
            NotFound: no such upload of this tenant.
            Conflict: ``offset_differs``, or ``upload_used``.
            BadInput: ``body_too_large`` or ``too_many_parts``.
        """

    def remove_upload(self, tenant: str, upload_id: str) -> Upload:
        """Forget it; as it was, for its objects' removal. Raises NotFound."""

    def parts_needed(self, upload_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """Of those that are not used: the names of their parts, also of what may come directly."""

    def prune_uploads(self) -> int:
        """Forget what has expired; how many."""


class Ledger(
    Keyring, Batches, Arrivals, Outbox, Audit, Workers, Uploads, Targets, Protocol
):  # fmt: skip
    """The truth about items. Each call is one transaction; each arrow a compare-and-set."""

    def tenant_salt(self, tenant: str) -> bytes:
        """The tenant's 16 salt bytes, made at the first call and the same ever after."""

    def add(  # noqa: PLR0913  # what makes an item
        self, item_id: str, tenant: str, options: Options, source: Source, batch_key: str, *,
        batch: str | None = None, request: str | None = None, trace: str | None = None,
        upload: str | None = None,
    ) -> Item:  # fmt: skip
        """Record an accepted upload; it is ``queued`` and durable when this returns.

        Args:
            item_id: of the new item.
            tenant: whose.
            options: what is to be done.
            source: what came.
            batch_key: see ``Item``.
            batch: what it was handed in with.
            request: the caller's name for this request. When the tenant used it within the last
                24 hours, nothing is added and the item of then is returned, unless that was
                deleted since.
            trace: see ``Item``.
            upload: what it is made of, and cannot be made of again.

        Raises:
            BadInput: ``request_differs``: the request of then was another one.
            Conflict: ``upload_used``.
            NotFound: there is no such upload of this tenant.
            Overloaded: ``over_quota``: the tenant may not hand in so much more today.
        """

    def get(self, tenant: str, item_id: str) -> Item:
        """Raises NotFound: no such item of this tenant."""

    def standing(self, tenant: str, item_id: str) -> tuple[Item, int | None]:
        """The same, and how many stand before it (0: it is next; None: it is not queued)."""

    def claim(
        self, *, limit: int, max_megapixels: float, lease: timedelta,
        limits: Mapping[str, int] = NO_LIMITS,
    ) -> list[Item]:  # fmt: skip
        """Lease up to ``limit`` compatible items, in the order of turns, in one transaction.

        Of a ``batch_key`` in ``limits`` so many instead.

        Whose turn it is decides the ``batch_key``; further items of the same key, whoever's, join
        while their megapixels add up to at most ``max_megapixels`` (the first always fits). Turns
        share the machine between tenants by weight; of one tenant, first come is first served,
        and what is in no batch goes before all batches. Items that were claimed before join their
        like only, fewer each time, and go alone when one attempt is left. All carry the same fresh
        ``lease`` token and ``attempts`` is one higher. Empty: nothing is queued. Two callers never
        get the same item.
        """

    def renew(self, token: str, lease: timedelta, stage: Stage | None = None) -> int:
        """Extend a claim and, if given, note its stage; the number of items still held."""

    def store(self, token: str, results: Sequence[Result]) -> set[str]:
        """``leased → stored → done`` for each result still held under the token, in one go.

        Returns the ids that became ``done``. First writer wins: an id that is missing from the
        answer was cancelled, or another worker finished it.
        """

    def fail(self, token: str, failures: Sequence[Failure]) -> set[str]:
        """``leased → failed`` for each item still held; the ids that were."""

    def release(self, token: str, *, counted: bool = False) -> int:
        """Give back what is still held (``leased → queued``); the attempt need not count."""

    def expire(self) -> int:
        """Free the items whose lease ran out; how many changed.

        ``leased → queued``, or ``failed: worker_lost`` after the third attempt.
        """

    def cancel(self, tenant: str, item_id: str, *, asked: bool = True) -> Item:
        """End the item as ``cancelled`` if it had not ended, and hide it for good.

        Afterwards ``get`` raises NotFound. Returns the item as it was, for its objects'
        removal. ``asked``: it is somebody's deed, for the audit log. Raises NotFound.
        """

    def depth(self) -> dict[State, int]:
        """How many visible items stand in each state (absent: none)."""

    def waiting(self) -> dict[Lane, Waiting]:
        """What is ``queued`` in each lane."""

    def oldest_queued(self) -> str | None:
        """The id of the item that a claim would start with."""

    def states(self, item_ids: Sequence[str]) -> dict[str, State]:
        """How those of the ids stand that exist and are not hidden."""

    def take_duty(self, name: str, period: timedelta) -> bool:
        """Whether the caller is to do what one of all processes does once in a period.

        If so, nobody else is until the period is over.
        """

    def scrub(self) -> None:
        """Have what was deleted vanish from the database's files, too, as far as nobody reads."""

    def check(self) -> None:
        """Raises Unavailable when the ledger cannot answer."""

    def close(self) -> None:
        """Let go of connections."""


class ObjectStore(Protocol):
    """Originals and outputs by key. Nothing half-written is ever readable."""

    def put(self, key: str, data: bytes | BinaryIO, *, create_only: bool = False) -> bool:
        """Write an object; False: ``create_only`` and it exists (it is left as it was).

        Raises:
            Unavailable: code ``storage_full`` when there is no room.
        """

    def get(self, key: str) -> bytes:
        """Raises NotFound."""

    def stream(
        self, key: str, chunk: int = 1 << 18, *, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The object in chunks, from a byte and before another. Raises NotFound before the first.

        ``start < end ≤`` its length, unless it is wanted as a whole.
        """

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is no error."""

    def keys(self, prefix: str = "") -> Iterator[tuple[str, float]]:
        """All keys under a prefix with their age in seconds."""

    def upload_url(self, key: str, lifetime: timedelta) -> str | None:
        """Where who has no key to the store may PUT that object; None: nowhere."""

    def discard_unfinished(self, older_than_s: float) -> int:
        """Remove what killed writers left half-written, invisible to readers; how many."""

    def check(self) -> None:
        """Raises Unavailable when the store cannot answer."""


class Hints(Protocol):
    """The broker, seen as what it is: a way to say "there is work" early.

    Losing every hint loses no item: the reconciler asks the ledger and hints again.
    """

    def hint(self, item_id: str) -> bool:
        """Say that an item is queued; False when nobody could be told. Never raises."""

    def check(self) -> None:
        """Raises Unavailable when the broker cannot answer."""
