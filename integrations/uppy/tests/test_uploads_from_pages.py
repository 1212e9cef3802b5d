"""Uppy and tus-js-client in Chromium, on pages of another site than the service's."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.support.hosts import node_packages
from tests.support.servers import Server, free_ports, missing, running, short_folder
from tests.support.service import Service, service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

HERE = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium"
HOST = "photos.example"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-features=LocalNetworkAccessChecks", f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
]  # fmt: skip
Keyed = tuple[Service, str, int]
"""A service, a key of it, and the port of the site whose pages it permits."""
PACKAGES = ("uppy@6.0.1", "tus-js-client@4.3.1")
PART = 300_000
REQUEST = re.compile(rb"(POST|HEAD|PATCH|DELETE) (/v1/\S+) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL)
OFFSET = re.compile(rb"upload-offset: *(\d+)", re.IGNORECASE)


@dataclass
class Line:
    """The line between the browser and the service; it can break, or hang, after so many bytes."""

    service_port: int
    breaks_after: int | None = None
    hangs_after: int | None = None
    requests: list[tuple[str, str, int | None]] = field(default_factory=list)
    """Method, path and ``Upload-Offset`` of what was sent, in order."""
    held: threading.Event = field(default_factory=threading.Event)
    """Something hangs."""
    freed: threading.Event = field(default_factory=threading.Event)
    """What hangs breaks off."""
    _pairs: list[socket.socket] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=self._accept, args=[server], daemon=True).start()
            try:
                yield server.getsockname()[1]
            finally:
                self.freed.set()
                for one in (server, *self._pairs):
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                    one.close()

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near = server.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.service_port))
                self._pairs += [near, far]
                for way in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pass, args=way, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_sent: bool) -> None:  # noqa: FBT001
        passed = 0
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if is_sent:
                    for method, path, headers in REQUEST.findall(data):
                        offset = OFFSET.search(headers)
                        told = int(offset[1]) if offset else None
                        self.requests.append((method.decode(), path.decode(), told))
                target.sendall(data)
                passed += len(data)
                if is_sent and self._is_over(passed):
                    break
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _is_over(self, passed: int) -> bool:
        if self.breaks_after is not None and passed > self.breaks_after:
            self.breaks_after = None
            return True
        if self.hangs_after is not None and passed > self.hangs_after:
            self.hangs_after = None
            self.held.set()
            return self.freed.wait(300)
        return False

    def offsets(self) -> list[int]:
        """Where the parts began that were sent."""
        return [
            offset
            for method, _, offset in self.requests
            if method == "PATCH" and offset is not None
        ]

    def uploads(self) -> set[str]:
        return {path for method, path, _ in self.requests if method == "PATCH"}


@dataclass
class Site:
    """The site of the README, and the line to the service."""

    url: str
    line: Line


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        missing("chromium")
    with (
        sync_playwright() as play,
        play.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as launched,
    ):
        yield launched


@pytest.fixture(scope="module")
def keyed() -> Iterator[Keyed]:
    (port,) = free_ports(1)
    settings = {
        "PHOTOWARD_HTTP_REQUIRE_KEYS": "1",
        "PHOTOWARD_HTTP_CORS_ORIGINS": f"http://{HOST}:{port}",
    }
    with short_folder() as folder:
        made = service(folder, **settings)
        command = [*made.server.command[:3], "keys", "add", "site"]
        command += ["--data-dir", str(folder / "data")]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        key = re.search(r"pw_[\w-]+", told.stdout)
        assert key
        with running(made.server):
            yield made, key[0], port


@contextmanager
def site(keyed: Keyed, folder: Path, **settings: str) -> Iterator[Site]:
    made, key, port = keyed
    packages = node_packages("uppy", PACKAGES, ("integrations/clients/javascript",))
    shutil.copy(HERE / "server.js", packages)
    shutil.copytree(HERE / "public", packages / "public", dirs_exist_ok=True)
    line = Line(urlsplit(made.url).port or 0)
    with line.listening() as line_port:
        environment = {
            "PHOTOWARD_URL": f"http://127.0.0.1:{line_port}",
            "PHOTOWARD_KEY": key,
            "PORT": str(port),
            **settings,
        }
        command = ["node", str(packages / "server.js")]
        log = folder / "site.log"
        server = Server(command, log, lambda: _answers(port), env=environment)
        with running(server):
            yield Site(f"http://{HOST}:{port}", line)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Of about a megabyte, so that its way can be interrupted."""
    pixels = np.random.default_rng(1).integers(0, 255, (550, 600, 3), np.uint8)
    path = tmp_path / "a photo (é).png"
    Image.fromarray(pixels).save(path)
    assert path.stat().st_size > 2 * PART
    return path


def by_uppy(page: Page, photo: Path) -> None:
    page.locator("#uppy input[type=file]").first.set_input_files(photo)


def by_tus(page: Page, photo: Path) -> None:
    expect(page.locator("#file")).to_be_enabled(timeout=60_000)
    page.locator("#file").set_input_files(photo)


@dataclass
class Visit:
    """A visitor with a photo, on the page of one of the two uploaders."""

    page: Page
    photo: Path
    keyed: Keyed
    folder: Path
    path: str
    choose: Callable[[Page, Path], None]

    @contextmanager
    def site(self, **settings: str) -> Iterator[Line]:
        """The site runs, and its page is open."""
        with site(self.keyed, self.folder, **settings) as made:
            self.page.goto(made.url + self.path)
            try:
                yield made.line
            finally:  # to see what happened if it fails
                print(made.line.requests, self.page.inner_text("body"))  # noqa: T201

    def upload(self) -> None:
        """Choose the photo and send it."""
        self.choose(self.page, self.photo)

    def is_protected(self) -> bool:
        """Whether the page shows the protected file in the end."""
        image = self.page.locator("#photos img")
        expect(image).to_have_count(1, timeout=120_000)
        # As text: lists of a million numbers take Playwright minutes.
        read = """async (image) => {
            const reader = new FileReader();
            reader.readAsDataURL(await (await fetch(image.src)).blob());
            await new Promise((done) => (reader.onload = done));
            return reader.result;
        }"""
        made = base64.b64decode(str(image.evaluate(read)).partition(",")[2])
        with Image.open(io.BytesIO(made)) as one, Image.open(self.photo) as other:
            assert one.size == other.size
        return b"DataMining" in made and made != self.photo.read_bytes()

    def expect_words(self, words: str) -> None:
        """Until the page says why there is no photo."""
        told = self.page.locator("#photos .refused")
        expect(told).to_contain_text(words, ignore_case=True, timeout=60_000)
        assert not self.page.locator("#photos img").count()


@pytest.fixture(params=[("/", by_uppy), ("/tus.html", by_tus)], ids=["uppy", "tus-js-client"])
def visit(
    request: pytest.FixtureRequest, browser: Browser, keyed: Keyed, photo: Path, tmp_path: Path
) -> Iterator[Visit]:
    with browser.new_context(viewport={"width": 900, "height": 800}) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: print(message.text))  # noqa: T201  # if it fails
        page.on("pageerror", lambda error: print("error:", error))  # noqa: T201
        yield Visit(page, photo, keyed, tmp_path, *request.param)


def test_a_broken_line_is_gone_on_with(visit: Visit) -> None:
    with visit.site() as line:
        line.breaks_after = PART
        visit.upload()
        assert visit.is_protected()
        begun = line.offsets()
        assert begun[0] == 0
        # It may ask before the service has stored what came; then it asks once more.
        assert 0 < begun[-1] < visit.photo.stat().st_size
        assert len(line.uploads()) == 1
        visit.page.screenshot(path=visit.folder / "page.png")
        print(f"\ngone on at {begun}; {visit.folder}/page.png")  # noqa: T201


def test_a_page_that_is_loaded_anew_goes_on(visit: Visit) -> None:
    with visit.site() as line:
        line.hangs_after = PART
        visit.upload()
        assert line.held.wait(60)
        visit.page.reload()
        line.freed.set()
        visit.upload()
        assert visit.is_protected()
        assert line.offsets()[-1] > 0
        assert len(line.uploads()) == 1


def test_a_token_that_expired_meanwhile_is_replaced(visit: Visit) -> None:
    with visit.site(TOKEN_SECONDS="60") as line:
        line.hangs_after = PART
        visit.upload()
        assert line.held.wait(60)
        # A visitor whose clock is behind: the page learns of it by the refusal.
        visit.page.evaluate("""() => {
            const kept = JSON.parse(sessionStorage.getItem('photoward'));
            kept.expires_at = new Date(Date.now() + 3600_000);
            sessionStorage.setItem('photoward', JSON.stringify(kept));
        }""")
        time.sleep(61)
        line.freed.set()
        assert visit.is_protected()
        assert len(line.uploads()) == 2, "what another token has begun is not gone on with"
        assert set(line.offsets()) == {0}


def test_a_wrong_token_is_told(visit: Visit) -> None:
    def spoil(route: Route) -> None:
        asked = urlsplit(route.request.url)
        headers = route.request.headers | {"host": asked.netloc}
        url = asked._replace(netloc=f"127.0.0.1:{asked.port}").geturl()
        given = route.fetch(url=url, headers=headers).json()
        route.fulfill(body=json.dumps(given | {"token": given["token"][:-3] + "AAA"}))

    visit.page.route("**/upload-token", spoil)
    with visit.site() as line:
        visit.upload()
        visit.expect_words("The upload token is not valid, or has expired.")
        assert not line.offsets()
        assert len(line.requests) < 20, "it is not tried for ever"


def test_what_is_no_photo_is_told(visit: Visit) -> None:
    visit.photo.write_bytes(b"no photo at all")
    with visit.site():
        visit.upload()
        visit.expect_words("not an image")


def test_a_site_whose_key_is_wrong_says_that_there_are_no_uploads(visit: Visit) -> None:
    with visit.site(PHOTOWARD_KEY="pw_wrong") as line:
        visit.expect_words("No uploads at the moment")
        assert not line.offsets()


def test_pages_of_other_sites_upload_nothing(visit: Visit) -> None:
    with visit.site() as line:
        visit.page.goto(visit.page.url.replace(HOST, "localhost"))
        visit.upload()
        visit.expect_words("")
        assert not line.offsets()
