"""``photoward login``, ``images`` and ``batches``, against a real service."""

from __future__ import annotations

import http.server
import io
import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import structlog

from photoward.api.cli import service_calls, stored_login
from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES, Scope
from tests.api.http.service import PEPPER, Service, picture, serving, work, working
from tests.support.sites import serving as serving_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.cli.conftest import Command


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Without the service's log on the standard output of this process."""
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service"), http_require_keys=True) as made:
        yield made


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_calls, "POLL_S", 0.02)


def new_key(
    service: Service, tenant: str = "alice", scopes: frozenset[Scope] = DEFAULT_SCOPES
) -> str:
    minted = api_keys.generate(PEPPER)
    service.ledger.api_keys.add(minted, tenant, "laptop", scopes, None)
    return minted.text


def type_in(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.fixture
def tenant(
    service: Service,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> str:
    """Somebody of this test alone who is logged in."""
    name = f"t{abs(hash(request.node.name))}"
    type_in(new_key(service, name) + "\n", monkeypatch)
    assert command("login", service.url)[0] == 0
    return name


def submitted(
    service: Service, name: str = "cat.png", data: bytes | None = None, **more: str
) -> str:
    login = stored_login.read()
    assert login
    headers = {
        "Authorization": f"Bearer {login.api_key}",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
    }
    answer = service.upload(data, headers=headers, params=more)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def damaged() -> bytes:
    """A photo whose head is sound."""
    data = bytearray(picture())
    data[60:90] = bytes(30)
    return bytes(data)


def new_batch(service: Service, name: str) -> str:
    login = stored_login.read()
    assert login
    headers = {"Authorization": f"Bearer {login.api_key}"}
    answer = service.client.post("/v1/batches", json={"name": name}, headers=headers)
    return str(answer.json()["id"])


def test_a_login_is_checked_stored_in_private_and_used(
    service: Service, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key(service)
    type_in(key + "\n", monkeypatch)
    code, out, err = command("login", service.url + "/")
    file = Path(os.environ["XDG_CONFIG_HOME"]) / "photoward" / "login.json"
    assert (code, out) == (0, "")
    said = " ".join(err.split())
    assert f"Logged in to {service.url} as alice; the key allows: read, write." in said
    assert str(file) in err.replace("\n", "")
    assert key not in err
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(file.read_text()) == {"url": service.url, "api_key": key}
    assert command("images", "list")[0] == 0
    assert command("logout")[0] == 0
    assert not file.exists()
    code, _, err = command("images", "list", "--url", service.url)
    assert code == 2
    assert "photoward login URL" in err
    assert "not logged in" in command("logout")[2]


@pytest.mark.parametrize("key", ["pw_0000000000000000_" + 43 * "A", "nonsense", "", "pw_\x07"])
def test_a_key_that_opens_nothing_is_not_stored(
    key: str, service: Service, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(key + "\n", monkeypatch)
    code, _, err = command("login", service.url)
    assert code == 2
    assert stored_login.read() is None
    assert not key or key not in err


def test_a_service_without_keys_needs_none(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path / "open") as service:
        type_in("", monkeypatch)
        code, _, err = command("login", service.url)
        assert code == 0
        assert "requires no API key" in " ".join(err.split())
        assert command("images", "list")[0] == 0


def test_the_stored_key_goes_to_no_other_address(
    tenant: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str | None] = []

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.send_header("Content-Length", "14")
            self.end_headers()
            self.wfile.write(b"<html>hi</html"[:14])

    with serving_page(Page) as url:
        code, _, err = command("images", "list", "--url", url)
        assert code == 1
        assert "does not answer as Photoward does" in " ".join(err.split())
        monkeypatch.setenv("PHOTOWARD_API_KEY", "pw_other")
        command("images", "list", "--url", url)
    assert heard == [None, "Bearer pw_other"], "a key of the environment is for any address"
    assert command("images", "list")[0] == 2, "and precedes the stored one"
    assert tenant


@pytest.mark.parametrize("text", ["", "[]", "{", '{"url": "http://h"}', "\xff"])
def test_a_damaged_login_is_refused_with_what_to_do(text: str, command: Command) -> None:
    file = stored_login.path()
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode("latin-1"))
    code, _, err = command("images", "list")
    assert code == 2
    assert "run `photoward login URL` again" in " ".join(err.split())


def test_nobody_there_is_said_at_login(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    type_in("", monkeypatch)
    code, _, err = command("login", f"http://127.0.0.1:{port}")
    assert code == 1
    assert "cannot be reached" in err
    assert command("login", "ftp://h")[0] == 2


def test_images_are_listed_by_state_reference_and_page(
    tenant: str, service: Service, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [submitted(service, f"[red]{n}.png", reference=f"r{n}") for n in range(5)]
    monkeypatch.setattr("photoward.api.cli.client.MAX_PAGE", 2)
    code, out, _ = command("images", "list")
    assert code == 0
    head, *rows = out.splitlines()
    assert head.split()[:3] == ["id", "state", "file"]
    assert [row.split()[0] for row in rows] == ids[::-1]
    assert "[red]4.png" in rows[0], "it is no markup"
    assert len(command("images", "list", "--limit", "3", "--json")[1].splitlines()) == 3
    found = json.loads(command("images", "list", "--reference", "r2", "--json")[1])
    assert (found["id"], found["state"]) == (ids[2], "queued")
    assert command("images", "list", "--state", "failed", "--json")[1] == ""
    assert command("images", "list", "--state", "lost")[0] == 2
    assert tenant


def test_an_image_is_shown_downloaded_and_deleted(
    tenant: str, service: Service, command: Command, tmp_path: Path
) -> None:
    image, out = submitted(service), tmp_path / "cat.png"
    code, _, err = command("images", "get", image, "--out", str(out))
    assert code == 2, "it has not succeeded"
    assert "photoward images watch" in " ".join(err.split())
    assert not out.exists()
    work(service)
    code, shown, _ = command("images", "get", image)
    facts = dict(line.strip().split(maxsplit=1) for line in shown.splitlines())
    assert (facts["state"], facts["file"]) == ("succeeded", "cat.png")
    assert json.loads(command("images", "get", image, "--json")[1])["id"] == image
    assert command("images", "get", image, "--out", str(out))[0] == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert command("images", "get", image, "--out", str(out))[0] == 2, "it is there already"
    assert command("images", "get", image, "--out", str(out), "--force")[0] == 0
    assert command("images", "get", image, "--out", str(tmp_path))[0] == 2
    assert [path.name for path in tmp_path.glob("*.part")] == []
    code, _, err = command("images", "delete", image, "0" * 32, "../keys", "--yes")
    assert code == 1
    assert err.count("✗") == 2
    assert command("images", "get", image)[0] == 2
    assert tenant


def test_nothing_is_deleted_without_a_yes(
    tenant: str, service: Service, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = submitted(service)
    type_in("n\n", monkeypatch)
    assert command("images", "delete", image)[0] == 1
    assert command("images", "get", image)[0] == 0
    assert tenant


def test_another_tenants_image_does_not_exist(
    tenant: str, service: Service, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = submitted(service)
    type_in(new_key(service, "mallory") + "\n", monkeypatch)
    assert command("login", service.url)[0] == 0
    for action in (("get", image), ("delete", "--yes", image), ("watch", image)):
        assert command("images", *action)[0] in {1, 2}
    assert image not in command("images", "list")[1]
    assert service.ledger.items.get(tenant, image).id == image


def test_watching_ends_with_the_photos(tenant: str, service: Service, command: Command) -> None:
    good = submitted(service)
    bad = submitted(service, "bad.png", damaged())
    with working(service):
        code, out, _ = command("images", "watch", good, bad, "0" * 32)
    assert code == 1, "one failed, one does not exist"
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert "succeeded" in rows[good]
    assert "visibility" in rows[good]
    assert "(corrupt)" in rows[bad]
    assert "does not exist" in rows["0" * 32]
    code, out, _ = command("images", "watch", good, "--json")
    assert (code, json.loads(out)["state"]) == (0, "succeeded")
    assert tenant


def test_watching_outlives_a_service_that_is_away_for_a_while(
    tenant: str, service: Service, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = submitted(service)
    work(service)
    refusals = [503, 429, 502]

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = service.client.get(
                self.path, headers={"Authorization": self.headers["Authorization"]}
            ).content
            self.send_response(refusals.pop() if refusals else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    login = stored_login.read()
    assert login
    monkeypatch.setenv("PHOTOWARD_API_KEY", login.api_key)
    with serving_page(Proxy) as url:
        assert command("images", "watch", image, "--url", url)[0] == 0
    assert refusals == []
    monkeypatch.setattr(service_calls, "PATIENCE_S", 0.1)
    code, _, err = command("images", "watch", image, "--url", url)
    assert code == 1
    assert "cannot be reached" in err
    assert tenant


def test_batches_are_listed_watched_downloaded_and_ended(
    tenant: str, service: Service, command: Command, tmp_path: Path
) -> None:
    batch = new_batch(service, "holiday")
    other = new_batch(service, "empty")
    image = submitted(service, batch=batch)
    code, out, _ = command("batches", "list")
    assert code == 0
    assert [row.split()[0] for row in out.splitlines()[1:]] == [other, batch]
    assert image in command("images", "list", "--batch", batch)[1]
    partial = tmp_path / "partial.zip"
    code, _, err = command("batches", "download", batch, str(partial))
    assert code == 0
    assert "Not all images have ended" in " ".join(err.split())
    with working(service):
        assert command("batches", "watch", batch)[0] == 0
    whole = tmp_path / "whole.zip"
    code, _, err = command("batches", "download", batch, str(whole))
    assert "Not all" not in err
    with zipfile.ZipFile(whole) as archive:
        assert set(archive.namelist()) == {"cat.png", "results.ndjson"}
    assert json.loads(command("batches", "close", batch, "--json")[1])["state"] == "completed"
    assert "completed" in command("batches", "get", batch)[1]
    last = submitted(service, batch=other)
    assert command("batches", "cancel", other, "--yes")[0] == 0
    assert json.loads(command("images", "get", last, "--json")[1])["state"] == "canceled"
    assert command("batches", "watch", other)[0] == 1, "nothing of it succeeded"
    assert command("batches", "retry", other)[0] == 0
    assert command("batches", "get", "0" * 32)[0] == 2
    assert tenant


def test_sync_uses_the_login(
    tenant: str, service: Service, command: Command, tmp_path: Path
) -> None:
    photo = tmp_path / "in" / "cat.png"
    photo.parent.mkdir()
    photo.write_bytes(picture())
    with working(service):
        assert command("sync", str(photo.parent), str(tmp_path / "out"))[0] == 0
    assert (tmp_path / "out" / "cat.png").exists()
    assert tenant


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("photoward lo", {"login", "logout"}),
        ("photoward images ", {"list", "get", "delete", "watch"}),
        ("photoward images list --state su", {"succeeded"}),
    ],
)  # fmt: skip
def test_a_shell_completes_commands_and_choices(line: str, found: set[str]) -> None:
    asked = {
        **os.environ, "_PHOTOWARD_COMPLETE": "complete_bash", "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "photoward.api.cli"],
        env=asked, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert set(done.stdout.split()) == found, done.stderr
