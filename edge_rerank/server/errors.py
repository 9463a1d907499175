"""Errors that a client gets as an answer: each cause is a class, with its status in each shape."""

from __future__ import annotations

from typing import ClassVar

from edge_rerank.errors import EdgeRerankError


class RequestError(EdgeRerankError):
    """Base of what goes wrong with a request; its message is for the client to read.

    A status of 429 or 5xx asks clients to try again, and the official ones do: a cause that would
    be the same next time has a status of 4xx.
    """

    status: ClassVar[int] = 400
    tei_status: ClassVar[int] = 422
    """Where text-embeddings-inference's status differs from the other servers'."""
    tei_type: ClassVar[str] = "Validation"
    code: ClassVar[str] = "INVALID_REQUEST"

    retry_after: int | None = None
    """Seconds after which to try again."""


class InvalidError(RequestError):
    """A field is missing, of the wrong type, or out of range."""


class EmptyError(RequestError):
    """There is nothing to score."""

    tei_status, tei_type, code = 400, "Empty", "EMPTY_REQUEST"


class MalformedError(RequestError):
    """The body is not a JSON object in UTF-8."""

    tei_status, code = 400, "MALFORMED_REQUEST"


class BodyTooLargeError(RequestError):
    """The body has more bytes than the server takes."""

    status = tei_status = 413
    code = "BODY_TOO_LARGE"


class UnsupportedMediaError(RequestError):
    """The body is said to be something else than JSON, or is compressed."""

    status = tei_status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"


class UnauthorizedError(RequestError):
    """No valid key came with the request."""

    status = tei_status = 401
    tei_type, code = "Unauthorized", "AUTH_INVALID_API_KEY"


class NotFoundError(RequestError):
    """There is no such path."""

    status = tei_status = 404
    code = "NOT_FOUND"


class MethodError(RequestError):
    """The path does not have this method."""

    status = tei_status = 405
    code = "METHOD_NOT_ALLOWED"


class OverloadedError(RequestError):
    """More requests or bytes wait than the server holds."""

    status = tei_status = 429
    tei_type, code = "Overloaded", "OVERLOADED"

    def __init__(self, message: str, retry_after: int) -> None:
        """Say when to try again."""
        super().__init__(message)
        self.retry_after = retry_after


class LateError(RequestError):
    """The request did not arrive or was not answered within the time it has."""

    status = tei_status = 503
    tei_type, code = "Overloaded", "DEADLINE_EXCEEDED"
    retry_after = 1


class SlowBodyError(RequestError):
    """The body did not arrive in time."""

    status = tei_status = 408
    code = "REQUEST_TIMEOUT"


class StoppingError(RequestError):
    """The server is about to stop."""

    status = tei_status = 503
    tei_type, code = "Unhealthy", "STOPPING"
    retry_after = 1


class ModelFailedError(RequestError):
    """The model could not be loaded or failed while it ran; the server's log says why."""

    status = tei_status = 424
    tei_type, code = "Backend", "MODEL_FAILED"


class InternalError(RequestError):
    """A fault of the server's own; its log says more."""

    status = tei_status = 500
    tei_type, code = "Backend", "INTERNAL_ERROR"


class ClientGoneError(EdgeRerankError):
    """The client closed the connection: there is nobody to answer."""
