"""Names that the sender and the worker share."""

from __future__ import annotations

TASK = "photoward.protect"
"""The task; its one argument is an item's id, and the worker may claim other items instead."""

QUEUE = "photoward"
