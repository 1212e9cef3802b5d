"""``photoward worker``: one worker alone."""

from __future__ import annotations

import os

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.extras import require_extra
from photoward.api.cli.options import DataDir


def worker(*, data_dir: DataDir = None) -> None:
    """Run one worker alone, on the queue, ledger and object store that the settings name."""
    settings = settings_from(data_dir=data_dir)
    require_extra("worker")
    os.nice(settings.worker_niceness)
    from photoward.worker.celery_app import run_worker

    run_worker(settings)
