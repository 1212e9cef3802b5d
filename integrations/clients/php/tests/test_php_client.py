"""The PHP client against a running service."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from standardwebhooks import Webhook

from tests.api.http.service import Service, picture, serving, working
from tests.support.servers import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parent.parent / "src"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def _php() -> None:
    if shutil.which("php") is None:
        missing("php")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path / "data") as made, working(made):
        yield made


def php(code: str, url: str, **given: object) -> Any:  # noqa: ANN401  # whatever the code prints as JSON
    script = "".join(f"require '{SOURCE}/{name}.php';" for name in ("Problem", "Picture", "Client"))
    script += "$given = json_decode(stream_get_contents(STDIN), true);"
    script += f"$client = new Photoward\\Client('{url}', null, 20.0);"
    script += f"echo json_encode((function () use ($client, $given) {{ {code} }})());"
    done = subprocess.run(
        ["php", "-d", "error_reporting=E_ALL", "-d", "display_errors=stderr", "-r", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def photo_at(folder: Path) -> str:
    path = folder / "photo.jpg"
    path.write_bytes(picture("JPEG"))
    return str(path)


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PROBLEM = """
try { %s } catch (Photoward\\Problem $p) {
  return [$p->problem, $p->status, $p->isTransient(), $p->remedy !== ''];
}
"""


def test_protect_gives_the_picture_and_leaves_nothing(service: Service, tmp_path: Path) -> None:
    code = "$p = $client->protect(file_get_contents($given['photo']), ['label' => 'cat']);"
    code += "return [$p->type, base64_encode($p->bytes)];"
    kind, data = php(code, service.url, photo=photo_at(tmp_path))
    assert kind == "image/jpeg"
    made = Image.open(io.BytesIO(base64.b64decode(data)))
    assert made.size == (40, 30)
    until = time.monotonic() + 5  # it is deleted when the answer has been sent
    while service.kept() and time.monotonic() < until:
        time.sleep(0.05)
    assert service.kept() == []


def test_a_refusal_is_a_problem_with_its_code(service: Service) -> None:
    found = php(PROBLEM % "$client->protect('no picture');", service.url)
    assert found == ["not_an_image", 415, False, True]


def test_nobody_there_is_a_transient_problem() -> None:
    code = "$client->deadline = 1.0;" + PROBLEM % "$client->protect('x');"
    assert php(code, "http://127.0.0.1:9") == ["unreachable", 0, True, True]


def test_submit_wait_download_and_delete(service: Service, tmp_path: Path) -> None:
    code = """
    $photo = file_get_contents($given['photo']);
    $one = $client->submit($photo, ['label' => 'cat'], 'same');
    $two = $client->submit($photo, ['label' => 'cat'], 'same');
    $ended = $client->wait($one['id']);
    $size = strlen($client->download($one['id'])->bytes);
    $client->delete($one['id']);
    $client->delete($one['id']);
    return [$one['id'] === $two['id'], $ended['state'], $ended['output']['size'] === $size];
    """
    found = php(code, service.url, photo=photo_at(tmp_path))
    assert found == [True, "succeeded", True]
    assert service.kept() == []


def test_a_batch_names_its_images(service: Service, tmp_path: Path) -> None:
    code = """
    $photo = file_get_contents($given['photo']);
    $batch = $client->batch(['a' => $photo, 'b' => $photo], ['label' => 'cat']);
    foreach ($batch['images'] as $id) { $client->wait($id); }
    $total = $client->json('GET', "/v1/batches/{$batch['id']}")['total'];
    return [array_keys($batch['images']), $total];
    """
    assert php(code, service.url, photo=photo_at(tmp_path)) == [["a", "b"], 2]


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_the_service_says(status: int, tmp_path: Path) -> None:
    seen: list[bytes] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(body)
            self.send_response(status if len(seen) == 1 else 200)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    code = "$t = microtime(true); $client->protect(file_get_contents($given['photo']));"
    code += "return microtime(true) - $t;"
    with answering(Busy) as url:
        took = php(code, url, photo=photo_at(tmp_path))
    assert took >= 1
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_a_page_with_200_is_no_picture() -> None:
    """What a careless proxy answers must never be saved as a photo."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with answering(Page) as url:
        assert php(PROBLEM % "$client->protect('x');", url)[0] == "no_picture"


def test_webhooks_are_verified() -> None:
    code = """
    ['body' => $body, 'headers' => $headers, 'secret' => $secret] = $given;
    try { return Photoward\\Client::verifyWebhook($body, $headers, $secret); }
    catch (UnexpectedValueException) { return false; }
    """
    now = datetime.now(UTC)
    body = '{"type":"image.succeeded"}'

    def sent(at: datetime, secret: str = SECRET, text: str = body) -> Any:  # noqa: ANN401  # as php
        headers = {
            "Webhook-Id": "msg_1",
            "Webhook-Timestamp": str(int(at.timestamp())),
            "Webhook-Signature": Webhook(SECRET).sign("msg_1", at, body),
        }
        return php(code, "http://127.0.0.1:9", body=text, headers=headers, secret=secret)

    assert sent(now) == {"type": "image.succeeded"}
    assert sent(now, secret="whsec_AAAA") is False
    assert sent(now, text='{"type":"image.failed"}') is False
    assert sent(now - timedelta(minutes=10)) is False


def test_composer_takes_the_manifest() -> None:
    manifest = json.loads((SOURCE.parent / "composer.json").read_text())
    assert manifest["autoload"]["psr-4"] == {"Photoward\\": "src/"}
    assert {path.stem for path in SOURCE.glob("*.php")} == {"Client", "Picture", "Problem"}
