"""What can be asked for: methods, surrogates, limits; and what a problem's code means."""

from __future__ import annotations

from dataclasses import asdict
from html import escape

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from photoward.api.http.auth import ReaderDep
from photoward.api.http.deps import ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.schemas.catalogue import Limits, Method, Methods, Surrogates, Usage
from photoward.core.catalogue import (
    DEFAULT_PRESET,
    FORMATS,
    MAX_EPSILON,
    MAX_LABEL,
    METHODS,
    PRESETS,
)
from photoward.core.errors import PROBLEMS, NotFound
from photoward.core.imaging.header import MOST_FRAMES
from photoward.core.imaging.sniff import INPUTS
from photoward.core.levels import levels

router = APIRouter(tags=["catalogue"])


@router.get(
    "/v1/methods", operation_id="listMethods", summary="List methods", responses=documented()
)
async def list_methods(services: ServicesDep) -> Methods:
    """The methods of protection, and what each preset does."""
    return Methods(
        methods=[Method(**asdict(method)) for method in METHODS.values()],
        default=services.catalogue.default_method,
        levels=list(levels()),
    )


@router.get(
    "/v1/surrogates",
    operation_id="listSurrogates",
    summary="List surrogates",
    responses=documented(),
)
async def list_surrogates(services: ServicesDep) -> Surrogates:
    """The networks against which noise can be computed."""
    catalogue = services.catalogue
    return Surrogates(
        surrogates=list(catalogue.surrogates.values()),
        default=catalogue.default_surrogate,
        networks=list(catalogue.networks.values()),
        sets=list(catalogue.sets.values()),
        default_set=catalogue.default_set,
    )


@router.get(
    "/v1/limits", operation_id="getLimits", summary="Get the limits", responses=documented()
)
async def get_limits(request: Request, services: ServicesDep) -> Limits:
    """The limits of uploads and of options."""
    settings = services.settings
    return Limits(
        version=request.app.version,
        max_body_bytes=settings.upload_max_bytes,
        max_megapixels=settings.imaging_max_megapixels,
        max_side=settings.imaging_max_side_pixels,
        max_frames=MOST_FRAMES,
        max_wait_s=settings.http_max_wait_seconds,
        max_label=MAX_LABEL,
        inputs=INPUTS,
        formats=FORMATS,
        presets=PRESETS,
        default_preset=DEFAULT_PRESET,
        min_epsilon=1,
        max_epsilon=MAX_EPSILON,
        retention_s=settings.retention_image_seconds,
    )


@router.get(
    "/v1/usage",
    operation_id="getUsage",
    summary="Get the usage",
    responses=documented("unauthenticated", "forbidden", "unavailable"),
)
async def get_usage(services: ServicesDep, tenant: ReaderDep) -> Usage:
    """The megapixels of the last 24 hours; photos beyond the quota are refused: `over_quota`."""
    found = await to_thread.run_sync(services.ledger.tenants.usage, tenant)
    return Usage(megapixels=round(found.megapixels, 3), quota_megapixels=found.quota)


@router.get(
    "/problems/{code}",
    operation_id="explainProblem",
    summary="Explain a problem code",
    response_class=JSONResponse,
    responses={
        200: {"content": {"text/html": {}}, "description": "As JSON or HTML, by `Accept`."},
        **documented("not_found"),
    },
)
async def explain_problem(code: str, request: Request) -> Response:
    """The document to which a problem's `type` refers."""
    problem = PROBLEMS.get(code)
    if problem is None:
        raise NotFound
    shown = {"type": f"/problems/{code}", "code": code, **asdict(problem)}
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(shown)
    title, remedy = escape(problem.title), escape(problem.remedy)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<h1>{title}</h1><p>{remedy}</p><p>Code <code>{code}</code>, status {problem.status}.</p>"
    )
