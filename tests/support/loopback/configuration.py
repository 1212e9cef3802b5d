"""Configuration files and secrets, rewritten from a container's view to this machine's."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import yaml

from tests.support.loopback.composition import FILE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.loopback.composition import Service
    from tests.support.loopback.layout import Layout

UPSTREAM = re.compile(r"server (\w[\w-]*):(\d+) resolve( [^;]*)?;")
"""A name that nginx asks the engine's resolver for: one for several instances."""


def write(service: Service, number: int, layout: Layout) -> None:
    """Every file that the service mounts, as the instance shall read it."""
    originals = {target: source for source, target in service.mounts}
    for target, path in layout.files(service, number).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (FILE.parent / originals[target]).read_text(encoding="utf-8")
        text = layout.rewritten(spelt_out(text, path.suffix, layout), service, number)
        path.write_text(text, encoding="utf-8")


def spelt_out(text: str, suffix: str, layout: Layout) -> str:
    """Each instance by itself, where the engine's resolver would tell them all by one name."""
    if suffix == ".conf":
        # As root nginx would become nobody, who may not enter the state folder.
        user = "user root;\n" if os.geteuid() == 0 else ""
        return user + UPSTREAM.sub(
            lambda found: "\n".join(
                f"server {address}{found[3] or ''};"
                for address in layout.addresses(found[1], int(found[2]))
            ),
            text,
        )
    if "dns_sd_configs" not in text:
        return text
    said = yaml.safe_load(text)
    for job in said["scrape_configs"]:
        job["static_configs"] = [
            {"targets": layout.addresses(name, asked["port"])}
            for asked in job.pop("dns_sd_configs", ())
            for name in asked["names"]
        ]
    return yaml.safe_dump(said)


def rename_secrets(layout: Layout, made: Path) -> None:
    """Every secret under ``run/secrets``, with the addresses of this machine."""
    folder = layout.state / "run" / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for secret in made.iterdir():
        path = folder / secret.name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        # Bytes of any kind: latin-1 gives them back as they were.
        path.write_bytes(layout.renamed(secret.read_bytes().decode("latin-1")).encode("latin-1"))
