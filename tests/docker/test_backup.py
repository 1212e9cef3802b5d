"""The runbook's commands back up what a restore needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from tests.api.http.service import picture, serving, work
from tests.support.loopback.composition import FILE
from tests.support.servers import POSTGRES_BIN, fresh_database

if TYPE_CHECKING:
    from pathlib import Path

RUNBOOK = (FILE.parent / "docs/runbook.md").read_text()


def of_the_runbook(program: str, database: str, said: bytes = b"") -> bytes:
    """What a command of it prints when it is run on this database instead of the container's."""
    (line,) = re.findall(rf"exec -T postgres {program} (.*) [<>]", RUNBOOK)
    url = make_url(database)
    here = {"photoward": str(url.database)}
    words = line.replace("-U photoward", f"-U {url.username}").split()
    done = subprocess.run(
        [POSTGRES_BIN / program, *(here.get(word, word) for word in words)],
        input=said,
        stdout=subprocess.PIPE,
        check=True,
        env=os.environ | {"PGHOST": str(url.host), "PGPORT": str(url.port)},
    )
    return done.stdout


def test_what_was_backed_up_comes_back(postgres_url: str, tmp_path: Path) -> None:
    with fresh_database(postgres_url) as old, fresh_database(postgres_url) as new:
        with serving(tmp_path / "old", database_url=old) as service:
            ended = service.upload().json()["id"]
            work(service)
            content = service.client.get(f"/v1/images/{ended}/content").content
            waiting = service.upload(picture(size=(50, 40))).json()["id"]
            dump = of_the_runbook("pg_dump", old)
        with serving(tmp_path / "new", database_url=new) as service:
            service.upload()  # whatever is there gives way
        shutil.copytree(tmp_path / "old/objects", tmp_path / "new/objects", dirs_exist_ok=True)
        of_the_runbook("pg_restore", new, dump)
        with serving(tmp_path / "new", database_url=new) as service:
            assert service.client.get(f"/v1/images/{ended}/content").content == content
            work(service)
            assert service.client.get(f"/v1/images/{waiting}").json()["state"] == "succeeded"
            assert service.ledger.items.count_by_state() == {"done": 2}
