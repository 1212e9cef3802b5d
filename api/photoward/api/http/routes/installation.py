"""``/v1/installation``: all tenants, for the operator; each operation needs the scope operator."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Response

from photoward.api.http.auth import OperatorDep
from photoward.api.http.deps import ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.pagination import (
    AfterDep,
    AfterIdDep,
    NewestFirstQuery,
    next_cursor,
    next_id_cursor,
)
from photoward.api.http.responses import NO_STORE
from photoward.api.http.routes.operations import MAX_MISSED_HEARTBEATS
from photoward.api.http.schemas.audit import InstallationAuditEntry, InstallationAuditPage
from photoward.api.http.schemas.installation import Overview, Tenant, TenantPage

router = APIRouter(prefix="/v1/installation", tags=["operations"])

PAGE_SIZE, MAX_PAGE_SIZE = 100, 500
REFUSALS = ("unauthenticated", "forbidden", "unavailable")

LimitQuery = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]


@router.get(
    "",
    operation_id="getInstallation",
    summary="Get an overview of the installation",
    responses=documented(*REFUSALS),
)
async def get_installation(services: ServicesDep, _: OperatorDep, response: Response) -> Overview:
    """The queue, the photos of the last 24 hours by hour and state, and failures by code."""
    response.headers.update(NO_STORE)
    heartbeat = timedelta(
        seconds=MAX_MISSED_HEARTBEATS * services.settings.worker_reconcile_interval_seconds
    )
    return Overview.of(await to_thread.run_sync(services.ledger.installation.overview, heartbeat))


@router.get(
    "/tenants",
    operation_id="listTenants",
    summary="List tenants",
    responses=documented(*REFUSALS, "invalid_option"),
)
async def list_tenants(
    *,
    services: ServicesDep,
    _: OperatorDep,
    after: AfterIdDep,
    response: Response,
    limit: LimitQuery = PAGE_SIZE,
) -> TenantPage:
    """Each with its quota and what it uses. `photoward tenants` sets quotas and weights."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(
        lambda: services.ledger.installation.list_tenants(after=after, limit=limit)
    )
    return TenantPage(
        items=[Tenant.of(one) for one in found],
        next=next_id_cursor([one.id for one in found], limit),
    )


@router.get(
    "/audit",
    operation_id="listInstallationAudit",
    summary="List the audit log of all tenants",
    responses=documented(*REFUSALS, "invalid_option"),
)
async def list_audit(  # what may be asked for
    *,
    services: ServicesDep,
    _: OperatorDep,
    after: AfterDep,
    response: Response,
    limit: LimitQuery = PAGE_SIZE,
    newest_first: NewestFirstQuery = False,
) -> InstallationAuditPage:
    """As `/v1/audit`, with the tenant of each entry."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(
        lambda: services.ledger.audit.list_entries(
            None, after=after, limit=limit, newest_first=newest_first
        )
    )
    return InstallationAuditPage(
        items=[InstallationAuditEntry.of(one) for one in found],
        next=next_cursor([one.seq for one in found], limit),
    )
