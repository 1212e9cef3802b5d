"""Failpoints: named places where a test makes a process fail.

Nothing happens unless ``PHOTOWARD_FAILPOINTS`` names a folder. Then a process that reaches a point
exits at once if a file of the point's name lies in the folder; it deletes the file first, so that
the next process passes.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from photoward.core.errors import Unavailable

POINTS = (
    # the HTTP face
    "original-stored",
    "row-committed",
    "notified",
    # the worker
    "claimed",
    "fetched",
    "protected",
    "output-stored",
    "ledger-stored",
    # its webhook dispatcher
    "message-due",
    "message-posted",
)
"""In the order in which a photo passes them."""

UPLOAD_POINTS = ("part-stored", "part-counted", "upload-used")
"""Those of a photo that is uploaded in parts; it passes the others as well."""
FETCH_POINTS = ("fetch-claimed", "photo-fetched", "original-stored", "row-committed")
"""Those that a photo passes first that the service fetches."""

GATEWAY_POINTS = (
    "inbox-read",
    "photo-submitted",
    "result-fetched",
    "outbox-stored",
    "item-deleted",
)
"""Those of a file that the gateway protects."""

ANSWER_LOST = "answer-lost"
"""The process does not exit: the ledger's transaction is committed, and its answer is lost."""

HANGING = "method-hangs"
"""The process does not exit: a protection method never returns."""

_FOLDER = os.environ.get("PHOTOWARD_FAILPOINTS")


def failpoint(name: str) -> None:
    """Exit here if the point is armed.

    Args:
        name: one of ``POINTS``, ``UPLOAD_POINTS``, ``FETCH_POINTS`` or ``GATEWAY_POINTS``.
    """
    if _armed(name):
        os._exit(os.EX_SOFTWARE)


def lose(name: str) -> None:
    """Raise Unavailable here if the point is armed, as when a connection breaks."""
    if _armed(name):
        raise Unavailable("The ledger does not respond (failpoint).")


def hang(name: str) -> None:
    """Block here for ever if the point is armed."""
    if _armed(name):
        threading.Event().wait()


def _armed(name: str) -> bool:
    if _FOLDER is None:
        return False
    try:
        (Path(_FOLDER) / name).unlink()
    except FileNotFoundError:
        return False
    return True
