"""Every way in which Photoward says no, in one table.

PhotowardError
├── BadInput      the caller can mend it: 4xx, or an item that ends ``failed``
├── Denied        who asks may not: 401, 403
├── NotFound      no such thing, or not yours to know of
├── Conflict      the thing is not in a state that allows this
├── Overloaded    come back later: 429
└── Unavailable   our infrastructure, never the caller's input: 503

A *code* is stable and machine-readable; ``PROBLEMS`` gives each its HTTP status, its title and
what to do about it. Nothing here knows HTTP beyond those numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class Problem:
    """What is known about a code before anything happens."""

    status: int
    title: str
    remedy: str
    """What a client program can do."""


PROBLEMS: dict[str, Problem] = {
    # the body
    "empty_body": Problem(400, "The request body is empty", "Send the bytes of the photo."),
    "length_mismatch": Problem(
        400,
        "The body does not have the announced length",
        "Send the correct Content-Length, or none.",
    ),
    "digest_mismatch": Problem(
        400, "The body does not match its digest", "Send the file again, or correct Content-Digest."
    ),
    "malformed_request": Problem(
        400,
        "The request cannot be parsed",
        "Send multipart/form-data with a part named file, or the bytes of the photo with "
        "their own Content-Type.",
    ),
    "too_slow": Problem(
        408, "The body arrives too slowly", "Send it again over a faster connection."
    ),
    "body_too_large": Problem(
        413, "The file is too large", "Send a smaller file; GET /v1/limits has the limit."
    ),
    "unsupported_content_type": Problem(
        415,
        "The content type is not supported",
        "Send multipart/form-data, application/octet-stream, or the media type of the photo.",
    ),
    "content_type_mismatch": Problem(
        415,
        "The bytes do not match the announced content type",
        "Send the Content-Type of the file's actual format.",
    ),
    # uploads in parts
    "tus_version": Problem(
        412,
        "This version of tus is not supported",
        "Send Tus-Resumable: 1.0.0; or JSON, for an upload in one piece.",
    ),
    "checksum_differs": Problem(
        460, "The part does not match its checksum", "Send the part again from the same offset."
    ),
    "offset_differs": Problem(
        409,
        "The upload has another offset",
        "Get the current Upload-Offset with HEAD and continue there.",
    ),
    "upload_incomplete": Problem(
        409, "The upload is not complete", "Send the remaining bytes first."
    ),
    "upload_used": Problem(
        409, "The upload has been used already", "Create another upload: each becomes one photo."
    ),
    "too_many_parts": Problem(
        413, "The upload has too many parts", "Create a new upload and send larger parts."
    ),
    # the photo
    "not_an_image": Problem(
        415, "The file is not an image", "Send a JPEG, PNG, WebP, AVIF, TIFF or GIF file."
    ),
    "unsupported_type": Problem(
        415, "This image format is not supported", "Convert the photo to JPEG, PNG, WebP or AVIF."
    ),
    "truncated": Problem(422, "The file is incomplete", "Send the whole file."),
    "corrupt": Problem(
        422,
        "The photo cannot be decoded",
        "Open the photo in an image editor, save it again, and send that file.",
    ),
    "bad_dimensions": Problem(
        422, "The photo has invalid dimensions", "Send a photo of at least 1 × 1 pixel."
    ),
    "too_many_pixels": Problem(
        413, "The photo has too many pixels", "Scale it down; GET /v1/limits has the limit."
    ),
    "unsupported_bit_depth": Problem(
        422, "Only 8 bits per channel are supported", "Convert the photo to 8 bits per channel."
    ),
    "unsupported_colour_mode": Problem(
        422, "This colour mode is not supported", "Convert the photo to RGB or greyscale."
    ),
    "too_costly": Problem(
        422,
        "The photo takes too much processor time",
        "Scale it down, or save it again in an image editor, and send that file.",
    ),
    "unsupported_animation": Problem(
        422, "This animation is not supported", "Send fewer frames, as GIF, WebP or PNG."
    ),
    "unsupported_pages": Problem(
        422, "Files with several pages are not supported", "Send each page as a file of its own."
    ),
    "already_protected": Problem(
        409,
        "The photo is protected already",
        "Send the original; or already_protected=pass, to get the file back as it is.",
    ),
    # the options
    "invalid_option": Problem(422, "An option is invalid", "Correct the option that field names."),
    "unknown_method": Problem(
        422, "This method does not exist", "Choose a method of GET /v1/methods."
    ),
    "unknown_preset": Problem(
        422,
        "This preset does not exist",
        "Choose subtle, standard, strong, maximum or hosted, or set epsilon.",
    ),
    "unknown_surrogate": Problem(
        422, "This surrogate does not exist", "Choose a surrogate of GET /v1/surrogates."
    ),
    "unknown_label": Problem(
        422,
        "The surrogate does not have this class",
        "With target=logits use a class of the surrogate; target=prototype takes any label.",
    ),
    "unsupported_output": Problem(
        422, "This output format cannot store the photo", "Choose another output_format."
    ),
    # photos that the service fetches
    "source_blocked": Problem(
        422,
        "Fetching from this source is not allowed",
        "Name a source that the operator allows, or upload the photo.",
    ),
    "source_missing": Problem(
        422,
        "The source does not have the photo, or denies access",
        "Make the photo available at its source, then retry the batch.",
    ),
    "source_unreachable": Problem(
        502, "The source does not respond", "Retry the batch when the source responds."
    ),
    # processing
    "postcondition": Problem(
        500,
        "The finished file exceeds the bound of its change",
        "Report this to the operator, with the photo if possible.",
    ),
    "timed_out": Problem(
        503,
        "The machine was too busy to finish the photo",
        "Try again later; tell the operator if it happens often.",
    ),
    "worker_lost": Problem(
        500,
        "Three workers crashed while processing the photo",
        "Send it again; tell the operator if it happens again.",
    ),
    "internal_error": Problem(
        500, "Internal error", "Try again later; tell the operator if it happens again."
    ),
    # authentication and authorisation
    "unauthenticated": Problem(
        401, "An API key is required", "Send Authorization: Bearer with a key that has not expired."
    ),
    "forbidden": Problem(
        403, "The API key lacks the required scope", "Use a key with the scope that detail names."
    ),
    "token_used_up": Problem(
        403,
        "The upload token permits no further photo of this size",
        "Request another upload token from the site that gave it.",
    ),
    "unknown_host": Problem(
        421,
        "The host name of the request is not allowed",
        "Use localhost or an IP address, or add the name to PHOTOWARD_HTTP_ALLOWED_HOSTS.",
    ),
    "foreign_origin": Problem(
        403,
        "Requests from pages of other sites are not allowed",
        "Use the service's own page or a program; or require API keys and send one.",
    ),
    # resources and states
    "not_found": Problem(404, "The resource does not exist", "Check the address and the id."),
    "expired": Problem(
        410,
        "The image has expired and was deleted",
        "Download images before their expires_at; submit the photo again.",
    ),
    "batch_closed": Problem(409, "The batch is closed", "Create another batch for further photos."),
    "method_not_allowed": Problem(
        405, "The HTTP method is not allowed here", "See the API reference at /docs."
    ),
    "request_differs": Problem(
        422,
        "This Idempotency-Key was used for another request",
        "Use a new key for each request; use a key again only to repeat the same request.",
    ),
    "webhook_disabled": Problem(
        409, "The webhook is disabled", "Rotate its secret, which enables it again."
    ),
    "no_url": Problem(
        409, "The webhook has no URL of its own", "Submit a photo with a callback_url."
    ),
    "no_preview": Problem(
        404,
        "There is no preview",
        "Get it before the image has ended; afterwards the protected file shows what it is.",
    ),
    "not_ready": Problem(
        409, "The photo is not finished", "Try again when its state is succeeded."
    ),
    "range_not_satisfiable": Problem(
        416, "The requested range is outside the file", "Request a range within Content-Length."
    ),
    "not_acceptable": Problem(
        406, "The requested media type is not available", "Accept application/json."
    ),
    "not_served": Problem(
        404, "The file is not public", "Replace the file in the inbox by one that can be protected."
    ),
    # limits and the service itself
    "too_many_uploads": Problem(
        429, "Too many unused uploads", "Use them, delete them, or wait until they expire."
    ),
    "over_quota": Problem(
        429,
        "The daily quota is used up",
        "Wait until earlier uploads are 24 hours old, or ask the operator for a larger quota.",
    ),
    "rate_limited": Problem(429, "Too many requests", "Try again in a minute, or send an API key."),
    "queue_full": Problem(429, "The queue is full", "Try again after the time in Retry-After."),
    "unavailable": Problem(
        503, "A component of the service is unavailable", "Try again after the time in Retry-After."
    ),
    "not_in_time": Problem(
        503,
        "The photo was not finished in time and was deleted",
        "Send it again later; or use POST /v1/images, or Prefer: respond-async, and poll its "
        "Location.",
    ),
    "storage_full": Problem(507, "The storage is full", "Tell the operator."),
}

ADVICE: dict[str, str] = {
    "already_protected": "",
    "body_too_large": "Save the photo with less quality or fewer pixels.",
    "forbidden": "Use an API key that allows this.",
    "foreign_origin": "Set PHOTOWARD_API_KEY, and require keys in the service.",
    "invalid_option": "",
    "not_found": "Check the name or the id.",
    "not_ready": "`photoward images watch ID` waits until it is.",
    "queue_full": "Try again in a few minutes.",
    "too_many_pixels": "Scale the photo down.",
    "unauthenticated": "Log in with `photoward login URL`, or set PHOTOWARD_API_KEY to a valid API "
    "key.",
    "unavailable": "Try again in a few minutes.",
    "unknown_label": "Choose a class of the surrogate; or --target prototype, for any label.",
    "unknown_method": "`photoward protect --help` lists the methods.",
    "unknown_surrogate": "`photoward surrogate list` lists the surrogates.",
    "unsupported_output": "Choose another --output-format.",
}
"""Code → what a person at the command line can do, where the remedy is for HTTP clients."""


def is_ours(code: str) -> bool:
    """Whether the fault lies with the service: the same photo may go well another time."""
    return PROBLEMS[code].status >= HTTPStatus.INTERNAL_SERVER_ERROR


class PhotowardError(Exception):
    """A refusal with a code from ``PROBLEMS`` and a sentence about this very case."""

    def __init__(
        self, code: str, detail: str, *, field: str | None = None, image: str | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.image = image
        """The id of the item that it is about, where that is another than was asked for."""
        self.problem = PROBLEMS[code]

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class BadInput(PhotowardError):  # noqa: N818  # the name says whose turn it is
    """The caller can mend it."""


class Denied(PhotowardError):  # noqa: N818
    """Who asks may not."""


class NotFound(PhotowardError):  # noqa: N818
    """No such thing, or not yours to know of; or no longer."""

    def __init__(
        self,
        detail: str = "The resource does not exist, or belongs to another tenant.",
        code: str = "not_found",
    ) -> None:
        super().__init__(code, detail)


class Conflict(PhotowardError):  # noqa: N818
    """The thing is not in a state that allows this."""


class Overloaded(PhotowardError):  # noqa: N818
    """Come back later."""

    def __init__(self, detail: str, code: str = "queue_full") -> None:
        super().__init__(code, detail)


class Unavailable(PhotowardError):  # noqa: N818
    """Our infrastructure fails; never reported as bad input."""

    def __init__(self, detail: str, code: str = "unavailable") -> None:
        super().__init__(code, detail)
