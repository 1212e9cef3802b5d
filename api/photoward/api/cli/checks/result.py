"""The result of a check of ``photoward doctor``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """One row of the doctor's table."""

    subject: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True
    """Whether the service cannot run when this is not ok."""
