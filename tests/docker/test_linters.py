"""What others know of bad deployments: their linters find nothing, and would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.docker.chart import EVERYTHING, rendered
from tests.support.loopback.composition import FILE
from tests.support.servers import missing

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCKER = FILE.parent / "docker"


def linted(program: str, *arguments: object) -> tuple[int, str]:
    """The exit status, and all that was said."""
    own = Path(sys.prefix)
    places = (own / "bin" / program, own / "linters/bin" / program)
    found = next((place for place in places if place.exists()), None)
    if found is None:
        missing(f"{program} (make deployment installs it)")
    done = subprocess.run(
        [found, *map(str, arguments)], check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_hadolint_knows_nothing_against_the_images(tmp_path: Path) -> None:
    status, said = linted("hadolint", DOCKER / "Dockerfile")
    assert status == 0, said
    worse = tmp_path / "Dockerfile"
    worse.write_text("FROM debian\nRUN cd /tmp && sudo true\n")
    status, said = linted("hadolint", worse)
    assert (status, "DL3006" in said) == (1, True)


@pytest.mark.parametrize("name", ["nginx.conf", "media.conf"])
def test_gixy_knows_nothing_against_the_proxies(name: str, tmp_path: Path) -> None:
    # Host is passed on with its port, which addresses need where it is not the usual one; the
    # faces trust it with nothing.
    status, said = linted("gixy", "--skips", "host_spoofing", DOCKER / name)
    assert status == 0, said
    worse = tmp_path / "nginx.conf"
    text = (DOCKER / name).read_text()
    worse.write_text(text.replace("server_tokens off;", "server_tokens on;"))
    status, said = linted("gixy", "--skips", "host_spoofing", worse)
    assert (status, "version_disclosure" in said) == (1, True)


def checked(folder: Path, manifests: Iterable[object]) -> tuple[int, str]:
    (folder / "chart.yml").write_text(yaml.safe_dump_all(manifests))
    (folder / "Dockerfile").write_text((DOCKER / "Dockerfile").read_text())
    return linted("checkov", "--config-file", DOCKER / "checkov.yml", "--directory", folder)


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["as it comes", "with everything"])
def test_checkov_knows_nothing_against_the_chart(values: dict[str, object], tmp_path: Path) -> None:
    status, said = checked(tmp_path, rendered(values).values())
    assert status == 0, said


def test_checkov_would_find_a_root_that_can_be_written(tmp_path: Path) -> None:
    manifests = rendered({})
    (container,) = manifests["Deployment", "demo-api"]["spec"]["template"]["spec"]["containers"]
    container["securityContext"]["readOnlyRootFilesystem"] = False
    status, said = checked(tmp_path, manifests.values())
    assert (status, "CKV_K8S_22" in said) == (1, True), said
