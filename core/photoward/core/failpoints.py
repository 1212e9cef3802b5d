"""Named places where a test may have a process die at once, as when the power goes.

Nothing happens unless ``PHOTOWARD_FAILPOINTS`` names a folder. Then a process that comes to a point
dies if a file of the point's name lies there; it takes the file with it, so that the next passes.
At ``ANSWER_LOST`` it does not die, but loses a connection; at ``HANGING`` a thread stands still.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from photoward.core.errors import Unavailable

POINTS = (
    # the HTTP face
    "original-stored", "row-committed", "hinted",
    # the worker
    "claimed", "fetched", "protected", "output-stored", "ledger-stored",
    # its courier
    "message-due", "message-posted",
)  # fmt: skip
"""In the order in which a photo passes them."""

OF_UPLOADS = ("part-stored", "part-counted", "upload-used")
"""Those of a photo that is brought in before it is used; it passes the others, too."""
ARRIVING = ("arrival-taken", "arrival-fetched", "original-stored", "row-committed")
"""What a photo passes first that the service fetches."""

ANSWER_LOST = "answer-lost"
"""Where nobody dies: what the ledger was to keep is committed, and its answer does not come."""

HANGING = "method-hangs"
"""Where nobody dies either: a method that never returns."""

_FOLDER = os.environ.get("PHOTOWARD_FAILPOINTS")


def failpoint(name: str) -> None:
    """Die here if that is asked for.

    Args:
        name: one of ``POINTS``, ``OF_UPLOADS`` or ``ARRIVING``.
    """
    if _armed(name):
        os._exit(os.EX_SOFTWARE)


def lose(name: str) -> None:
    """Raise Unavailable here if that is asked for, as when a connection breaks."""
    if _armed(name):
        raise Unavailable("The ledger does not respond (failpoint).")


def hang(name: str) -> None:
    """Stand still here for good if that is asked for."""
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
