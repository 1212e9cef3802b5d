"""What a client says of a photo or a batch beside its options: its own name for it, its own notes.

None of it changes the file; the service stores it, finds by it and repeats it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from photoward.api.ingest.ndjson import parse_object
from photoward.api.ingest.validation import validated
from photoward.core.errors import BadInput
from photoward.core.safe_http import MAX_URL

MAX_REFERENCE = 255
MAX_ENTRIES, MAX_KEY, MAX_VALUE = 50, 40, 500
"""Of metadata, as Stripe's: entries, characters of a key, characters of a value."""

MIN_RETENTION_S, MAX_RETENTION_S = 60, 10 * 366 * 86_400

NO_CONTROLS = r"^[^\x00-\x1f\x7f]+$"
LIMITS = (
    f"Texts by key: at most {MAX_ENTRIES}, keys of up to {MAX_KEY} printable characters, values of "
    f"up to {MAX_VALUE}."
)


def _check(found: dict[str, Any]) -> dict[str, str]:
    texts = {key: value for key, value in found.items() if isinstance(value, str)}
    keys_fit = all(0 < len(key) <= MAX_KEY and key.isprintable() for key in texts)
    values_fit = all(len(value) <= MAX_VALUE and "\0" not in value for value in texts.values())
    if len(texts) < len(found) or len(texts) > MAX_ENTRIES or not (keys_fit and values_fit):
        raise ValueError(LIMITS.removesuffix("."))
    return texts


Reference = Annotated[
    str | None,
    Field(
        description="Your own name for it, such as the id in your database. Answers and webhooks "
        "repeat it, and `GET /v1/images?reference=` finds by it.",
        min_length=1,
        max_length=MAX_REFERENCE,
        pattern=NO_CONTROLS,
        examples=["post-1042"],
    ),
]
CallbackUrl = Annotated[
    str | None,
    Field(
        description="An https URL that is told when it has ended, once, as a webhook is; the "
        "secret of its signature: `GET /v1/webhooks/callbacks`.",
        min_length=1,
        max_length=MAX_URL,
        examples=["https://photos.example/hooks/photoward"],
    ),
]
ExpiresIn = Annotated[
    int | None,
    Field(
        description="Seconds after its end after which it is deleted, its files too; at most what "
        "`GET /v1/limits` tells in `retention_s`, which is the default.",
        ge=MIN_RETENTION_S,
        le=MAX_RETENTION_S,
        examples=[86_400],
    ),
]
Metadata = Annotated[
    dict[str, Any],
    AfterValidator(_check),
    WithJsonSchema(
        {
            "type": "object",
            "description": f"Your own notes; answers and webhooks repeat them. {LIMITS}",
            "additionalProperties": {"type": "string", "maxLength": MAX_VALUE},
            "propertyNames": {"minLength": 1, "maxLength": MAX_KEY, "pattern": r"^[\x20-\x7e]+$"},
            "maxProperties": MAX_ENTRIES,
            "examples": [{"album": "holiday"}],
        }
    ),
]
MetadataText = Annotated[
    str | None,
    Field(
        description=f"Your own notes, as a JSON object; answers and webhooks repeat them. {LIMITS}",
        examples=['{"album": "holiday"}'],
    ),
]


class _Holder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    metadata: Metadata


def retention(wanted_s: int | None, limit_s: int | None) -> int | None:
    """Seconds from the end of an image to its deletion; None: it is kept.

    Args:
        wanted_s: by the client; None: it says nothing.
        limit_s: the installation's, which is its default as well; None: it keeps everything.

    Raises:
        BadInput: it is longer than the installation keeps anything.
    """
    if wanted_s is None or limit_s is None:
        return limit_s if wanted_s is None else wanted_s
    if wanted_s > limit_s:
        detail = f"This service keeps images for at most {limit_s} seconds."
        raise BadInput("invalid_option", detail, field="expires_in_seconds")
    return wanted_s


def parse_metadata(text: str) -> dict[str, str]:
    """Metadata of a query or a form. Raises BadInput: it is no JSON object within the limits."""
    try:
        return validated(_Holder, {"metadata": parse_object(text)}).metadata
    except BadInput as error:
        detail = error.detail.removeprefix("metadata: ")
        raise BadInput("invalid_option", f"metadata: {detail}", field="metadata") from None
