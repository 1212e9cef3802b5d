"""Where what a container would see lies on this machine: ports, volumes, secrets, configuration.

Turns the container's view into this machine's, in one pass over each text.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.loopback.composition import Service

LOOPBACK = "127.0.0.1"
SECRETS = "/run/secrets"


class Layout:
    """The ports and folders of every instance of every service.

    Args:
        state: the folder under which everything lies.
        services: all that run.
        published: port of this machine instead of the one that the file publishes; 0: any free one.

    Raises:
        OSError: a published port is taken.
    """

    def __init__(self, state: Path, services: Sequence[Service], published: int | None) -> None:
        self.state = state
        self._ports: dict[tuple[str, int], dict[int, int]] = {}
        held: list[socket.socket] = []  # all at once, so that no two are the same
        try:
            for service in services:
                outside = service.published
                if published is not None:
                    outside = dict.fromkeys(outside, published)
                for number in numbers(service):
                    self._ports[service.name, number] = {
                        port: _free(held, outside.get(port, 0)) for port in service.ports
                    }
        finally:
            for one in held:
                one.close()

    def ports(self, service: Service, number: int = 1) -> Mapping[int, int]:
        """Port inside → port here, of one instance."""
        return self._ports[service.home, number]

    def addresses(self, name: str, port: int) -> list[str]:
        """``host:port`` of every instance."""
        found = sorted(
            (number, own[port]) for (of, number), own in self._ports.items() if of == name
        )
        return [f"{LOOPBACK}:{here}" for _, here in found]

    def folders(self, service: Service, number: int) -> dict[str, Path]:
        """Its volumes and temporary folders: path inside → path here."""
        volumes = {
            target: self.state / "volumes" / source
            for source, target in service.mounts
            if not source.startswith(".")
        }
        inside = [entry.partition(":")[0] for entry in service.spec.get("tmpfs", ())]
        own = self.state / "tmp" / f"{service.name}-{number}"
        return volumes | {one: own / one.rpartition("/")[2] for one in inside}

    def files(self, service: Service, number: int) -> dict[str, Path]:
        """Its configuration: path inside → where the rewritten file goes."""
        under = self.state / "config" / f"{service.name}-{number}"
        return {
            target: under / target.rpartition("/")[2]
            for source, target in service.mounts
            if source.startswith(".")
        }

    def renamed(self, text: str) -> str:
        """The text with loopback addresses instead of ``service:port``."""
        return _replaced(text, self._names())

    def rewritten(self, text: str, service: Service, number: int) -> str:
        """The text with this machine's names, ports and paths instead of a container's."""
        to = self._names() | {
            "0.0.0.0": LOOPBACK,
            SECRETS: str(self.state / "run/secrets"),
        }  # replaced, not bound
        to |= {str(inside): str(here) for inside, here in self.ports(service, number).items()}
        for paths in (self.folders(service, number), self.files(service, number)):
            to |= {inside: str(here) for inside, here in paths.items()}
        return _replaced(text, to)

    def _names(self) -> dict[str, str]:
        return {
            f"{name}:{inside}": f"{LOOPBACK}:{here}"
            for (name, number), ports in self._ports.items()
            if number == 1
            for inside, here in ports.items()
        }


def _replaced(text: str, to: Mapping[str, str]) -> str:
    """All in one pass, longest first, so that nothing is replaced twice."""
    wanted = "|".join(
        # A path, but not the end of another one; a port, a name, an address, but not in a number.
        rf"(?<![\w./]){one}(?![\w.-])" if one.startswith("/") else rf"(?<!\d){one}(?!\d)"
        for one in map(re.escape, sorted(to, key=len, reverse=True))
    )
    return re.sub(wanted, lambda found: to[found[0]], text)


def numbers(service: Service) -> range:
    """The instances of a service, counted from one."""
    return range(1, service.replicas + 1)


def _free(held: list[socket.socket], port: int) -> int:
    one = socket.socket()
    held.append(one)
    if port:  # what an earlier run left behind in TIME_WAIT does no harm
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((LOOPBACK, port))
    return int(one.getsockname()[1])
