"""Debian's MediaWiki over SQLite, with the extension installed as its README says."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from tests.support.hosts import ROOT, debian_packages
from tests.support.servers import free_ports, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.service import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PACKAGES = ("mediawiki", "mediawiki-classes")
PASSWORD = "correct horse battery"
SIZE = (400, 300)


@dataclass
class Wiki:
    """A wiki that PHP's own server serves, and who may upload to it."""

    root: Path
    originals: Path
    log: Path
    client: httpx.Client

    def api(self, **parameters: str) -> dict[str, Any]:
        """A request of the administrator; its answer."""
        file = parameters.pop("file", None)
        files = {"file": ("photo.jpg", Path(file).read_bytes())} if file else None
        found: dict[str, Any] = self.client.post(
            "/api.php", data={"format": "json", **parameters}, files=files
        ).json()
        assert "error" not in found, found
        return found

    def token(self, kind: str = "csrf") -> str:
        tokens = self.api(action="query", meta="tokens", type=kind)["query"]["tokens"]
        return str(tokens[f"{kind}token"])

    def log_in(self) -> None:
        done = self.api(
            action="login", lgname="Admin", lgpassword=PASSWORD, lgtoken=self.token("login")
        )
        assert done["login"]["result"] == "Success", done

    def upload(self, name: str, seed: int = 40, kind: str = "JPEG") -> Path:
        """Upload a photo, or a new version of one; where its original was."""
        path = self.log.parent / name
        Image.effect_noise((40, 30), seed).convert("RGB").resize(SIZE).save(path, kind)
        done = self.api(
            action="upload", filename=name, file=str(path), ignorewarnings="1", token=self.token()
        )
        assert done["upload"]["result"] == "Success", done
        return path

    def picture(self, name: str, width: int, **more: str) -> httpx.Response:
        query = {"f": name, "width": str(width), **more}
        return self.client.get("/thumb.php", params=query)

    def configure(self, **settings: str) -> None:
        """Settings are PHP."""
        lines = "".join(f"${name} = {value};\n" for name, value in settings.items())
        with (self.root / "LocalSettings.php").open("a") as file:
            file.write(f"\n{lines}")

    def public(self) -> list[Path]:
        """Every file below the public folder of pictures."""
        return [one for one in (self.root / "images").rglob("*.*") if one.is_file()]


@pytest.fixture(scope="module")
def unpacked() -> Path:
    if shutil.which("php") is None:
        missing("php")
    return debian_packages("mediawiki", PACKAGES) / "usr/share/mediawiki"


def install(unpacked: Path, root: Path, url: str) -> None:
    """A wiki as its installer makes it, and the extension, as the README says."""
    shutil.copytree(
        unpacked, root, symlinks=True, copy_function=os.link,
        ignore=lambda folder, names: {one for one in names if (Path(folder) / one).is_symlink()},
    )  # fmt: skip
    for name in ("images", "extensions"):
        (root / name).mkdir()
    command = ["php", "maintenance/install.php", "--dbtype=sqlite", "--dbname=wiki"]
    command += [f"--dbpath={root.parent / 'database'}", f"--server={url}", "--scriptpath="]
    subprocess.run(
        [*command, f"--pass={PASSWORD}", "Wiki", "Admin"], cwd=root, check=True, capture_output=True
    )
    extension = root / "extensions" / "Photoward"
    shutil.copytree(ROOT / "integrations/mediawiki/Photoward", extension)
    shutil.copytree(ROOT / "integrations/clients/php/src", extension / "client")


@contextmanager
def wiki(unpacked: Path, folder: Path, photoward: Service, **settings: str) -> Iterator[Wiki]:
    """A wiki of its own; settings are PHP."""
    (port,) = free_ports(1)
    url, root, originals = f"http://127.0.0.1:{port}", folder / "wiki", folder / "originals"
    originals.mkdir()
    install(unpacked, root, url)
    chosen = {
        "wgEnableUploads": "true",
        "wgUseImageMagick": "false",  # PHP makes them by itself
        "wgUploadDirectory": f"'{originals}'",
        "wgPhotowardUrl": f"'{photoward.url}'",
        "wgPhotowardDeadline": "60",
        "wgDebugLogGroups['Photoward']": f"'{folder / 'photoward.log'}'",
        "wgShowExceptionDetails": "true",
        "wgRateLimits": "[]",
        **settings,
    }
    with (root / "LocalSettings.php").open("a") as file:
        file.write("\n" + "".join(f"${name} = {value};\n" for name, value in chosen.items()))
        file.write("wfLoadExtension( 'Photoward' );\n")
    command = [
        "php",
        "-d",
        "max_execution_time=120",
        "-d",
        "opcache.revalidate_freq=0",
        "-S",
        f"127.0.0.1:{port}",
        "-t",
        str(root),
    ]
    with (
        serving(command, url, folder / "php.log"),
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield Wiki(root, originals, folder / "photoward.log", client)


@contextmanager
def serving(command: list[str], url: str, log: Path) -> Iterator[None]:
    """PHP's server, in four processes: each answers one request at a time."""
    environment = os.environ | {"PHP_CLI_SERVER_WORKERS": "4"}
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env=environment, start_new_session=True
        )
    try:
        until = time.monotonic() + 60
        while not _answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers outlive it otherwise
        process.wait()


def _answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/load.php", timeout=30)
    except httpx.HTTPError:
        return False
    return True


@pytest.fixture
def site(unpacked: Path, tmp_path: Path, photoward: Service) -> Iterator[Wiki]:
    with wiki(unpacked, tmp_path, photoward) as made:
        made.log_in()
        yield made


def is_protected(data: bytes, width: int) -> bool:
    assert not data.startswith(b"<"), data.decode()
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.width == width
    return b"DataMining" in data


def test_every_published_picture_is_protected(site: Wiki, photoward: Service) -> None:
    original = site.upload("Photo.jpg")
    info = site.api(
        action="query", titles="File:Photo.jpg", prop="imageinfo", iiprop="url", iiurlwidth="120"
    )
    (page,) = info["query"]["pages"].values()
    urls = page["imageinfo"][0]
    for url, width in ((urls["thumburl"], 120), (urls["url"], SIZE[0])):
        began = time.monotonic()
        first, second = site.client.get(url), site.client.get(url)
        print(f"\n{width} pixels, twice: {time.monotonic() - began:.1f} s")  # noqa: T201
        assert is_protected(first.content, width)
        assert second.content == first.content, "what is stored is what was answered"
    html = site.client.get("/index.php", params={"title": "File:Photo.jpg"}).text
    linked = {unescape(one) for one in re.findall(r'(?:src|href)="([^"]*Photo\.jpg[^"]*)"', html)}
    pictures = [site.client.get(one) for one in linked if "thumb" in one or "images" in one]
    assert pictures
    for answer in pictures:
        assert answer.headers["content-type"] == "image/jpeg"
        assert b"DataMining" in answer.content
    assert len(site.public()) >= 2
    assert all(b"DataMining" in one.read_bytes() for one in site.public())
    (kept,) = site.originals.rglob("Photo.jpg")
    assert kept.read_bytes() == original.read_bytes()
    assert site.client.get("/images/" + str(kept.relative_to(site.originals))).status_code == 404
    assert photoward.keeps_nothing()


def test_without_the_service_nothing_is_published(site: Wiki, photoward: Service) -> None:
    photoward.server.stop()
    try:
        site.configure(wgPhotowardDeadline="3")
        site.upload("Photo.jpg")
        for width in (120, SIZE[0]):
            answer = site.picture("Photo.jpg", width)
            assert answer.status_code == 500
            assert not answer.headers["content-type"].startswith("image/")
        assert not site.public()
        assert "Not published" in site.log.read_text()
    finally:
        photoward.server.start()
    site.configure(wgPhotowardDeadline="60")
    for width in (120, SIZE[0]):
        assert is_protected(site.picture("Photo.jpg", width).content, width)


def test_a_deleted_photo_is_gone(site: Wiki, photoward: Service) -> None:
    site.upload("Photo.jpg")
    assert is_protected(site.picture("Photo.jpg", 100).content, 100)
    site.api(action="delete", title="File:Photo.jpg", token=site.token())
    assert site.picture("Photo.jpg", 100).status_code == 404
    assert not site.public()
    assert photoward.keeps_nothing()


def test_a_new_version_is_made_of_its_own_original(site: Wiki) -> None:
    site.upload("Photo.jpg", 20)
    old = site.picture("Photo.jpg", 100).content
    time.sleep(1.1)  # versions are told apart by the second
    site.upload("Photo.jpg", 60)
    new = site.picture("Photo.jpg", 100).content
    assert is_protected(new, 100)
    assert new != old
    info = site.api(
        action="query", titles="File:Photo.jpg", prop="imageinfo", iiprop="url|archivename",
        iilimit="2",
    )  # fmt: skip
    (page,) = info["query"]["pages"].values()
    before = page["imageinfo"][1]
    assert is_protected(site.client.get(before["url"]).content, SIZE[0])
    assert is_protected(site.picture(before["archivename"], 100, archived="1").content, 100)
    assert all(b"DataMining" in one.read_bytes() for one in site.public())


def test_many_at_once(site: Wiki) -> None:
    site.upload("Photo.png", kind="PNG")
    widths = [50, 60, 70, 80] * 5
    began = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda width: site.picture("Photo.png", width), widths))
    print(f"\n20 requests at once, 4 sizes: {time.monotonic() - began:.1f} s")  # noqa: T201
    for answer, width in zip(answers, widths, strict=True):
        assert is_protected(answer.content, width)


def test_what_the_service_refuses_is_not_published_unless_the_owner_says_so(
    unpacked: Path, tmp_path: Path, photoward: Service
) -> None:
    refused = {"wgPhotowardOptions": "[ 'preset' => 'nonsense' ]"}
    with wiki(unpacked, tmp_path, photoward, **refused) as site:
        site.log_in()
        site.upload("Photo.jpg")
        assert site.picture("Photo.jpg", 100).status_code == 500
        assert not site.public()
        assert "preset" in site.log.read_text()
        site.configure(wgPhotowardUnprotected="'publish'")
        assert not is_protected(site.picture("Photo.jpg", 100).content, 100)
        assert "Published without protection" in site.log.read_text()


def test_a_wiki_whose_originals_are_public_does_not_start(
    unpacked: Path, tmp_path: Path, photoward: Service
) -> None:
    public = {"wgUploadDirectory": f"'{tmp_path / 'wiki' / 'images'}'"}
    with wiki(unpacked, tmp_path, photoward, **public) as site:
        answer = site.client.get("/api.php")
        assert answer.status_code == 500
        assert "are public. Move them out of" in unescape(answer.text)
