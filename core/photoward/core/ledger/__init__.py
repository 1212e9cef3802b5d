"""The truth about items, in SQLite or PostgreSQL; knows no queue and no bucket."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from photoward.core.errors import BadInput
from photoward.core.ledger.adapter import SqlLedger
from photoward.core.ledger.engine import make_engine, translated
from photoward.core.ledger.migrations import migrate
from photoward.core.settings import USUAL_DATA_DIR

if TYPE_CHECKING:
    from photoward.core.ports import Ledger
    from photoward.core.settings import Settings

__all__ = ["open_ledger", "require_keys"]


def open_ledger(settings: Settings) -> Ledger:
    """The ledger that ``settings.database`` names, its tables brought up to date.

    Any number of processes may start together: one migrates, the others wait. Open it after a
    fork, not before. Raises Unavailable.
    """
    engine = make_engine(settings.database)
    try:
        with translated():
            migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlLedger(engine)


def require_keys(settings: Settings, ledger: Ledger) -> None:
    """Refuse to open a door that nobody could come in through, or that everybody could.

    Raises:
        BadInput: API keys are required and there is none.
    """
    if settings.keys_required and not ledger.any_live_key():
        usual = settings.data_dir.absolute() == Path(USUAL_DATA_DIR).absolute()
        where = "" if usual else f" --data-dir {shlex.quote(str(settings.data_dir))}"
        raise BadInput(
            "invalid_option",
            f"Listening on {settings.http_host} needs an API key, and there is none: make one with "
            f"`photoward keys add NAME{where}`. PHOTOWARD_HTTP_ALLOW_UNAUTHENTICATED=1 lets "
            "everybody in.",
        )
