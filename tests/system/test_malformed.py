"""Hundreds of broken and hostile files through the whole service, with the quickest noise."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from photoward.api.cli.client import Client, Refusal
from photoward.core.errors import PROBLEMS
from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.stack import UPLOADERS, fresh_stack

BESIDE = Path(__file__).parents[3] / "shared"
FILES = Path(os.environ.get("PHOTOWARD_SHARED", BESIDE)) / "data" / "malformed"


@pytest.mark.skipif(not FILES.is_dir(), reason="the collection of malformed files is not here")
def test_every_malformed_file_is_refused_or_ends_with_a_code() -> None:
    files = sorted(path for path in FILES.rglob("*") if path.is_file())
    with fresh_stack(PHOTOWARD_IMAGING_TIMEOUT_S="10") as service:
        worker = service.pool_process()

        def send(path: Path) -> str | Refusal:
            with Client(service.url) as client:
                try:
                    data = path.read_bytes()
                    sent = client.submit(data, "application/octet-stream", method="cuda")
                    return str(sent["id"])
                except Refusal as refusal:
                    return refusal

        with ThreadPoolExecutor(UPLOADERS) as threads:
            answers = dict(zip(files, threads.map(send, files), strict=True))
        refused = {path: one for path, one in answers.items() if isinstance(one, Refusal)}
        ids = {path: one for path, one in answers.items() if isinstance(one, str)}
        for path, refusal in refused.items():
            assert 400 <= refusal.status < 500, (path, refusal)
            assert refusal.problem["code"] in PROBLEMS, path
        for path, item in zip(ids, service.ended(list(ids.values()), 240), strict=True):
            assert item["state"] in ("succeeded", "failed"), path
            if item["state"] == "failed":
                assert PROBLEMS[item["error"]["code"]].status < 500, (path, item["error"])
        assert service.pool_process() == worker
        assert worker.is_running()
        audit(service, Settings(data_dir=service.folder), list(ids.values()), hostile=True)
        assert len(refused) > len(files) / 4
