"""API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.schemas.inline import allow_repeats
from photoward.core.api_keys import MAX_NAME, ROTATION_GRACE_HOURS, TENANT_SCOPES, ApiKey, Scope

EXAMPLE_ID = "5c0f3a9e1b2d4c6f"
MAX_LIFETIME_DAYS = 3650


class CreateKey(BaseModel):
    """The request for a key."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1,
        max_length=MAX_NAME,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Where the key will be used.",
        examples=["upload plug-in"],
    )
    scopes: set[Literal[Scope.READ, Scope.WRITE, Scope.WEBHOOKS, Scope.ADMIN]] = Field(
        default={Scope.READ, Scope.WRITE}, min_length=1, json_schema_extra=allow_repeats
    )
    expires_in_days: int | None = Field(default=None, ge=1, le=MAX_LIFETIME_DAYS, strict=True)


class RotateKey(BaseModel):
    """How long the old key stays valid."""

    model_config = ConfigDict(extra="forbid")

    grace_hours: int = Field(default=ROTATION_GRACE_HOURS, ge=0, le=24 * 30, strict=True)


class Key(BaseModel):
    """An API key, without the key itself."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str = Field(examples=["upload plug-in"])
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Key:
        """A ledger's key as the API shows it."""
        return cls(
            id=key.id,
            name=key.name,
            scopes=sorted(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
        )


class CurrentKey(BaseModel):
    """The key that a request has."""

    id: str | None = Field(description="Null: the service requires no key.", examples=[EXAMPLE_ID])
    tenant: str = Field(examples=["alice"])
    name: str = Field(examples=["upload plug-in"])
    scopes: list[Scope]
    created_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def anonymous(cls, tenant: str) -> CurrentKey:
        """What everybody may do where no key is required."""
        scopes = sorted(TENANT_SCOPES)
        return cls(id=None, tenant=tenant, name="", scopes=scopes, created_at=None, expires_at=None)


class CreatedKey(Key):
    """A new API key."""

    key: str = Field(
        description="The key itself. It is not shown again.",
        examples=[f"pw_{EXAMPLE_ID}_{'A' * 43}"],
    )


class Keys(BaseModel):
    """All keys of a tenant, oldest first, expired ones too."""

    keys: list[Key]
