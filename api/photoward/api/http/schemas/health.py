"""Liveness and readiness."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Which components answer. Without broker or worker, photos are protected later."""

    status: Literal["ready", "degraded", "unavailable"]
    components: dict[str, Literal["up", "down"]]
