"""Every error as a response in the form of RFC 9457; ``photoward.core.errors`` has the codes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from photoward.api.http.schemas.problems import Problem
from photoward.api.ingest.validation import as_refusal
from photoward.core.errors import PROBLEMS, PhotowardError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_S = {429: 5, 503: 5}
"""Status → seconds after which the client should try again."""

HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "too_slow",
}
"""Statuses of the router's own refusals; any other is ``malformed_request``."""


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response, with the request's id and, where due, ``Retry-After``."""
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


def range_not_satisfiable(length: int) -> Response:
    """The response to a ``Range`` outside a file of ``length`` bytes."""
    problem = Problem.of("range_not_satisfiable", f"It has {length} bytes.")
    return problem_response(problem, {"Content-Range": f"bytes */{length}"})


def internal_error() -> Response:
    """The response to an unexpected error: it says nothing of the cause."""
    return problem_response(Problem.of("internal_error", "The fault has been written to the log."))


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's ``responses`` of an operation that may refuse with these codes."""
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


def install(app: FastAPI, not_found_page: Callable[[Request], Response | None]) -> None:
    """Make problems of everything that endpoints and the router raise.

    Args:
        app: the application.
        not_found_page: the response to a person at an address without a route; None: the problem.
    """

    def not_routed(request: Request, error: Exception) -> Response:
        missing = isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND
        return (missing and not_found_page(request)) or _not_routed(request, error)

    app.add_exception_handler(PhotowardError, _refused)
    app.add_exception_handler(HTTPException, not_routed)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(ClientDisconnect, _gone)


def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, PhotowardError):
        raise TypeError(error)
    challenge = {"WWW-Authenticate": "Bearer"} if error.code == "unauthenticated" else None
    return problem_response(Problem.of_error(error), challenge)


def _not_routed(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(error)
    code = HTTP_CODES.get(error.status_code, "malformed_request")
    detail = f"{request.method} {request.url.path}: {error.detail}."
    headers = dict(error.headers or {})
    allowed = _allowed(request) if code == "method_not_allowed" else ()
    if allowed:
        headers["Allow"] = ", ".join(sorted(allowed))
    return problem_response(Problem.of(code, detail, status=error.status_code), headers)


def _allowed(request: Request) -> set[str]:
    """Every method that is described for this path; the router names those of one route alone."""
    paths = request.app.openapi()["paths"]
    if request.url.path in paths:  # written out, it is no other path's parameter
        return {method.upper() for method in paths[request.url.path]}
    return {
        method.upper()
        for path, operations in paths.items()
        if compile_path(path)[0].fullmatch(request.url.path)
        for method in operations
    }


def _not_valid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError(error)
    return problem_response(Problem.of_error(as_refusal(error.errors()[0])))


def _gone(_request: Request, _error: Exception) -> Response:
    # Nobody reads it; it ends the request quietly, without a traceback.
    return problem_response(
        Problem.of("length_mismatch", "The client disconnected before the end of the body.")
    )
