"""``/v1/audit``: what was done in a tenant's name, and by whom."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Response

from photoward.api.http.auth import AdminDep
from photoward.api.http.deps import ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.pagination import AfterDep, NewestFirstQuery, next_cursor
from photoward.api.http.responses import NO_STORE
from photoward.api.http.schemas.audit import AuditEntry, AuditPage

router = APIRouter(prefix="/v1/audit", tags=["audit"])

PAGE_SIZE, MAX_PAGE_SIZE = 100, 500


@router.get(
    "",
    operation_id="listAudit",
    summary="List the audit log",
    responses=documented("unauthenticated", "forbidden", "invalid_option", "unavailable"),
)
async def list_audit(  # noqa: PLR0913  # what may be asked for
    *,
    services: ServicesDep,
    tenant: AdminDep,
    after: AfterDep,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = PAGE_SIZE,
    newest_first: NewestFirstQuery = False,
) -> AuditPage:
    """Changes of keys, quotas and webhooks, deletions, and refused API keys."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(
        lambda: services.ledger.audit.list_entries(
            tenant, after=after, limit=limit, newest_first=newest_first
        )
    )
    return AuditPage(
        items=[AuditEntry.of(one) for one in found],
        next=next_cursor([one.seq for one in found], limit),
    )
