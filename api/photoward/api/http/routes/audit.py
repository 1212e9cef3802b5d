"""``/v1/audit``: what was done to a tenant's things, and by whom."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from photoward.api.http.deps import AdminDep, PartsDep
from photoward.api.http.errors import documented
from photoward.api.http.pagination import PlaceDep, following
from photoward.api.http.routes.images import NO_STORE
from photoward.core import audit
from photoward.core.audit import DONE, Deed

router = APIRouter(prefix="/v1/audit", tags=["audit"])

PAGE, LONGEST_PAGE = 100, 500


class Entry(BaseModel):
    """A deed."""

    at: datetime
    deed: Deed
    thing: str | None = Field(
        description="The id of what it was done to.", examples=["5c0f3a9e1b2d4c6f"]
    )
    detail: str | None = Field(
        description="What it was set to: scopes, a number, a successor's id.",
        examples=["read,write"],
    )
    outcome: str = Field(
        description=f"`{DONE}`, or the code of the problem that it was refused with.",
        examples=[DONE],
    )
    actor: str = Field(
        description="The id of the key; `operator`: on the command line; `anyone`: no key was "
        "needed; `stranger`: there was no good one; `unknown`: nobody said.",
        examples=["0f1e2d3c4b5a6978"],
    )
    request: str | None = Field(description="The request's id, as in the log.")
    address: str | None = Field(description="Where it came from.", examples=["192.0.2.7"])

    @classmethod
    def of(cls, entry: audit.Entry) -> Entry:
        """Show an entry."""
        names = ("at", "deed", "thing", "detail", "outcome")
        shown = {name: getattr(entry, name) for name in names}
        actor = entry.actor
        return cls(**shown, actor=actor.name, request=actor.request, address=actor.address)


class Entries(BaseModel):
    """A page of deeds, oldest first."""

    entries: list[Entry]
    next: str | None = Field(description="`cursor` of the next page; none after the last.")


@router.get(
    "", operation_id="listAudit", summary="List who did what",
    responses=documented("unauthenticated", "forbidden", "invalid_option", "unavailable"),
)  # fmt: skip
async def list_audit(
    *, parts: PartsDep, tenant: AdminDep, place: PlaceDep, response: Response,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = PAGE,
) -> Entries:  # fmt: skip
    """Keys, quotas and webhooks that were made or changed, what was deleted, who was refused."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(lambda: parts.ledger.entries(tenant, after=place, limit=limit))
    return Entries(
        entries=[Entry.of(one) for one in found], next=following([one.seq for one in found], limit)
    )
