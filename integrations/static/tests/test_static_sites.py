"""Sites that Sigal and Debian's Hugo have built are protected, built again, and put back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.hosts import debian_packages

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CACHE = Path(__file__).parents[3] / ".integrations" / "static"
PHOTOWARD = Path(sys.executable).with_name("photoward")
DEBIAN = ("hugo", "libsass1", "libwebp7", "libwebpmux3", "libwebpdemux2")
PHOTOS = 3


@pytest.fixture(scope="module")
def sigal() -> Path:
    """Sigal in an environment of its own."""
    program = CACHE / "sigal" / "bin" / "sigal"
    if not program.exists():
        venv.create(CACHE / "sigal", with_pip=True, clear=True)
        pip = subprocess.run(
            [program.with_name("pip"), "install", "-q", "sigal==2.6.1"], check=False
        )
        if pip.returncode:
            pytest.skip("Sigal cannot be installed: the package index is not reached")
    return program


@pytest.fixture(scope="module")
def hugo() -> list[str]:
    """The command of Debian's Hugo, unpacked beside the system."""
    root = debian_packages("hugo", DEBIAN)
    libraries = next((root / "usr/lib").glob("*-linux-gnu"))
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(root / "usr/bin/hugo")]


def photo(path: Path, seed: int, size: tuple[int, int] = (480, 360)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.indices((size[1], size[0]))
    wave = np.sin(columns / (19 + seed)) + np.cos(rows / (13 + seed))
    pixels = np.stack([wave * 50 + 120 + seed, wave * 30 + 110, 140 - wave * 40], axis=-1)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=92)


def protect(*arguments: object, home: Path) -> str:
    done = subprocess.run(
        [PHOTOWARD, "protect", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_DATA_HOME": str(home), "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def photos(files: dict[str, bytes]) -> set[str]:
    return {name for name in files if name.endswith(".jpg")}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before if after.get(name) != before[name]}


def test_sigal_in_place(sigal: Path, tmp_path: Path) -> None:
    home, site = tmp_path / "home", tmp_path / "_build"
    for number in range(PHOTOS):
        photo(tmp_path / "pictures" / f"{number}.jpg", number)
    (tmp_path / "sigal.conf.py").write_text(
        "source = 'pictures'\ntheme = 'galleria'\nimg_size = (400, 300)\nthumb_size = (200, 150)\n"
    )

    def build() -> dict[str, bytes]:
        # -f: else Sigal leaves what is there, replaced photos included.
        command: list[str | Path] = [
            sigal,
            "build",
            "-f",
            "-n",
            "1",
            "-c",
            tmp_path / "sigal.conf.py",
        ]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        return contents(site)

    options = (site, "--in-place", "--method", "cuda", "--min-side", 100, "--exclude", "static/*")
    built = build()
    assert len(photos(built)) == 2 * PHOTOS, "a photo and its thumbnail"
    protect(*options, home=home)
    protected = contents(site)
    assert changed(built, protected) == photos(built)
    assert "0 protected, 0 refused, 6 already there" in protect(*options, home=home)
    photo(tmp_path / "pictures" / "0.jpg", 9)
    build()
    assert "2 protected, 0 refused, 4 already there" in protect(*options, home=home)
    protect(site, "--in-place", "--undo", home=home)
    undone = contents(site)
    assert {name for name in photos(built) if undone[name] == built[name]} == {
        name for name in photos(built) if not name.endswith("0.jpg")
    }
    shutil.rmtree(site)
    assert photos(fresh := build()) == photos(undone)
    assert {name: undone[name] for name in photos(fresh)} == {
        name: fresh[name] for name in photos(fresh)
    }, "byte by byte what Sigal makes"


def test_hugo_as_a_copy(hugo: list[str], tmp_path: Path) -> None:
    home, out, public = tmp_path / "home", tmp_path / "out", tmp_path / "site/public"
    site = tmp_path / "site"
    for number in range(PHOTOS):
        photo(site / f"content/album/{number}.jpg", number)
    photo(site / "static/favicon.png", 0, (32, 32))
    (site / "content/album/index.md").write_text("---\ntitle: Album\n---\nSome photos.\n")
    (site / "config.toml").write_text("baseURL = 'https://example.org/'\ntitle = 'Test'\n")
    (site / "layouts/_default").mkdir(parents=True)
    (site / "layouts/_default/single.html").write_text(
        '{{ range .Resources.ByType "image" }}{{ $small := .Resize "240x" }}'
        '<a href="{{ .RelPermalink }}"><img src="{{ $small.RelPermalink }}"></a>{{ end }}'
    )

    def build() -> dict[str, bytes]:
        # A smaller version's name has the photo's hash: without this the old one stays.
        command = [*hugo, "-s", str(site), "--cleanDestinationDir"]
        subprocess.run(command, check=True, capture_output=True)
        return contents(public)

    options = (public, "--copy-rest", "-o", out, "--method", "cuda", "--min-side", 100)
    built = build()
    assert len(photos(built)) == 2 * PHOTOS, "a photo and its smaller version"
    protect(*options, home=home)
    copied = contents(out)
    assert contents(public) == built
    assert copied.keys() == built.keys()
    assert changed(built, copied) == photos(built)
    assert build() == built
    assert "0 protected, 0 refused, 6 already there" in protect(*options, home=home)
    assert contents(out) == copied
    photo(site / "content/album/0.jpg", 9)
    build()
    assert "2 protected, 0 refused, 4 already there" in protect(*options, home=home)
    shutil.rmtree(out)
    assert "0 protected, 0 refused, 6 already there" in protect(*options, home=home)
