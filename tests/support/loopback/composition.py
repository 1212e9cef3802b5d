"""What docker-compose.yml says, variables filled in; knows nothing of this machine."""

from __future__ import annotations

import graphlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

FILE = Path(__file__).parents[3] / "docker-compose.yml"
VARIABLE = re.compile(r"\$\$|\$\{(\w+):-([^}]*)\}")
"""The forms that the file uses."""

UNITS = {"s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Service:
    """One service, and what is asked of it here."""

    name: str
    spec: Mapping[str, Any]

    @property
    def image(self) -> str:
        """The image's name without its version."""
        return str(self.spec["image"]).partition(":")[0]

    @property
    def command(self) -> list[str]:
        """The whole command; empty where only the image knows it."""
        return [*self.spec.get("entrypoint", ()), *self.spec.get("command", ())]

    @property
    def replicas(self) -> int:
        """How many of it run."""
        return int(self.spec.get("deploy", {}).get("replicas", 1))

    @property
    def home(self) -> str:
        """The service in whose network it lives: mostly itself."""
        return str(self.spec.get("network_mode", f"service:{self.name}")).removeprefix("service:")

    @property
    def ends(self) -> bool:
        """Whether it does one thing and is done."""
        return self.spec.get("restart") == "on-failure"

    @property
    def published(self) -> dict[int, int]:
        """Container port → port of this machine."""
        pairs = (entry.split(":")[-2:] for entry in self.spec.get("ports", ()))
        return {int(inside): int(outside) for outside, inside in pairs}

    @property
    def ports(self) -> list[int]:
        """Every port that it listens on."""
        return [*self.published, *(int(port) for port in self.spec.get("expose", ()))]

    @property
    def mounts(self) -> list[tuple[str, str]]:
        """Source (a volume's name, or a path beginning with a dot) and target of each mount."""
        return [(*entry.split(":")[:2],) for entry in self.spec.get("volumes", ())]

    def seconds(self, *path: str, default: float) -> float:
        """A duration such as ``90s`` or ``2m``."""
        found: Any = self.spec
        for name in path:
            found = found.get(name, {})
        return float(found[:-1]) * UNITS[found[-1]] if found else default


def filled(text: str, environment: Mapping[str, str]) -> str:
    """The text with ``${NAME:-default}`` and ``$$`` as compose understands them."""
    return VARIABLE.sub(
        lambda found: environment.get(found[1]) or found[2] if found[1] else "$", text
    )


def services(environment: Mapping[str, str], profiles: Collection[str]) -> list[Service]:
    """The file's services that run with these profiles."""
    said = yaml.safe_load(filled(FILE.read_text(encoding="utf-8"), environment))["services"]
    return [
        Service(name, about)
        for name, about in said.items()
        if not about.get("profiles") or set(about["profiles"]) & set(profiles)
    ]


def stages(chosen: Sequence[Service]) -> list[list[Service]]:
    """The services in groups, each of which needs only what stands in earlier ones."""
    by_name = {service.name: service for service in chosen}
    needs = {
        service.name: set(service.spec.get("depends_on", ())) & by_name.keys() for service in chosen
    }
    sorter = graphlib.TopologicalSorter(needs)
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append([by_name[name] for name in sorted(ready)])
        sorter.done(*ready)
    return found
