"""PicGo of npm with the plug-in, installed as its README says, and an uploader into a folder."""

from __future__ import annotations

import io
import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.hosts import ROOT, node_packages
from tests.support.servers import free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

NAME = "picgo-plugin-photoward"
UPLOADER = """
const { writeFileSync } = require("node:fs");
module.exports = (ctx) => ({
  uploader: "folder",
  register: () => ctx.helper.uploader.register("folder", {
    handle: (run) => {
      for (const picture of run.output) {
        const bytes = picture.buffer ?? Buffer.from(picture.base64Image, "base64");
        writeFileSync(`${process.env.PUBLIC}/${picture.fileName}`, bytes);
        picture.imgUrl = `https://pictures.example/${picture.fileName}`;
      }
    },
  }),
});
"""
IN_BASE64 = """
module.exports = (ctx) => ({
  transformer: "folder64",
  register: () => ctx.helper.transformer.register("folder64", {
    handle: async (run) => {
      await ctx.helper.transformer.get("path").handle(run);
      for (const picture of run.output) {
        picture.base64Image = "data:image/png;base64," + picture.buffer.toString("base64");
        delete picture.buffer;
      }
    },
  }),
});
"""


@dataclass
class PicGo:
    """PicGo with a folder of its own for plug-ins and settings, and the public folder."""

    program: Path
    home: Path
    public: Path

    def configure(self, url: str, transformer: str = "path", **settings: str) -> None:
        chosen = {
            "picBed": {"uploader": "folder", "current": "folder", "transformer": transformer},
            "picgoPlugins": {NAME: True, "picgo-plugin-folder": True, "picgo-plugin-in64": True},
            NAME: {"url": url, "timeoutS": "60", **settings},
        }
        (self.home / "config.json").write_text(json.dumps(chosen))

    def upload(self, *photos: Path) -> str:
        """Upload photos; what PicGo says."""
        config = self.home / "config.json"
        done = subprocess.run(
            ["node", self.program, "-c", config, "upload", *photos],
            capture_output=True, text=True, check=False, cwd=self.home,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home),
                 "PUBLIC": str(self.public)},
        )  # fmt: skip
        return done.stdout + done.stderr

    def published(self) -> dict[str, bytes]:
        return {one.name: one.read_bytes() for one in self.public.iterdir()}


def plugin(home: Path, name: str, code: str) -> None:
    folder = home / "node_modules" / name
    folder.mkdir(exist_ok=True)
    (folder / "index.js").write_text(code)
    (folder / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0"}))
    manifest: dict[str, Any] = json.loads((home / "package.json").read_text())
    manifest["dependencies"][name] = "1.0.0"
    (home / "package.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PicGo's folder, with the plug-in."""
    made = tmp_path_factory.mktemp("picgo")
    own = ("./integrations/clients/javascript", "./integrations/picgo")
    command = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--install-links",
        "--prefix",
        str(made),
    ]
    subprocess.run([*command, *own], cwd=ROOT, check=True, capture_output=True)
    plugin(made, "picgo-plugin-folder", UPLOADER)
    plugin(made, "picgo-plugin-in64", IN_BASE64)
    return made


@pytest.fixture
def picgo(home: Path, tmp_path: Path) -> PicGo:
    packages = node_packages("picgo", ("picgo@3.1.0",))
    public = tmp_path / "public"
    public.mkdir()
    return PicGo(packages / "node_modules" / "picgo" / "bin" / "picgo", home, public)


def photo(path: Path, seed: int = 40) -> Path:
    Image.effect_noise((40, 30), seed).convert("RGB").resize((200, 150)).save(path)
    return path


def assert_protected(made: bytes, original: Path) -> None:
    with Image.open(io.BytesIO(made)) as one, Image.open(original) as other:
        assert (one.size, one.format) == (other.size, other.format)
    assert b"DataMining" in made
    assert made != original.read_bytes()


@pytest.mark.parametrize("transformer", ["path", "folder64"])
def test_every_picture_of_a_call_is_protected(
    picgo: PicGo, photoward: Service, tmp_path: Path, transformer: str
) -> None:
    photos = [
        photo(tmp_path / f"{at}.{kind}", at)
        for at, kind in ((20, "jpg"), (30, "png"), (40, "webp"))
    ]
    picgo.configure(photoward.url, transformer, label="cat")
    began = time.monotonic()
    told = picgo.upload(*photos)
    print(f"\n3 pictures: {time.monotonic() - began:.1f} s")  # noqa: T201
    made = picgo.published()
    assert set(made) == {one.name for one in photos}, told
    for one in photos:
        assert_protected(made[one.name], one)
        assert f"https://pictures.example/{one.name}" in told
    assert photoward.keeps_nothing()


def test_what_is_protected_already_is_uploaded_as_it_is(
    picgo: PicGo, photoward: Service, tmp_path: Path
) -> None:
    picgo.configure(photoward.url)
    picgo.upload(photo(tmp_path / "a.png"))
    made = picgo.published()["a.png"]
    (tmp_path / "b.png").write_bytes(made)
    picgo.upload(tmp_path / "b.png")
    assert picgo.published()["b.png"] == made


def test_a_refused_picture_keeps_all_of_its_call_back(
    picgo: PicGo, photoward: Service, tmp_path: Path
) -> None:
    good, bad = photo(tmp_path / "good.png"), tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    picgo.configure(photoward.url)
    told = picgo.upload(good, bad)
    assert not picgo.published()
    assert "bad.png cannot be protected: HTTP 415" in told
    assert "Nothing was uploaded." in told
    picgo.configure(photoward.url, unprotected="upload")
    told = picgo.upload(good, bad)
    assert picgo.published()["bad.png"] == b"no picture"
    assert_protected(picgo.published()["good.png"], good)
    assert "Uploaded without protection." in told


def test_without_the_service_nothing_is_uploaded(picgo: PicGo, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    picgo.configure(f"http://127.0.0.1:{port}", timeoutS="3")
    told = picgo.upload(photo(tmp_path / "a.png"))
    assert not picgo.published()
    assert "cannot be reached" in told
    picgo.configure("not an address")
    assert "url is not like" in picgo.upload(photo(tmp_path / "a.png"))
    assert not picgo.published()


def test_a_picture_of_another_format_gets_its_name(
    picgo: PicGo, photoward: Service, tmp_path: Path
) -> None:
    """What the service reads but does not write comes back as something else."""
    path = tmp_path / "a.jpeg"
    with Image.open(photo(tmp_path / "a.png")) as opened:
        opened.save(path, "PNG")  # its name is wrong
    picgo.configure(photoward.url)
    told = picgo.upload(path)
    assert list(picgo.published()) == ["a.png"], told
