"""What the functions of this package work with."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from photoward.api.ingest.admission import Admission
from photoward.api.ingest.notifier import WorkerNotifier
from photoward.api.ingest.sources import PhotoSource
from photoward.core.catalogue import Catalogue
from photoward.core.ledger import Ledger
from photoward.core.settings import Settings
from photoward.core.storage import ObjectStore
from photoward.core.tracing import Tracer


@dataclass(frozen=True, kw_only=True)
class IngestServices:
    """One of each for a process; all are safe to share between threads."""

    settings: Settings
    ledger: Ledger
    store: ObjectStore
    catalogue: Catalogue
    admission: Admission
    notifier: WorkerNotifier
    sources: Mapping[str, PhotoSource]
    """By the name of the field in which a manifest line says where a photo is."""
    fetch_wake_up: threading.Event
    """Set when there is something to fetch."""
    tracer: Tracer
