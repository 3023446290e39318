"""Errors as `application/problem+json` (RFC 9457): the one place where an error becomes an HTTP answer."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rag_pipeline.errors import (
    CollectionNotFoundError,
    IndexSpecChangedError,
    ModelError,
    RagPipelineError,
    SearchDeadlineError,
    StoreUnavailableError,
    UsageError,
)

logger = logging.getLogger(__name__)

_STATUS: dict[type[RagPipelineError], HTTPStatus] = {
    CollectionNotFoundError: HTTPStatus.NOT_FOUND,
    IndexSpecChangedError: HTTPStatus.CONFLICT,
    UsageError: HTTPStatus.BAD_REQUEST,
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    ModelError: HTTPStatus.SERVICE_UNAVAILABLE,
    SearchDeadlineError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_RETRY_AFTER_S = "5"


def problem(status: HTTPStatus, code: str, detail: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error's answer; `code` is stable, `detail` is for people."""
    return JSONResponse(
        {"type": "about:blank", "title": status.phrase, "status": status.value, "code": code, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(RagPipelineError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _ours(_request: Request, error: Exception) -> JSONResponse:
    kind = type(error)
    status = next((_STATUS[base] for base in kind.__mro__ if base in _STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)
    code = getattr(error, "code", "internal_error")
    detail = str(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # What a driver says of itself names hosts, users and folders: that is for the log.
        logger.error("request failed: %s", error, exc_info=error)
        detail = f"{(kind.__doc__ or status.phrase).splitlines()[0]} The API's log has the details."
    retry = {"Retry-After": _RETRY_AFTER_S} if getattr(error, "retryable", False) else None
    return problem(status, code, detail, headers=retry)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    # The value itself is left out: it may be long, or a secret in the wrong field.
    detail = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in problems)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail)


def _http(_request: Request, error: Exception) -> JSONResponse:
    status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR)
    detail = str(error.detail) if isinstance(error, HTTPException) else status.phrase
    headers = dict(error.headers) if isinstance(error, HTTPException) and error.headers else None
    return problem(status, status.name.lower(), detail, headers=headers)


def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    logger.error("request failed unexpectedly", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The fault is ours; the API's log has the details."
    )
