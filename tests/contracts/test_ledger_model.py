"""Every ledger against a model of it in a few lines: any calls, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, update

from photoward.core.errors import NotFound
from photoward.core.jobs import FINAL_STATES, MAX_ATTEMPTS, TRANSITIONS, QueuedWork, Stage, State
from photoward.core.ledger.claims import reduced
from photoward.core.ledger.fair_queue import FIXED_COST_MEGAPIXELS
from photoward.core.ledger.tables import items as table
from photoward.core.ledger.tables import tenants
from tests.support.samples import HOUR, OVER, added, failure, result

if TYPE_CHECKING:
    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger

SEEN = TRANSITIONS | {State.LEASED: TRANSITIONS[State.LEASED] | {State.DONE}}
"""What an onlooker may see: ``stored`` and ``done`` fall into one transaction."""


@dataclass
class Expected:
    """What the model knows of an item."""

    tenant: str
    group_key: str
    megapixels: float
    state: State = State.QUEUED
    attempts: int = 0
    token: str | None = None
    turn: float = 0.0
    overdue: bool = False
    hidden: bool = False
    seen: list[State] = field(default_factory=lambda: [State.QUEUED])


class Play(RuleBasedStateMachine):
    """Calls a ledger and its model, and compares."""

    ledger: ClassVar[Ledger]

    tokens = Bundle("tokens")
    ids = Bundle("ids")

    @initialize()
    def wipe(self) -> None:
        self.items: dict[str, Expected] = {}
        self.last = {"alice": 0.0, "bob": 0.0}
        with self.ledger._engine.begin() as connection:
            connection.execute(delete(table))
            connection.execute(update(tenants).values(last_interactive_finish=0))

    @rule(
        target=ids,
        tenant=st.sampled_from(["alice", "bob"]),
        group_key=st.sampled_from(["a", "b"]),
        height=st.integers(100, 4000),
    )
    def add(self, tenant: str, group_key: str, height: int) -> str:
        item = added(self.ledger, tenant, group_key, height=height)
        waiting = [self.items[item_id].turn for item_id in self.queue()]
        begin = max(self.last[tenant], min(waiting, default=max(self.last.values())))
        self.last[tenant] = begin + height / 1000 + FIXED_COST_MEGAPIXELS
        self.items[item.id] = Expected(tenant, group_key, height / 1000, turn=self.last[tenant])
        return item.id

    @rule(
        target=tokens,
        limit=st.integers(1, 4),
        megapixels=st.floats(0.5, 8),
        overdue=st.booleans(),
    )
    def claim(self, limit: int, megapixels: float, overdue: bool) -> str:  # noqa: FBT001
        wanted = self.next_batch(limit, megapixels)
        lease = OVER if overdue else HOUR
        found = self.ledger.items.claim(limit=limit, max_megapixels=megapixels, lease=lease)
        assert [item.id for item in found] == wanted
        if not found:
            return multiple()  # type: ignore[return-value]  # "nothing to remember"
        token = found[0].lease_token
        assert token is not None
        for item in found:
            known = self.items[item.id]
            known.state, known.token, known.overdue = State.LEASED, token, overdue
            known.attempts += 1
        return token

    @rule(token=tokens, overdue=st.booleans(), stage=st.sampled_from([None, *Stage]))
    def renew(self, token: str, overdue: bool, stage: Stage | None) -> None:  # noqa: FBT001
        held = self.held(token)
        assert self.ledger.items.renew_lease(token, OVER if overdue else HOUR, stage) == len(held)
        for item_id in held:
            self.items[item_id].overdue = overdue

    @rule(token=tokens, some=st.lists(ids, max_size=3), everything=st.booleans())
    def store(self, token: str, some: list[str], everything: bool) -> None:  # noqa: FBT001
        wanted = {*some, *(self.held(token) if everything else ())}
        won = wanted & self.held(token)
        assert self.ledger.items.complete(token, [result(item_id) for item_id in wanted]) == won
        self.move(won, State.DONE)

    @rule(token=tokens, some=st.lists(ids, max_size=3))
    def fail(self, token: str, some: list[str]) -> None:
        won = set(some) & self.held(token)
        assert self.ledger.items.fail(token, [failure(item_id) for item_id in some]) == won
        self.move(won, State.FAILED)

    @rule(token=consumes(tokens), counted=st.booleans())
    def release(self, token: str, counted: bool) -> None:  # noqa: FBT001
        held = self.held(token)
        assert self.ledger.items.release(token, counted=counted) == len(held)
        for item_id in held:
            self.items[item_id].attempts -= not counted
        self.move(held, State.QUEUED)

    @rule()
    def expire(self) -> None:
        late = {item_id for item_id, known in self.items.items() if known.overdue}
        spent = {i for i in late if self.items[i].attempts >= MAX_ATTEMPTS}
        assert self.ledger.items.expire_leases() == len(late)
        self.move(spent, State.FAILED)
        self.move(late - spent, State.QUEUED)

    @rule(item_id=ids, tenant=st.sampled_from(["alice", "bob"]))
    def cancel(self, item_id: str, tenant: str) -> None:
        known = self.items[item_id]
        if known.hidden or known.tenant != tenant:
            with pytest.raises(NotFound):
                self.ledger.items.delete(tenant, item_id)
            return
        self.agrees(self.ledger.items.delete(tenant, item_id), known)
        self.move({item_id}, known.state if known.state in FINAL_STATES else State.CANCELLED)
        known.hidden = True

    @invariant()
    def the_ledger_agrees(self) -> None:
        depth: dict[State, int] = {}
        queued = self.queue()
        for item_id, known in self.items.items():
            if known.hidden:
                with pytest.raises(NotFound):
                    self.ledger.items.get(known.tenant, item_id)
                continue
            depth[known.state] = depth.get(known.state, 0) + 1
            item, before = self.ledger.items.get_with_position(known.tenant, item_id)
            self.agrees(item, known)
            assert before == (queued.index(item_id) if item_id in queued else None)
        assert self.ledger.items.count_by_state() == depth
        assert self.ledger.items.next_queued_id() == (queued[0] if queued else None)
        total = sum(self.items[item_id].megapixels for item_id in queued)
        waiting = sum(self.ledger.items.queued_work().values(), QueuedWork())
        assert (waiting.items, waiting.megapixels) == pytest.approx((len(queued), total))

    def agrees(self, item: Item, known: Expected) -> None:
        assert (item.state, item.attempts) == (known.state, known.attempts)
        assert item.lease_token == known.token
        assert (item.output is not None) == (item.state is State.DONE)
        assert (item.error_code is not None) == (item.state is State.FAILED)
        if item.state is not known.seen[-1]:
            assert item.state in SEEN[known.seen[-1]]
            known.seen.append(item.state)

    def queue(self) -> list[str]:
        queued = [i for i, known in self.items.items() if known.state is State.QUEUED]
        return sorted(queued, key=lambda item_id: self.items[item_id].turn)

    def held(self, token: str) -> set[str]:
        return {i for i, known in self.items.items() if known.token == token}

    def move(self, some: set[str], state: State) -> None:
        for item_id in some:
            known = self.items[item_id]
            known.state, known.token, known.overdue = state, None, False

    def next_batch(self, limit: int, megapixels: float) -> list[str]:
        chosen: list[str] = []
        for item_id in self.queue():
            known = self.items[item_id]
            if chosen and known.group_key != self.items[chosen[0]].group_key:
                continue
            total = sum(self.items[i].megapixels for i in chosen) + known.megapixels
            if not chosen:
                limit = reduced(limit, known.attempts)
            elif known.attempts != self.items[chosen[0]].attempts:
                continue
            if chosen and (len(chosen) == limit or total > megapixels):
                break
            chosen.append(item_id)
        return chosen


def test_any_calls_in_any_order_follow_the_arrows(ledger: Ledger) -> None:
    run_state_machine_as_test(
        type("PlayHere", (Play,), {"ledger": ledger}),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
