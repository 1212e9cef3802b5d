"""Clients that are generated from the API's description, in Python and as TypeScript's types."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from photoward.core.api_keys import TENANT_SCOPES
from tests.api.http.service import picture, serving, working
from tests.api.http.test_access import key
from tests.api.http.test_batches import zipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.http.service import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CACHE = Path(__file__).parents[3] / ".integrations" / "generated-clients"
GENERATOR = "openapi-python-client==0.29.1"
TYPES = ("openapi-typescript@7", "typescript@5")

USE_OF_CLIENT = """
import sys
from client import AuthenticatedClient
from client.api.batches import close_batch, create_batch, get_batch, upload_batch_archive
from client.api.images import create_image, get_image, get_image_content, list_images
from client.api.keys import get_own_key
from client.api.webhooks import create_webhook, list_webhooks
from client.models import CreateBatch, CreateImageFilesBody, CreateWebhook, Image, ImageState
from client.types import File

url, key, photo, archive = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)
assert "write" in [scope.value for scope in get_own_key.sync(client=client).scopes]


def opened(path, name):
    return File(payload=open(path, "rb"), file_name=name, mime_type="image/png")


body = CreateImageFilesBody(file=opened(photo, "cat.png"), label="cat", reference="post-1")
image = create_image.sync(client=client, body=body)
assert isinstance(image, Image), image
while image.state not in {ImageState.SUCCEEDED, ImageState.FAILED}:
    image = get_image.sync(client=client, image_id=image.id)
assert (image.state, image.reference, image.label_used) == (ImageState.SUCCEEDED, "post-1", "cat")
(found,) = list_images.sync(client=client, reference="post-1").items
assert found.id == image.id
content = get_image_content.sync(client=client, image_id=image.id)
data = content.payload.read()
assert len(data) == image.output.size and data.startswith(b"\\x89PNG"), data[:9]

hook = create_webhook.sync(client=client, body=CreateWebhook(url="https://photos.example/hook"))
assert hook.secret.startswith("whsec_")
assert [one.id for one in list_webhooks.sync(client=client).webhooks] == [hook.id]

batch = create_batch.sync(client=client, body=CreateBatch(name="cats"))
sent = upload_batch_archive.sync_detailed(
    client=client, batch_id=batch.id, body=File(payload=open(archive, "rb"))
)
assert b'"accepted": 2' in sent.parsed.payload.read()
close_batch.sync(client=client, batch_id=batch.id)
while get_batch.sync(client=client, batch_id=batch.id).state.value != "completed":
    pass
print("all of it")
"""

USE_OF_TYPES = """
import type { components, paths } from "./photoward";

type Image = components["schemas"]["Image"];
type Content = paths["/v1/images/{image_id}/content"]["get"]["responses"][200]["content"];
type Query = NonNullable<paths["/v1/images"]["get"]["parameters"]["query"]>;

const query: Query = { reference: "post-1", state: "succeeded" };
export const ended = (image: Image): boolean =>
  image.state === "succeeded" || image.state === "failed" || image.state === "canceled";
export const bytes = (content: Content): string => content["application/octet-stream"];
export const asked = Object.entries(query).length;
// @ts-expect-error: no such state
export const wrong: Image["state"] = "done";
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, http_require_keys=True) as made, working(made):
        yield made


@pytest.fixture
def description(service: Service, tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_text(service.client.get("/openapi.json").text)
    return file


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def installed(command: list[str | Path], folder: Path) -> None:
    """Skips where the registry cannot be reached."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be installed: {done.stderr.strip()[-300:]}")


@pytest.fixture(scope="module")
def generator() -> Path:
    """``openapi-python-client`` in an environment of its own: it wants an older typer."""
    program = CACHE / "venv" / "bin" / "openapi-python-client"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "venv", CACHE / "venv", folder=CACHE)
        pip = CACHE / "venv" / "bin" / "pip"
        installed([pip, "install", "-q", "--disable-pip-version-check", GENERATOR], CACHE)
    return program


@pytest.fixture(scope="module")
def node_programs() -> Path:
    """The folder of ``openapi-typescript`` and ``tsc``."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm")
    folder = CACHE / "node_modules" / ".bin"
    if not (folder / "tsc").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text('{"private": true}')
        installed([npm, "install", "--no-audit", "--no-fund", *TYPES], CACHE)
    return folder


def test_a_generated_python_client_does_what_a_plug_in_does(
    generator: Path, description: Path, service: Service, tmp_path: Path
) -> None:
    run(
        generator, "generate", "--path", description, "--output-path", tmp_path / "client",
        "--meta", "none", folder=tmp_path,
    )  # fmt: skip
    (tmp_path / "cat.png").write_bytes(picture())
    (tmp_path / "cats.zip").write_bytes(zipped({"a.png": picture(), "b.png": picture()}))
    (tmp_path / "use.py").write_text(USE_OF_CLIENT)
    python = generator.with_name("python")
    text = key(service, "alice", TENANT_SCOPES).text
    told = run(python, "use.py", service.url, text, "cat.png", "cats.zip", folder=tmp_path)
    assert told == "all of it\n"


def test_generated_types_compile(node_programs: Path, description: Path, tmp_path: Path) -> None:
    generate = node_programs / "openapi-typescript"
    run(generate, description, "--output", tmp_path / "photoward.d.ts", folder=tmp_path)
    (tmp_path / "use.ts").write_text(USE_OF_TYPES)
    options = {"compilerOptions": {"strict": True, "noEmit": True, "module": "nodenext"}}
    (tmp_path / "tsconfig.json").write_text(json.dumps(options | {"include": ["*.ts"]}))
    run(node_programs / "tsc", "--project", tmp_path, folder=tmp_path)
