"""Liveness and readiness."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Which parts answer. Without broker or worker photos are still taken, and worked on later."""

    status: Literal["ready", "degraded", "unavailable"]
    parts: dict[str, Literal["up", "down"]]
