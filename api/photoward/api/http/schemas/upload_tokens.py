"""Upload tokens."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE_ID = "5c0f3a9e1b2d4c6f"
HOUR_S, DAY_S = 3600, 86_400
MAX_IMAGES = 1000


class CreateUploadToken(BaseModel):
    """The request for an upload token."""

    model_config = ConfigDict(extra="forbid")

    expires_in_seconds: int = Field(default=HOUR_S, ge=60, le=DAY_S, strict=True)
    max_images: int = Field(
        default=1, ge=1, le=MAX_IMAGES, strict=True, description="Most images submitted with it."
    )
    max_bytes: int | None = Field(
        default=None,
        ge=1,
        lt=2**53,
        strict=True,
        description="Most bytes that they have together; default: what so many images may have.",
        examples=[26_214_400],
    )


class CreatedUploadToken(BaseModel):
    """A new upload token."""

    id: str = Field(examples=[EXAMPLE_ID])
    token: str = Field(
        description="Send it as `Authorization: Bearer`. It is not shown again.",
        examples=[f"pwu_{EXAMPLE_ID}_{'A' * 43}"],
    )
    expires_at: datetime
    max_images: int = Field(examples=[1])
    max_bytes: int = Field(examples=[26_214_400])
