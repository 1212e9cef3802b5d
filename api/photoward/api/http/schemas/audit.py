"""The audit log."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from photoward.core import audit
from photoward.core.audit import DONE, Deed


class AuditEntry(BaseModel):
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
    def of(cls, entry: audit.Entry) -> AuditEntry:
        """Show an entry."""
        names = ("at", "deed", "thing", "detail", "outcome")
        shown = {name: getattr(entry, name) for name in names}
        actor = entry.actor
        return cls(**shown, actor=actor.name, request=actor.request, address=actor.address)


class AuditEntries(BaseModel):
    """A page of deeds, oldest first."""

    entries: list[AuditEntry]
    next: str | None = Field(description="`cursor` of the next page; none after the last.")
