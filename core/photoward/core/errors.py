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


PROBLEMS: dict[str, Problem] = {
    # the body
    "empty_body": Problem(400, "The body is empty", "Send the picture's bytes."),
    "length_mismatch": Problem(
        400, "The body is not as long as announced", "Send Content-Length as it is, or none."
    ),
    "digest_mismatch": Problem(
        400, "The body is not what its digest says", "Send it again, or another Content-Digest."
    ),
    "malformed_request": Problem(
        400,
        "The request cannot be read",
        "Send multipart/form-data with a part named file, "
        "or the raw picture with its own Content-Type.",
    ),
    "too_slow": Problem(
        408, "The body comes too slowly", "Send it again over a better connection."
    ),
    "body_too_large": Problem(413, "The file is too large", "Send a smaller file."),
    "unsupported_content_type": Problem(
        415,
        "This content type is not accepted",
        "Send multipart/form-data, application/octet-stream, or the picture's own type.",
    ),
    "content_type_mismatch": Problem(
        415,
        "The bytes are of another type than announced",
        "Send the Content-Type that fits the bytes.",
    ),
    # what is brought in before it is used
    "tus_version": Problem(
        412,
        "Another version of tus is spoken here",
        "Send Tus-Resumable: 1.0.0; or JSON, for an upload in one piece.",
    ),
    "checksum_differs": Problem(
        460, "The part is not what its checksum says", "Send it again from the same offset."
    ),
    "offset_differs": Problem(
        409, "The upload stands elsewhere", "Ask where with HEAD, and go on from there."
    ),
    "upload_incomplete": Problem(409, "The upload is not complete", "Send the rest first."),
    "upload_used": Problem(
        409, "The upload has become a photo", "Make another upload: each becomes one photo."
    ),
    "too_many_parts": Problem(
        413, "The upload came in too many parts", "Begin again, and send larger parts."
    ),
    # the picture
    "not_an_image": Problem(
        415, "This is not a picture", "Send a JPEG, PNG, WebP, AVIF, TIFF or GIF."
    ),
    "unsupported_type": Problem(
        415, "This kind of picture is not supported", "Convert it to JPEG, PNG, WebP or AVIF."
    ),
    "truncated": Problem(422, "The file ends too early", "Send the whole file."),
    "corrupt": Problem(
        422, "The picture cannot be decoded", "Open and save it anew, then send it."
    ),
    "bad_dimensions": Problem(
        422, "The picture's size is impossible", "Send a picture of at least 1 by 1 pixel."
    ),
    "too_many_pixels": Problem(413, "The picture has too many pixels", "Scale it down first."),
    "unsupported_bit_depth": Problem(
        422, "Only 8 bits a channel are supported", "Convert the picture to 8 bits a channel."
    ),
    "unsupported_colour_mode": Problem(
        422, "This colour mode is not supported", "Convert the picture to RGB or grey."
    ),
    "too_costly": Problem(
        422,
        "The picture takes more processor time than it may",
        "Scale it down, or open and save it anew, then send it.",
    ),
    "unsupported_animation": Problem(
        422, "This animation is not supported", "Send fewer frames, as a GIF, WebP or PNG."
    ),
    "unsupported_pages": Problem(
        422, "Several pages in one file are not supported", "Send each page as a file of its own."
    ),
    # the options
    "invalid_option": Problem(422, "An option is not valid", "Correct the option named in detail."),
    "unknown_method": Problem(422, "There is no such method", "See GET /v1/methods."),
    "unknown_preset": Problem(
        422, "There is no such preset", "Use subtle, standard, strong or hosted, or give epsilon."
    ),
    "unknown_surrogate": Problem(422, "There is no such surrogate", "See GET /v1/surrogates."),
    "unknown_label": Problem(
        422,
        "The surrogate does not know this label",
        "With target=logits use one of the surrogate's classes; target=prototype takes any label.",
    ),
    "unsupported_output": Problem(
        422, "This output format cannot hold the picture", "Choose another output_format."
    ),
    # what a manifest names
    "source_blocked": Problem(
        422, "Nothing is fetched from there", "Name what the operator allows, or send the photo."
    ),
    "source_missing": Problem(
        422, "The source does not give the photo out", "Put it there, then try the batch again."
    ),
    "source_unreachable": Problem(
        502, "The source does not answer", "Try the batch again when it does."
    ),
    # what happened to an accepted item
    "postcondition": Problem(
        500, "The finished file broke the change bound", "Report it with the picture, if you can."
    ),
    "timed_out": Problem(
        503,
        "The machine was too busy to finish the picture",
        "Try it again later; tell the operator if it happens often.",
    ),
    "worker_lost": Problem(
        500, "The item outlived three workers", "Send it again; report it if it happens again."
    ),
    "internal_error": Problem(500, "Something went wrong on our side", "Try again later."),
    # who asks
    "unauthenticated": Problem(
        401, "An API key is needed", "Send Authorization: Bearer and a key that has not expired."
    ),
    "forbidden": Problem(
        403, "The key does not allow this", "Use a key with the scope named in detail."
    ),
    "unknown_host": Problem(
        421,
        "The service does not go by that name",
        "Ask for localhost or an address in numbers, or name it in PHOTOWARD_ALLOWED_HOSTS.",
    ),
    "foreign_origin": Problem(
        403,
        "Another site's page may not ask this",
        "Use the service's own page, or a program; or require keys, and send one.",
    ),
    # things and states
    "not_found": Problem(404, "There is no such thing", "Check the address."),
    "method_not_allowed": Problem(405, "Not with this HTTP method", "See the API document."),
    "request_differs": Problem(
        422,
        "This Idempotency-Key was used for another request",
        "Give each request a key of its own; use one again only to repeat the very same request.",
    ),
    "not_ready": Problem(409, "The item is not finished", "Ask again when its state is done."),
    "range_not_satisfiable": Problem(
        416, "The file is not that long", "Ask for a part within its Content-Length."
    ),
    "not_acceptable": Problem(406, "Not in this form", "Accept application/json."),
    # our side
    "too_many_uploads": Problem(
        429, "Too many uploads are not used", "Use them, delete them, or wait until they expire."
    ),
    "over_quota": Problem(
        429, "The quota is used up", "Wait until older photos are a day old, or ask the operator."
    ),
    "queue_full": Problem(429, "The queue is full", "Try again after the time in Retry-After."),
    "unavailable": Problem(
        503, "A part of the service is away", "Try again after the time in Retry-After."
    ),
    "not_in_time": Problem(
        503,
        "The photo was not finished in time, and nothing of it is kept",
        "Send it later; or to POST /v1/images, or with keep=true, and ask at its Location.",
    ),
    "storage_full": Problem(507, "The store is full", "Tell the operator."),
}


def is_ours(code: str) -> bool:
    """Whether the fault lies with the service: the same photo may go well another time."""
    return PROBLEMS[code].status >= HTTPStatus.INTERNAL_SERVER_ERROR


class PhotowardError(Exception):
    """A refusal with a code from ``PROBLEMS`` and a sentence about this very case."""

    def __init__(self, code: str, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.problem = PROBLEMS[code]

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class BadInput(PhotowardError):  # noqa: N818  # the name says whose turn it is
    """The caller can mend it."""


class Denied(PhotowardError):  # noqa: N818
    """Who asks may not."""


class NotFound(PhotowardError):  # noqa: N818
    """No such thing, or not yours to know of."""

    def __init__(self, detail: str = "Nothing is to be found here.") -> None:
        super().__init__("not_found", detail)


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
