"""The real method with a schedule that takes milliseconds, where its strength is not the point."""

from __future__ import annotations

from dataclasses import replace

from photoward.models.methods.registry import METHODS
from photoward.models.methods.spec import Schedule

QUICK = replace(METHODS["sem"], schedule=Schedule(steps=2, samples=1))
"""SEM of two steps."""
