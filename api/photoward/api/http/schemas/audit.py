"""The audit log."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from photoward.api.http.pagination import Page
from photoward.core import audit
from photoward.core.audit import SUCCESS, AuditAction


class AuditEntry(BaseModel):
    """One action, done or refused."""

    at: datetime
    action: AuditAction
    resource_id: str | None = Field(
        description="The id of the key, image, batch or webhook.", examples=["5c0f3a9e1b2d4c6f"]
    )
    detail: str | None = Field(
        description="The new value: scopes, a number, the id of the new key.",
        examples=["read,write"],
    )
    outcome: str = Field(
        description=f"`{SUCCESS}`, or the problem code of the refusal.",
        examples=[SUCCESS],
    )
    actor: str = Field(
        description="The id of the key; `operator`: on the command line; `anonymous`: no key was "
        "required; `unauthenticated`: there was no valid key; `unknown`: not recorded.",
        examples=["0f1e2d3c4b5a6978"],
    )
    request: str | None = Field(description="The request's id, as in the log.")
    address: str | None = Field(description="Where it came from.", examples=["192.0.2.7"])

    @classmethod
    def of(cls, entry: audit.AuditEntry) -> AuditEntry:
        """Show an entry."""
        actor = entry.actor
        return cls(
            at=entry.at,
            action=entry.action,
            resource_id=entry.resource_id,
            detail=entry.detail,
            outcome=entry.outcome,
            actor=actor.name,
            request=actor.request,
            address=actor.address,
        )


class AuditPage(Page[AuditEntry]):
    """Entries of the audit log."""


class InstallationAuditEntry(AuditEntry):
    """The same, of whichever tenant."""

    tenant: str | None = Field(
        description="Owner of the resource; null: a refused key that is nobody's.",
        examples=["alice"],
    )

    @classmethod
    def of(cls, entry: audit.AuditEntry) -> InstallationAuditEntry:
        """Show an entry."""
        return cls(tenant=entry.tenant, **AuditEntry.of(entry).model_dump())


class InstallationAuditPage(Page[InstallationAuditEntry]):
    """Entries of the audit log of all tenants."""
