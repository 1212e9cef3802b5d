"""The broker as a way to say "there is work": Celery's settings, the sender, the private server.

Knows no worker code: work is named by a string.
"""

from __future__ import annotations

from photoward.core.queue.hints import CeleryHints, open_hints
from photoward.core.queue.names import QUEUE, TASK
from photoward.core.queue.options import celery_settings

__all__ = ["QUEUE", "TASK", "CeleryHints", "celery_settings", "open_hints"]
