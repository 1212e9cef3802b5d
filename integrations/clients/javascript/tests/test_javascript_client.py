"""The JavaScript client in Node, installed as npm publishes it, and its types."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.hosts import node_packages

if TYPE_CHECKING:
    from tests.support.service import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TESTS = Path(__file__).parent
TYPES = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"]
LATER = """
import { readFileSync } from "node:fs";
import { Client } from "photoward-client";
const client = new Client(process.env.PHOTOWARD_URL, "", { timeoutS: 240, retries: 200 });
const answer = await client.protect(readFileSync(process.env.PHOTOWARD_PHOTO));
console.log(answer.content.type);
"""


@pytest.fixture(scope="module")
def folder() -> Path:
    """Of a program that uses the client, with the tests beside it."""
    own = ("integrations/clients/javascript",)
    made = node_packages("javascript", ("typescript@5.9.3", "@types/node@20.19.25"), own)
    for one in TESTS.glob("*.[jt]s"):
        shutil.copy(one, made)
    return made


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.effect_noise((96, 96), 40).convert("RGB").save(path)
    return path


def run(folder: Path, *command: str, **environment: object) -> str:
    settings = {name: str(value) for name, value in environment.items()}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | settings
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_answers_of_every_kind(folder: Path) -> None:
    assert "# fail 0" in run(folder, "node", "--test", "--test-reporter=tap", "exchange.test.js")


def test_a_running_service(folder: Path, photoward: Service, photo: Path) -> None:
    command = ("node", "--test", "--test-reporter=tap", "service.test.js")
    told = run(folder, *command, PHOTOWARD_URL=photoward.url, PHOTOWARD_PHOTO=photo)
    assert "# pass 4" in told
    assert "# fail 0" in told


def test_a_service_that_starts_again_is_waited_for(
    folder: Path, photoward: Service, photo: Path
) -> None:
    settings = {"PHOTOWARD_URL": photoward.url, "PHOTOWARD_PHOTO": photo}
    photoward.server.stop()
    with ThreadPoolExecutor(1) as waiting:
        script = ("node", "--input-type=module", "-e", LATER)
        told = waiting.submit(run, folder, *script, **settings)
        photoward.server.start()  # in the test's own thread: it ends with who started it
        assert told.result() == "image/png\n"


def test_its_types_are_those_of_its_code(folder: Path) -> None:
    run(folder, "node_modules/.bin/tsc", *TYPES, "types.ts")


def test_what_is_published(folder: Path) -> None:
    package = folder / "node_modules" / "photoward-client"
    names = {one.name for one in package.iterdir()}
    assert names == {"index.js", "index.d.ts", "package.json", "README.md", "LICENSE"}
    assert len((package / "index.js").read_text().splitlines()) <= 250
