"""A real site of Wagtail, easy-thumbnails, sorl-thumbnail and imagekit, in its own environment."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.hosts import environment
from tests.support.servers import Server, free_ports, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.service import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SITE = Path(__file__).with_name("site")
PACKAGES = (
    "wagtail==8.0.1", "django~=5.2.0", "easy-thumbnails==2.10.1", "sorl-thumbnail==13.4.0",
    "django-imagekit==6.1.1",
)  # fmt: skip
OWN = ("integrations/clients/python", "integrations/django")


@dataclass
class Host:
    """The site: its folder, its program, and a browser that is logged in."""

    python: Path
    folder: Path
    service: str
    more: dict[str, str] = field(default_factory=dict)

    def env(self, **more: str) -> dict[str, str]:
        return {"SITE_FOLDER": str(self.folder), "PHOTOWARD_URL": self.service, **self.more, **more}

    def manage(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "manage.py", *words],
            cwd=SITE, env=os.environ | self.env(**more), capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def done(self, *words: str, **more: str) -> str:
        run = self.manage(*words, **more)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def public(self) -> dict[str, bytes]:
        """Every file of the public folder."""
        return contents(self.folder / "public")

    def originals(self) -> dict[str, bytes]:
        """The private originals."""
        found = contents(self.folder / "originals")
        return {name: data for name, data in found.items() if not name.endswith(".photoward.json")}

    def server(self) -> tuple[Server, str]:
        (port,) = free_ports(1)
        command = [str(self.python), str(SITE / "manage.py"), "runserver", "--noreload",
                   f"127.0.0.1:{port}"]  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        log = self.folder / "site.log"
        return Server(command, log, lambda: answers(url), env=self.env(), start_s=120), url


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/admin/login/").status_code == 200
    except httpx.HTTPError:
        return False


def contents(folder: Path) -> dict[str, bytes]:
    """All files but those that are being written, whose names are hidden."""
    files = sorted(one for one in folder.rglob("[!.]*") if one.is_file())
    return {str(one.relative_to(folder)): one.read_bytes() for one in files}


def photo(side: int = 300, seed: int = 50) -> bytes:
    file = io.BytesIO()
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
    picture.save(file, "JPEG", quality=88)
    return file.getvalue()


def change(public: bytes, original: bytes) -> float:
    """The mean change of a channel between two pictures of one size, of 255."""
    with Image.open(io.BytesIO(public)) as a, Image.open(io.BytesIO(original)) as b:
        assert a.size == b.size
        first, second = (np.asarray(one.convert("RGB"), dtype=float) for one in (a, b))
    return float(np.abs(first - second).mean())


def protected(host: Host) -> bool:
    """Whether each public photo differs from its original, slightly, and says who may not train."""
    public, originals = host.public(), host.originals()
    assert public.keys() == originals.keys()
    return bool(public) and all(
        0.3 < change(data, originals[name]) < 20 and b"DataMining" in data
        for name, data in public.items()
    )


@pytest.fixture(scope="module")
def python() -> Path:
    return environment("django", PACKAGES, OWN)


@pytest.fixture(scope="module")
def empty_site(python: Path, photoward: Service, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A site with its tables and one administrator, to be copied."""
    host = Host(python, tmp_path_factory.mktemp("empty"), photoward.url)
    host.done("migrate", "-v0", "--run-syncdb")
    host.done(
        "createsuperuser", "--noinput", "--username=admin", "--email=a@example.org",
        DJANGO_SUPERUSER_PASSWORD="secret",
    )  # fmt: skip
    return host


@pytest.fixture
def host(empty_site: Host, tmp_path: Path) -> Host:
    folder = tmp_path / "site"
    shutil.copytree(empty_site.folder, folder)
    return Host(empty_site.python, folder, empty_site.service)


@pytest.fixture
def site(host: Host) -> Iterator[httpx.Client]:
    """The site's pages, as an administrator sees them."""
    server, url = host.server()
    with running(server), httpx.Client(base_url=url, timeout=120, follow_redirects=True) as client:
        page = client.get("/admin/login/").text
        login = {"username": "admin", "password": "secret", "csrfmiddlewaretoken": token(page)}
        assert client.post("/admin/login/", data=login).status_code == 200
        assert "sessionid" in client.cookies
        yield client


def token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found
    return found[1]


def add_wagtail_image(site: httpx.Client, data: bytes) -> int:
    """Upload an image on Wagtail's own page."""
    page = site.get("/admin/images/add/").text
    index = site.post(
        "/admin/images/add/",
        data={"csrfmiddlewaretoken": token(page), "title": "A photo"},
        files={"file": ("photo.jpg", data, "image/jpeg")},
    )
    found = re.search(r"/admin/images/(\d+)/", index.text)
    assert found, index.text[:500]
    return int(found[1])


def pictures(page: str) -> list[str]:
    return re.findall(r'src="([^"]*)"', page)


def test_wagtail_publishes_protected_renditions_only(
    host: Host, site: httpx.Client, photoward: Service
) -> None:
    key = add_wagtail_image(site, photo())
    began = time.monotonic()
    page = site.get(f"/wagtail/{key}/").text
    first_s = time.monotonic() - began
    urls = pictures(page)
    assert len(urls) == 4
    first = [site.get(url).content for url in urls]
    assert protected(host)
    assert pictures(site.get(f"/wagtail/{key}/").text) == urls
    assert [site.get(url).content for url in urls] == first
    assert not photoward.objects()
    print(f"\nA Wagtail page of four renditions, first view: {first_s:.1f} s")  # noqa: T201

    # The picture is replaced in the editor, as one that was rotated elsewhere would be.
    edit = f"/admin/images/{key}/"
    fields = {"csrfmiddlewaretoken": token(site.get(edit).text), "title": "Another", "tags": ""}
    site.post(edit, data=fields, files={"file": ("new.jpg", photo(seed=90), "image/jpeg")})
    fresh = pictures(site.get(f"/wagtail/{key}/").text)
    assert not set(fresh) & set(urls)
    assert protected(host)

    page = site.get(f"/admin/images/{key}/delete/").text
    site.post(f"/admin/images/{key}/delete/", data={"csrfmiddlewaretoken": token(page)})
    assert host.public() == host.originals() == {}
    assert not contents(host.folder / "uploads")


def test_three_makers_of_thumbnails_publish_protected_ones_only(
    host: Host, site: httpx.Client
) -> None:
    files = {
        "file": ("a.jpg", photo(), "image/jpeg"),
        "shown": ("b.jpg", photo(seed=70), "image/jpeg"),
    }
    made = site.post("/photos/", files=files).json()
    urls = pictures(site.get(f"/thumbnails/{made['id']}/").text)
    assert len(urls) == 3
    assert all(urls)
    first = [site.get(url).content for url in urls]
    assert protected(host)
    assert len(host.public()) == 4
    assert host.originals()[made["shown"]] == photo(seed=70)
    assert pictures(site.get(f"/thumbnails/{made['id']}/").text) == urls
    assert [site.get(url).content for url in urls] == first
    site.post(f"/photos/{made['id']}/delete/")
    assert host.public() == host.originals() == {}


def test_nothing_is_published_while_the_service_is_down(
    host: Host, site: httpx.Client, photoward: Service
) -> None:
    photoward.server.stop()
    try:
        key = add_wagtail_image(site, photo())
        answer = site.get(f"/wagtail/{key}/")
        assert answer.status_code == 200
        assert [url for url in pictures(answer.text) if "not-found" not in url] == []
        made = site.post("/photos/", files={"file": ("a.jpg", photo(), "image/jpeg")}).json()
        page = site.get(f"/thumbnails/{made['id']}/")
        assert page.status_code == 200
        assert not any(pictures(page.text))
        both = {"file": ("a.jpg", photo()), "shown": ("b.jpg", photo(seed=70))}
        refused = site.post("/photos/", files=both)
        assert (refused.status_code, "not protected" in refused.text) == (503, True)
        assert host.public() == {}
        query = "from wagtail.images.models import Rendition; print(Rendition.objects.count())"
        assert host.done("shell", "-v0", "-c", query).split()[-1] == "0"
    finally:
        photoward.server.start()
    time.sleep(5)  # so long the site leaves the service alone
    assert len(pictures(site.get(f"/wagtail/{key}/").text)) == 4
    assert all(pictures(site.get(f"/thumbnails/{made['id']}/").text))
    assert protected(host)


def test_open_publishes_and_backfill_mends(host: Host) -> None:
    (port,) = free_ports(1)
    host.done("fill", "2", SITE_ON_FAILURE="open", PHOTOWARD_URL=f"http://127.0.0.1:{port}")
    assert host.public() == host.originals()
    assert "8 unprotected" in host.manage("photoward", "status").stdout
    assert "8 protected" in host.done("photoward", "backfill")
    assert protected(host)


def test_a_refused_photo_is_named_with_the_service_s_words(host: Host) -> None:
    folder = host.folder / "public" / "images"
    folder.mkdir(parents=True)
    (folder / "good.jpg").write_bytes(photo())
    (folder / "broken.jpg").write_bytes(photo()[:3000])
    (folder / "drawing.svg").write_text("<svg/>")
    run = host.manage("photoward", "backfill")
    assert run.returncode == 1
    assert "images/broken.jpg: " in run.stderr
    assert "1 failed, 1 protected" in run.stdout
    assert (folder / "broken.jpg").read_bytes() == photo()[:3000]
    again = host.manage("photoward", "backfill")
    assert "1 failed" in again.stdout
    assert "protected" not in again.stdout


def test_200_are_protected_though_killed_twice_and_undone_byte_by_byte(
    host: Host, photoward: Service
) -> None:
    host.done("fill", "50", SITE_PLAIN="1")
    before = host.public()
    assert len(before) == 200
    assert "200 unprotected" in host.done("photoward", "backfill", "--dry-run")
    began = time.monotonic()
    for share in (40, 120):
        killed = subprocess.Popen(
            [host.python, "manage.py", "photoward", "backfill"],
            cwd=SITE, env=os.environ | host.env(), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        while sum(host.public()[name] != data for name, data in before.items()) < share:
            assert killed.poll() is None
            time.sleep(0.05)
        killed.kill()
        killed.wait()
    host.done("photoward", "backfill")
    took = time.monotonic() - began
    assert protected(host)
    assert host.originals() == before
    assert not photoward.objects()
    assert "200 protected, 0 unprotected" in host.done("photoward", "status")
    after = host.public()
    host.done("photoward", "backfill")
    assert host.public() == after

    began = time.monotonic()
    assert "200 restored" in host.done("photoward", "undo")
    assert host.public() == before
    undone = time.monotonic() - began
    assert "200 already" in host.done("photoward", "undo")
    host.done("photoward", "backfill", "--limit", "3")
    changed = [name for name, data in host.public().items() if data != before[name]]
    assert len(changed) == 3
    (host.folder / "public" / changed[0]).write_bytes(photo())
    run = host.manage("photoward", "undo")
    assert (run.returncode, f"{changed[0]}: something else" in run.stderr) == (1, True)
    host.done("photoward", "undo", "--force")
    assert host.public() == before
    print(f"\nBack-fill of 200: {took:.0f} s, undo: {undone:.0f} s")  # noqa: T201


def test_saving_is_killed_midway_and_loses_nothing(host: Host) -> None:
    """Twenty times, at another moment each: never a public file that is not protected."""
    seen = set()
    for at in range(20):
        run = subprocess.Popen(
            [host.python, "manage.py", "fill", "100"],
            cwd=SITE, env=os.environ | host.env(), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert run.stdout
        with run.stdout:
            assert run.stdout.readline() == b"begun\n"
            time.sleep(0.3 + at * 0.13)
            assert run.poll() is None
            run.kill()
            run.wait()
        public, originals = host.public(), host.originals()
        assert public.keys() <= originals.keys()
        assert not [name for name, data in public.items() if data == originals[name]]
        seen.add(len(public))
    assert len(seen) > 10, seen
    host.done("photoward", "undo")
    assert {n: d for n, d in host.originals().items() if n in public} == host.public()


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ({"PHOTOWARD_URL": "photos"}, "photoward.E001"),
        ({"SITE_ON_FAILURE": "sometimes"}, "photoward.E002"),
        ({"SITE_ORIGINALS": ""}, "photoward.E003"),
        ({"SITE_ORIGINALS": "public/originals"}, "photoward.E004"),
        ({"SITE_SECOND": "1"}, "photoward.E005"),
        ({"SITE_UPLOADS": "public"}, "photoward.E006"),
        ({"SITE_RENDITIONS": "default"}, "photoward.E007"),
    ],
)
def test_the_system_check_finds_what_would_publish_unprotected_photos(
    host: Host, spoilt: dict[str, str], code: str
) -> None:
    run = host.manage("check", **spoilt)
    assert run.returncode == 1
    assert set(re.findall(r"photoward\.[EW]\d+", run.stderr)) == {code}


def test_the_system_check_is_content_with_the_readme_s_settings(host: Host) -> None:
    assert "no issues" in host.done("check")
