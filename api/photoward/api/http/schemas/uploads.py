"""Uploads in one piece."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.ingest.filenames import MAX_LENGTH
from photoward.api.ingest.options import EXAMPLE_ID
from photoward.api.ingest.spool import ANY_TYPE


class CreateUpload(BaseModel):
    """The request for an upload in one piece."""

    model_config = ConfigDict(extra="forbid")

    bytes: int = Field(ge=1, description="Length of the file.", examples=[2_400_381])
    filename: str | None = Field(default=None, max_length=MAX_LENGTH, examples=["cat.jpg"])
    content_digest: str | None = Field(
        default=None,
        max_length=512,
        description="As in RFC 9530; verified when the upload is submitted.",
        examples=["sha-256=:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=:"],
    )


class CreatedUpload(BaseModel):
    """A new upload, and the URL to which the whole file is PUT."""

    id: str = Field(description="For `POST /v1/images`.", examples=[EXAMPLE_ID])
    url: str = Field(
        description="If it begins with a slash it is this service's own and wants the API key as "
        "all else does. Else it leads into the store, needs none and must not be given one.",
        examples=[f"/v1/uploads/{EXAMPLE_ID}/content"],
    )
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str] = Field(examples=[{"Content-Type": ANY_TYPE}])
    expires: datetime = Field(description="When the upload is removed.")
