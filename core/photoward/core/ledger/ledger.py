"""The ledger: the truth about items, batches, keys and everything else that is stored in SQL.

One implementation for SQLite and PostgreSQL. Each call is one transaction. Every change locks the
rows that it finds in the expected state, oldest first, and then writes them: a compare-and-set on
both databases (SQLite's BEGIN IMMEDIATE is one lock for all). No two transactions can deadlock, as
all lock in one order: tenant, items, fetches, webhooks, batches, uploads, tokens, proofs; a
query that skips locked rows waits for none. All calls block; the HTTP face calls them in threads.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from photoward.core.errors import BadInput
from photoward.core.ledger.api_keys import ApiKeys
from photoward.core.ledger.audit import AuditLog
from photoward.core.ledger.batches import Batches
from photoward.core.ledger.database import Database
from photoward.core.ledger.engine import make_engine, translated
from photoward.core.ledger.fetches import Fetches
from photoward.core.ledger.installation import Installation
from photoward.core.ledger.items import Items
from photoward.core.ledger.migrations import migrate
from photoward.core.ledger.outputs import Outputs
from photoward.core.ledger.periodic_tasks import PeriodicTasks
from photoward.core.ledger.proofs import Proofs
from photoward.core.ledger.tables import items
from photoward.core.ledger.targets import LabelTargets
from photoward.core.ledger.tenants import Tenants
from photoward.core.ledger.upload_tokens import UploadTokens
from photoward.core.ledger.uploads import Uploads
from photoward.core.ledger.webhooks import Webhooks
from photoward.core.ledger.workers import Workers
from photoward.core.settings import USUAL_DATA_DIR

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from photoward.core.settings import Settings


class Ledger:
    """The ledger on an engine whose tables exist; one attribute for each subject.

    Methods raise ``Unavailable`` when the database does not answer, and ``NotFound`` for what does
    not exist or belongs to another tenant.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._database = Database(engine)
        self.items = Items(self._database)
        self.batches = Batches(self._database)
        self.outputs = Outputs(self._database)
        self.proofs = Proofs(self._database)
        self.fetches = Fetches(self._database)
        self.uploads = Uploads(self._database)
        self.webhooks = Webhooks(self._database)
        self.api_keys = ApiKeys(self._database)
        self.upload_tokens = UploadTokens(self._database)
        self.tenants = Tenants(self._database)
        self.targets = LabelTargets(self._database)
        self.audit = AuditLog(self._database)
        self.installation = Installation(self._database)
        self.workers = Workers(self._database)
        self.periodic_tasks = PeriodicTasks(self._database)

    def __repr__(self) -> str:
        return f"Ledger({self._engine.dialect.name})"

    def scrub(self) -> None:
        """Remove deleted data from the database's files, as far as no reader needs it."""
        self._database.scrub()

    def check(self) -> None:
        """Raises Unavailable when the database does not answer."""
        self._database.scalar(select(items.c.seq).limit(1))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_ledger(settings: Settings) -> Ledger:
    """The ledger in the database that the settings name, migrated to the newest tables.

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
    return Ledger(engine)


def require_keys(settings: Settings, ledger: Ledger) -> None:
    """Refuse to listen where nobody could authenticate.

    Raises:
        BadInput: API keys are required and there is none.
    """
    if settings.keys_required and not ledger.api_keys.any_active():
        usual = settings.data_dir.absolute() == Path(USUAL_DATA_DIR).absolute()
        where = "" if usual else f" --data-dir {shlex.quote(str(settings.data_dir))}"
        raise BadInput(
            "invalid_option",
            f"Listening on {settings.http_host} needs an API key, and there is none: make one with "
            f"`photoward keys add NAME{where}`. PHOTOWARD_HTTP_ALLOW_UNAUTHENTICATED=1 lets "
            "everybody in.",
        )
