"""The broker, which wakes up workers: Celery's settings, the sender, the private server.

Knows no worker code: the task is named by a string.
"""

from __future__ import annotations

from photoward.core.queue.names import QUEUE, TASK
from photoward.core.queue.options import celery_settings
from photoward.core.queue.wake_ups import CeleryWakeUpSender, WakeUpSender, open_wake_up_sender

__all__ = [
    "QUEUE",
    "TASK",
    "CeleryWakeUpSender",
    "WakeUpSender",
    "celery_settings",
    "open_wake_up_sender",
]
