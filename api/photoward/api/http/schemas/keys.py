"""API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.schemas.inline import allow_repeats
from photoward.core.api_keys import GRACE_HOURS, MAX_NAME, ApiKey, Scope

EXAMPLE_ID = "5c0f3a9e1b2d4c6f"
MAX_LIFETIME_DAYS = 3650


class CreateKey(BaseModel):
    """A key that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Where it will be used.", examples=["upload plug-in"],
    )  # fmt: skip
    scopes: set[Literal[Scope.READ, Scope.WRITE, Scope.ADMIN]] = Field(
        default={Scope.READ, Scope.WRITE}, min_length=1, json_schema_extra=allow_repeats
    )
    expires_in_days: int | None = Field(default=None, ge=1, le=MAX_LIFETIME_DAYS, strict=True)


class RotateKey(BaseModel):
    """How long the old key still opens."""

    model_config = ConfigDict(extra="forbid")

    grace_hours: int = Field(default=GRACE_HOURS, ge=0, le=24 * 30, strict=True)


class Key(BaseModel):
    """A key without its secret."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str = Field(examples=["upload plug-in"])
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Key:
        """Show a key."""
        return cls(
            id=key.id, name=key.name, scopes=sorted(key.scopes), created_at=key.created_at,
            expires_at=key.expires_at,
        )  # fmt: skip


class CreatedKey(Key):
    """A key that was just made."""

    key: str = Field(
        description="The key itself. It is shown here and never again.",
        examples=[f"pw_{EXAMPLE_ID}_{'A' * 43}"],
    )


class Keys(BaseModel):
    """All keys of a tenant, oldest first, expired ones too."""

    keys: list[Key]
