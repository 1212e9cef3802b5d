"""The ledger as the operator's commands open it: what they do is audited as the operator's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.options import DataDir
from photoward.core.audit import OPERATOR, set_actor
from photoward.core.ledger import Ledger, open_ledger
from photoward.core.settings import Settings


@contextmanager
def open_as_operator(data_dir: DataDir) -> Iterator[tuple[Settings, Ledger]]:
    """The settings and the ledger, closed afterwards.

    Raises:
        BadInput: a setting is not valid.
        Unavailable: the ledger cannot be opened.
    """
    settings = settings_from(data_dir=data_dir)
    ledger = open_ledger(settings)
    set_actor(OPERATOR)
    try:
        yield settings, ledger
    finally:
        ledger.close()
