"""How hard the faults are: a share of their full figures, or all of it (``make chaos``)."""

from __future__ import annotations

import os

FULL = os.environ.get("PHOTOWARD_CHAOS") == "full"


def scaled(quick: int, full: int) -> int:
    """How many, or how long."""
    return full if FULL else quick
