"""How every refusal leaves the HTTP face: one form, RFC 9457 problems.

Knows statuses and headers; what a code means stands in ``photoward.core.errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from photoward.api.http.schemas.images import Problem
from photoward.core.errors import PROBLEMS, BadInput, PhotowardError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

MEDIA_TYPE = "application/problem+json"

Told = TypeVar("Told", bound=BaseModel)

RETRY_AFTER_S = {429: 5, 503: 5}
"""Status → seconds after which asking again makes sense."""

HTTP_CODES = {
    404: "not_found", 405: "method_not_allowed", 406: "not_acceptable", 408: "too_slow",
}  # fmt: skip
"""What the router itself refuses; anything else of its own is ``malformed_request``."""


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response, named after the request and with ``Retry-After`` where due."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        problem = problem.model_copy(update={"instance": f"urn:uuid:{request_id}"})
    retry = RETRY_AFTER_S.get(problem.status)
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        headers={**({"Retry-After": str(retry)} if retry else {}), **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def internal_error() -> Response:
    """The answer to a fault of our own: it says nothing about its cause."""
    return respond(Problem.of("internal_error", "The fault has been written to the log."))


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's ``responses`` for an operation that may refuse with these codes."""
    shown: dict[int | str, dict[str, Any]] = {"default": _response("Any other problem.", {})}
    for status in sorted({PROBLEMS[code].status for code in codes}):
        of_status = [code for code in codes if PROBLEMS[code].status == status]
        examples = {code: {"value": _example(code)} for code in of_status}
        shown[status] = _response("; ".join(PROBLEMS[code].title for code in of_status), examples)
        if status in RETRY_AFTER_S:
            shown[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return shown


def _response(description: str, examples: dict[str, Any]) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {"description": description, "content": {MEDIA_TYPE: content}}


def _example(code: str) -> dict[str, Any]:
    detail = f"{PROBLEMS[code].title}: said here for this very case."
    return Problem.of(code, detail).model_dump(exclude_none=True)


def install(app: FastAPI) -> None:
    """Answer everything that endpoints and the router raise."""
    app.add_exception_handler(PhotowardError, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(ClientDisconnect, _gone)


def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, PhotowardError):
        raise TypeError(error)
    challenge = {"WWW-Authenticate": "Bearer"} if error.code == "unauthenticated" else None
    return respond(Problem.of(error.code, error.detail, field=error.field), challenge)


def _not_routed(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(error)
    code = HTTP_CODES.get(error.status_code, "malformed_request")
    detail = f"{request.method} {request.url.path}: {error.detail}."
    headers = dict(error.headers or {})
    allowed = _allowed(request) if code == "method_not_allowed" else ()
    if allowed:
        headers["Allow"] = ", ".join(sorted(allowed))
    return respond(Problem.of(code, detail, status=error.status_code), headers)


def _allowed(request: Request) -> set[str]:
    """Every method that is described for this path; the router names those of one route alone."""
    return {
        method.upper() for path, operations in request.app.openapi()["paths"].items()
        if compile_path(path)[0].fullmatch(request.url.path) for method in operations
    }  # fmt: skip


def _not_valid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError(error)
    first = error.errors()[0]
    return respond(invalid(first))


def invalid(error: Mapping[str, Any]) -> Problem:
    """One of pydantic's complaints as a problem."""
    field = str(error["loc"][-1])[:64]
    return Problem.of("invalid_option", f"{field}: {error['msg']}.", field=field)


def validated(model: type[Told], values: Mapping[str, Any]) -> Told:
    """Values as a model. Raises BadInput: the first that cannot be."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = invalid(error.errors()[0])
        raise BadInput(first.code, first.detail, field=first.field) from error


def _gone(_request: Request, _error: Exception) -> Response:
    # Nobody reads it; it ends the request quietly, without a traceback.
    return respond(
        Problem.of("length_mismatch", "The client disconnected before the end of the body.")
    )
