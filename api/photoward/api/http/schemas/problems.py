"""Refusals in the form of RFC 9457."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field

from photoward.core.errors import PROBLEMS, PhotowardError


class Problem(BaseModel):
    """A refusal in the form of RFC 9457."""

    type: str = Field(examples=["/problems/not_an_image"])
    title: str = Field(examples=["The file is not an image"])
    status: int = Field(examples=[415])
    detail: str = Field(examples=["The bytes begin like no supported image format."])
    code: str = Field(description="Stable, for programs.", examples=["not_an_image"])
    remedy: str = Field(examples=["Send a JPEG, PNG, WebP or AVIF file."])
    field: str | None = Field(default=None, description="The option or field that is not valid.")
    image: str | None = Field(
        default=None, description="The id of the image whose protected file was sent."
    )
    instance: str | None = Field(default=None, description="The request's id, as in the log.")

    @classmethod
    def of(cls, code: str, detail: str, **more: Any) -> Self:  # noqa: ANN401  # passed on as is
        """A problem with the title, status and remedy that ``PROBLEMS`` has for its code."""
        known = PROBLEMS[code]
        shown = {"title": known.title, "status": known.status, "remedy": known.remedy, **more}
        return cls(type=f"/problems/{code}", code=code, detail=detail, **shown)

    @classmethod
    def of_error(cls, error: PhotowardError, **more: Any) -> Self:  # noqa: ANN401  # passed on as is
        """An error as a problem."""
        return cls.of(error.code, error.detail, field=error.field, image=error.image, **more)
