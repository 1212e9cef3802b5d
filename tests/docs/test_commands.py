"""Each command of the documents runs as it stands, and answers what they say."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
import typer
from standardwebhooks import Webhook

from docs.tables import ROOT
from photoward.api import cli
from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES
from tests.api.http.service import PEPPER, Service, picture, serving, working

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ADDRESS = "127.0.0.1:8080"
RESOURCES = {
    "images": "IMAGE_ID",
    "batches": "BATCH_ID",
    "uploads": "UPLOAD_ID",
    "webhooks": "WEBHOOK_ID",
}
CREATED = re.compile(rf"http://{ADDRESS}/v1/(\w+)(?:\?[^/]*)?$")


class Block(NamedTuple):
    """A fenced block of a document: its language and its text."""

    language: str
    text: str


def blocks(document: Path) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(document.read_text())]


def curls(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("curl ")]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with (
        serving(
            tmp_path / "data",
            fetch_buckets=("s3://inbox/holiday",),
            webhook_allow_private=True,
            fetch_poll_interval_seconds=60.0,
        ) as made,
        working(made),
    ):
        yield made


@pytest.fixture
def home(tmp_path: Path, service: Service) -> Path:
    """A folder with the files of the examples, from which their address is this service."""
    folder = tmp_path / "home"
    folder.mkdir()
    host, port = service.address()
    (folder / ".curlrc").write_text(
        f'silent\nshow-error\nfail-with-body\nconnect-to = "{ADDRESS}:{host}:{port}"\n'
    )
    photo = picture("JPEG", size=(800, 600))
    (folder / "photo.jpg").write_bytes(photo)
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.writestr("cats/1.jpg", photo)
        archive.writestr("cats/2.png", picture())
    return folder


def run(command: str, home: Path, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environment},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def created(command: str, answer: str) -> dict[str, str]:
    """The id in the answer of a command that creates a resource, by its placeholder."""
    url = command.rpartition(" ")[2].strip("'")
    found = CREATED.search(url)
    if found is None or found[1] not in RESOURCES or not answer.startswith("{"):
        return {}
    new = json.loads(answer).get("id")  # a list has none
    return {} if new is None else {RESOURCES[found[1]]: new}


def assert_answers(shown: Any, answer: Any) -> None:  # noqa: ANN401  # JSON
    """Each field that a document shows is in the answer, with the same type and state."""
    if isinstance(shown, dict):
        assert shown.keys() <= answer.keys()
        for name, value in shown.items():
            assert_answers(value, answer[name])
            if name in {"state", "label_used", "media_type", "total"}:
                assert value == answer[name], name
    else:
        assert isinstance(answer, type(shown)), (shown, answer)


@pytest.mark.parametrize(
    "document",
    [one for one in DOCUMENTS if any(curls(block.text) for block in blocks(one))],
    ids=lambda path: path.name,
)
def test_each_curl_line_runs_as_it_stands(document: Path, home: Path, service: Service) -> None:
    key = api_keys.generate(PEPPER)
    service.ledger.api_keys.add(key, "alice", "site", DEFAULT_SCOPES, None)
    known: dict[str, str] = {}
    answer = ""
    for language, text in blocks(document):
        if language == "json":
            assert_answers(json.loads(text), json.loads(answer))
        for command in curls(text) if language == "sh" else ():
            settle(service, known.get("IMAGE_ID"))
            answer = run(with_ids(command, known), home, ALICE_KEY=key.text)
            known |= created(command, answer)


def with_ids(command: str, known: dict[str, str]) -> str:
    for placeholder, found in known.items():
        command = command.replace(placeholder, found)
    return command


def settle(service: Service, image: str | None) -> None:
    """Until a photo has ended: a person who types is slower than the worker, too."""
    until = time.monotonic() + 20
    while image is not None and time.monotonic() < until:
        state = service.client.get(f"/v1/images/{image}").json().get("state")
        if state in {"succeeded", "failed", None}:
            return
        time.sleep(0.02)


def test_the_recipes_receiver_verifies_signatures(tmp_path: Path) -> None:
    (code,) = (
        block.text for block in blocks(ROOT / "docs" / "recipes.md") if block.language == "python"
    )
    secret = "whsec_" + 43 * "A" + "="
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    with subprocess.Popen(
        [sys.executable, "-c", code.replace("9000", str(port))],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "WEBHOOK_SECRET": secret},
    ) as receiver:
        try:
            assert receiver.stdout is not None
            body = json.dumps({"type": "image.ended", "data": {"id": "abc"}})
            with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
                genuine = client.post(url, content=body, headers=signed(secret, body))
            assert genuine.status_code == 204
            assert receiver.stdout.readline() == "image.ended abc\n"
            other = body.replace("abc", "xyz")
            assert httpx.post(url, content=other, headers=signed(secret, body)).status_code == 401
        finally:
            receiver.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def signed(secret: str, body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body),
    }


CALL = re.compile(r"(?:^|`|api )photoward ([a-z][^`#\n|]*)", re.MULTILINE)


@pytest.mark.parametrize(
    "document",
    [one for one in [*DOCUMENTS, ROOT / "SECURITY.md"] if CALL.search(one.read_text())],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_each_command_and_option_of_the_documents_exists(document: Path) -> None:
    for text in CALL.findall(document.read_text()):
        words = text.split()
        command = typer.main.get_command(cli.application(words))
        while words and words[0] in (below := getattr(command, "commands", {})):
            command = below[words.pop(0)]
        assert not (words and hasattr(command, "commands")), f"photoward {text}"
        known = {option for parameter in command.params for option in parameter.opts}
        options = {word.partition("=")[0].rstrip(",;:.") for word in words if word[:2] == "--"}
        assert options <= known, f"photoward {text}"
