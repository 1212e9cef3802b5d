"""The API's description beyond what the routes say themselves: keys, scopes and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from photoward.api.http.auth import Authentication
from photoward.api.ingest.options import TARGETS
from photoward.core.api_keys import Scope
from photoward.core.catalogue import FORMATS, METHODS, PRESETS, SHAPINGS
from photoward.core.rights import CHOICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

BEARER, HEADER = "bearer", "apiKey"
SCHEMES = {
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key; for `POST /v1/images`, `/v1/uploads` and what was submitted "
        "with it, also an upload token.",
    },
    HEADER: {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same in a header of its own.",
    },
}
ENUMS = {
    "MethodName": list(METHODS),
    "Target": list(TARGETS),
    "PresetName": list(PRESETS),
    "OutputFormat": list(FORMATS),
    "Shaping": list(SHAPINGS),
    "DataMining": list(CHOICES),
}
"""Enumerations that stand in several places."""

COMPONENTS = "#/components/schemas/"
TAGS = {
    "images": "Submit a photo, wait for it, download it.",
    "uploads": "Send files first and submit them later; tokens for pages in browsers.",
    "batches": "Many photos as one.",
    "events": "Progress as it happens.",
    "verification": "What a file is, and what of its protection is left.",
    "webhooks": "Messages when a photo or a batch has ended.",
    "keys": "A tenant's API keys.",
    "audit": "What was done in a tenant's name.",
    "catalogue": "What may be chosen, and the limits.",
    "operations": "For those who run the service.",
}


def describe(app: FastAPI, *, keys_required: bool) -> Callable[[], dict[str, Any]]:
    """A function that makes the description once; for ``FastAPI.openapi``."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_describe(app, keys_required=keys_required))
        return made

    return openapi


def _describe(app: FastAPI, *, keys_required: bool) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        license_info=app.license_info,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    found["components"]["securitySchemes"] = SCHEMES
    found = _with_names(found)
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            security = _security(route.dependant, keys_required=keys_required)
            for method in route.methods or ():
                found["paths"][route.path_format][method.lower()]["security"] = security
    return found


def _with_names(document: dict[str, Any]) -> dict[str, Any]:
    """A document whose request bodies and enumerations are schemas with a name.

    Generated clients name their types by it; of what is written out in its place they make one for
    each place.
    """
    named: dict[str, Any] = {
        name: {"type": "string", "title": name, "enum": values} for name, values in ENUMS.items()
    }
    by_values = {tuple(values): name for name, values in ENUMS.items()}

    def walk(node: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
        if isinstance(node, list):
            return [walk(one) for one in node]
        if not isinstance(node, dict):
            return node
        found = {name: walk(value) for name, value in node.items()}
        name = by_values.get(tuple(node["enum"])) if isinstance(node.get("enum"), list) else None
        if name is not None and node.get("type") == "string":
            return {"$ref": f"{COMPONENTS}{name}"}
        return found

    found: dict[str, Any] = walk(document)
    for operations in found["paths"].values():
        for operation in operations.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                title = media["schema"].get("title")
                if title is not None:
                    named[title] = media["schema"]
                    media["schema"] = {"$ref": f"{COMPONENTS}{title}"}
    found["components"]["schemas"] |= named
    return found


def _security(dependant: Dependant, *, keys_required: bool) -> list[dict[str, list[str]]]:
    """What an operation requires, as OpenAPI says it: one of these; an empty list: nothing."""
    for needed in _authentications(dependant):
        scopes = [] if needed.scope is None else [needed.scope.value]
        anyone: list[dict[str, list[str]]] = (
            [] if keys_required or needed.scope is Scope.OPERATOR else [{}]
        )
        return [{BEARER: scopes}, {HEADER: scopes}, *anyone]
    return []


def _authentications(dependant: Dependant) -> Iterator[Authentication]:
    if isinstance(dependant.call, Authentication):
        yield dependant.call
    for one in dependant.dependencies:
        yield from _authentications(one)
