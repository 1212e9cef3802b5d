"""What sender and worker call things."""

from __future__ import annotations

TASK = "photoward.protect"
"""The task; its one argument is the item's id, and even that is only a hint."""

QUEUE = "photoward"
