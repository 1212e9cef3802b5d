"""What can be asked for: methods, surrogates, limits; and what a problem's code means."""

from __future__ import annotations

from dataclasses import asdict
from html import escape

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from photoward.api.http.deps import PartsDep, ReaderDep
from photoward.api.http.errors import documented
from photoward.core.catalogue import (
    DEFAULT_PRESET,
    FORMATS,
    MAX_EPSILON,
    MAX_LABEL,
    METHODS,
    PRESETS,
    Strength,
    SurrogateCard,
)
from photoward.core.errors import PROBLEMS, NotFound
from photoward.core.imaging.header import MOST_FRAMES
from photoward.core.imaging.sniff import INPUTS
from photoward.core.levels import Level, levels
from photoward.core.networks import NetworkCard, SetCard

router = APIRouter(tags=["catalogue"])


class Method(BaseModel):
    """One way to protect."""

    name: str = Field(examples=["sem"])
    title: str
    description: str
    targets: list[str] = Field(examples=[["prototype", "logits"]])
    source: str
    bounded: bool = Field(
        description="Whether epsilon bounds the change of every sample. If not, `psnr_db` and "
        "`ssim` of a result tell how much it changed."
    )
    presets: list[str] = Field(description="If there are none, epsilon cannot be chosen either.")
    adversarial: bool = Field(
        description="Whether, as measured, it also stops a trainer who trains adversarially "
        "(4/255), for any label; if not, it is for plain trainers."
    )
    baseline: bool = Field(description="Here to be compared with, not recommended.")
    networks: bool = Field(description="Whether it works against a set of pretrained networks.")


class Methods(BaseModel):
    """All methods, and what the presets of the default one do."""

    methods: list[Method]
    default: str = Field(examples=["sem+anchor"])
    levels: list[Level] = Field(description="As measured; presets that were not are left out.")


class Surrogates(BaseModel):
    """All surrogates."""

    surrogates: list[SurrogateCard] = Field(description="Robust ones, trained for this service.")
    default: str
    networks: list[NetworkCard] = Field(description="Pretrained ones that the world shares.")
    sets: list[SetCard] = Field(description="Those that a method works against together.")
    default_set: str = Field(examples=["imagenet"])


class Limits(BaseModel):
    """What an upload may be."""

    max_body_bytes: int = Field(examples=[26_214_400])
    max_megapixels: float = Field(examples=[50])
    max_side: int = Field(examples=[16_384])
    max_frames: int = Field(
        description="Of an animation; the megapixels count for all of them.", examples=[MOST_FRAMES]
    )
    max_wait_s: float = Field(examples=[60])
    max_label: int = Field(description="Characters.", examples=[MAX_LABEL])
    inputs: dict[str, str] = Field(description="What may be sent.", examples=[FORMATS])
    formats: dict[str, str] = Field(description="What may be had.", examples=[FORMATS])
    presets: dict[str, Strength] = Field(
        description="epsilon, flat and rms in 1/255: the largest change anywhere, where the "
        "picture is flat, and its root mean square; luma and chroma: cycles along the longer "
        "side below which brightness and colour do not change; no chroma: colour does not at all."
    )
    default_preset: str = Field(examples=[DEFAULT_PRESET])
    min_epsilon: float = Field(examples=[1])
    max_epsilon: float = Field(examples=[MAX_EPSILON])


@router.get(
    "/v1/methods", operation_id="listMethods", summary="The methods", responses=documented()
)
async def list_methods(parts: PartsDep) -> Methods:
    """How a photo can be protected."""
    return Methods(
        methods=[Method(**asdict(method)) for method in METHODS.values()],
        default=parts.catalogue.default_method,
        levels=list(levels()),
    )


@router.get(
    "/v1/surrogates",
    operation_id="listSurrogates",
    summary="The surrogates",
    responses=documented(),
)
async def list_surrogates(parts: PartsDep) -> Surrogates:
    """The networks that noise can be made against, with everything known about them."""
    catalogue = parts.catalogue
    return Surrogates(
        surrogates=list(catalogue.surrogates.values()),
        default=catalogue.default_surrogate,
        networks=list(catalogue.networks.values()),
        sets=list(catalogue.sets.values()),
        default_set=catalogue.default_set,
    )


@router.get("/v1/limits", operation_id="getLimits", summary="The limits", responses=documented())
async def get_limits(parts: PartsDep) -> Limits:
    """What an upload may be, and what can be chosen."""
    settings = parts.settings
    return Limits(
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
    )


class Usage(BaseModel):
    """What a tenant has handed in, and what it may."""

    megapixels: float = Field(
        description="Of the last 24 hours, deleted photos included.", examples=[12.2]
    )
    quota_megapixels: float | None = Field(
        description="Most of them; none: as many as there is room for.", examples=[5000]
    )


@router.get(
    "/v1/usage", operation_id="getUsage", summary="What was used",
    responses=documented("unauthenticated", "forbidden", "unavailable"),
)  # fmt: skip
async def get_usage(parts: PartsDep, tenant: ReaderDep) -> Usage:
    """A photo that goes beyond the quota is refused as `over_quota`."""
    found = await to_thread.run_sync(parts.ledger.usage, tenant)
    return Usage(megapixels=round(found.megapixels, 3), quota_megapixels=found.quota)


@router.get(
    "/problems/{code}",
    operation_id="explainProblem",
    summary="What a problem's code means",
    response_class=JSONResponse,
    responses={
        200: {"content": {"text/html": {}}, "description": "As JSON or, for people, as HTML."},
        **documented("not_found"),
    },
)
async def explain_problem(code: str, request: Request) -> Response:
    """Where a problem's ``type`` leads."""
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
