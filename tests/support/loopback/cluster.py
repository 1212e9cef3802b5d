"""What the PostgreSQL image does before its first start: the cluster, its user, its database."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from tests.support.loopback.instance import Instance


def make(postgres: Instance) -> None:
    """Make the cluster that the instance's ``PGDATA`` names, unless it is there.

    Raises:
        Unavailable: it cannot be made; PostgreSQL's own words are part of the message.
    """
    inside, name = (postgres.service.spec["environment"][of] for of in ("PGDATA", "POSTGRES_USER"))
    if (Path(postgres.environment["PGDATA"]) / "PG_VERSION").exists():
        return
    # A copy: PostgreSQL's user may not enter where secrets lie.
    password = postgres.folders["/tmp"] / "password"  # noqa: S108  # a path inside
    try:
        password.write_bytes(Path(postgres.environment["POSTGRES_PASSWORD_FILE"]).read_bytes())
        if os.geteuid() == 0:
            shutil.chown(password, "postgres")
        _run(
            postgres,
            "initdb",
            "-D",
            inside,
            "-U",
            name,
            "--pwfile=/tmp/password",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-instructions",
        )
    finally:
        password.unlink()
    _run(
        postgres,
        "postgres",
        "--single",
        "-D",
        inside,
        "postgres",
        said=f"CREATE DATABASE {name};\n",
    )


def _run(postgres: Instance, *words: str, said: str = "") -> None:
    done = subprocess.run(  # our own words
        postgres.command(words),
        input=said,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise Unavailable(
            "PostgreSQL cannot make its cluster. As root it runs as the user postgres, who must "
            f"be able to enter {postgres.layout.state}; --state names another.\n{done.stdout}"
        )
