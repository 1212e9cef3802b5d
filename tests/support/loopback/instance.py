"""One instance of a service: its whole command line here, its environment, its health."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from photoward.api.cli.service.process import Program
from tests.support.loopback import configuration
from tests.support.loopback.layout import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.support.loopback.composition import Service
    from tests.support.loopback.layout import Layout

INHERITED = ("HOME", "LANG", "PYTHONPATH", "USER")
"""What of the caller's environment programs see."""

SLACK_S = 30.0
"""Added to ``start_period``: several may start at once on a small machine."""


@dataclass(frozen=True)
class Instance:
    """The ``number``-th process of a service."""

    service: Service
    number: int
    layout: Layout

    @property
    def name(self) -> str:
        """As in logs."""
        return f"{self.service.name}-{self.number}"

    def prepare(self) -> None:
        """Make its folders, empty where an engine would give memory, and its configuration."""
        for folder in self.folders.values():
            if folder.is_relative_to(self.layout.state / "tmp"):
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            folder.parent.chmod(0o711)
            if self._user:
                shutil.chown(folder, self._user, self._user)
        configuration.write(self.service, self.number, self.layout)

    @property
    def folders(self) -> dict[str, Path]:
        """Path inside → path here."""
        return self.layout.folders(self.service, self.number)

    @property
    def environment(self) -> dict[str, str]:
        """Its variables: those of the file, and what every process needs."""
        said = self.service.spec.get("environment", {})
        path = f"{self.layout.state / 'bin'}:{os.environ.get('PATH', os.defpath)}"
        given = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {**given, "PATH": path, **{name: self._here(str(said[name])) for name in said}}

    def command(self, words: Sequence[str]) -> list[str]:
        """A command as this instance would run it: its user, folder and environment around it."""
        user = []
        if self._user:  # PostgreSQL does not run as root
            ids = [f"--reuid={self._user}", f"--regid={self._user}", "--clear-groups"]
            user = ["setpriv", *ids, "--pdeathsig=KILL"]
        folder = self.folders.get(self.service.spec.get("working_dir", ""), self.layout.state)
        pairs = [f"{name}={value}" for name, value in self.environment.items()]
        return [*user, "env", "-i", "-C", str(folder), *pairs, *map(self._here, words)]

    def healthy(self) -> bool:
        """Whether the file's own health check passes."""
        kind, *words = self.service.spec["healthcheck"]["test"]
        words = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        return self.runs(words)

    def runs(self, words: Sequence[str], timeout_s: float = 10.0) -> bool:
        """Whether a command of it ends well."""
        try:
            done = subprocess.run(  # of the file
                self.command(words),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def program(self, then: Callable[[], bool]) -> Program:
        """For the supervisor: ready when it is healthy and ``then`` has gone well."""
        start_s = self.service.seconds("healthcheck", "start_period", default=0)
        return Program(
            self.name,
            self.command(self.service.command),
            ready=lambda: self.healthy() and then(),
            ready_within_s=start_s + SLACK_S,
            grace_s=self.service.seconds("stop_grace_period", default=10),
        )

    @property
    def _user(self) -> str | None:
        """The account of this machine that it needs, if it is not the caller's own."""
        is_root = os.geteuid() == 0 and self.service.image == "postgres"
        return pwd.getpwnam("postgres").pw_name if is_root else None

    def _here(self, text: str) -> str:
        return self.layout.rewritten(text, self.service, self.number)


def instances(service: Service, layout: Layout) -> list[Instance]:
    """All processes of a service."""
    return [Instance(service, number, layout) for number in numbers(service)]
