"""``photoward protect --in-place`` and ``--copy-rest``: sites, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from photoward.api.cli import main
from photoward.api.cli.files import site as module
from photoward.core.files import write_whole
from tests.core.imaging.pictures import file, image, reopened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Protect = Callable[..., int]

PHOTOS = ("a.png", "sub/b.jpg", ".hidden/c.png")


@pytest.fixture
def protect(quick_engine: None) -> Protect:
    """Runs the command; the exit code."""
    del quick_engine

    def run(*arguments: object) -> int:
        with pytest.raises(SystemExit) as caught:
            main(["protect", *map(str, arguments)])
        assert isinstance(caught.value.code, int)
        return caught.value.code

    return run


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    build(folder)
    return folder


def build(folder: Path) -> None:
    """Write the site as its generator does, over what is there."""
    for seed, name in enumerate(PHOTOS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        kind = "JPEG" if name.endswith("jpg") else "PNG"
        (folder / name).write_bytes(file(image(size=(64, 48), seed=seed), kind))
    (folder / "icon.png").write_bytes(file(image(size=(16, 16)), "PNG"))
    (folder / "logo.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "index.html").write_text("<img src='a.png'>")


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before if after[name] != before[name]}


def distance(before: bytes, after: bytes) -> int:
    one, other = (np.asarray(reopened(data), np.int16) for data in (before, after))
    return int(np.abs(one - other).max())


def test_in_place_replaces_photos_alone_and_gives_every_byte_back(
    protect: Protect, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = contents(site)
    assert protect(site, "--in-place", "--min-side", 32) == 0
    protected = contents(site)
    assert changed(original, protected) == set(PHOTOS)
    assert all(0 < distance(original[name], protected[name]) < 60 for name in PHOTOS)
    capsys.readouterr()
    assert protect(site, "--in-place", "--min-side", 32) == 0
    assert "0 protected, 0 refused, 3 already there, 3 of no" in capsys.readouterr().err
    assert contents(site) == protected
    assert protect(site, "--in-place", "--undo") == 0
    assert contents(site) == original
    assert protect(site, "--in-place", "--undo") == 0


def test_other_options_make_it_anew_of_the_original(protect: Protect, site: Path) -> None:
    original = contents(site)
    distances = []
    for preset in ("maximum", "subtle"):
        assert protect(site, "--in-place", "--min-side", 32, "--preset", preset) == 0
        distances.append(distance(original["a.png"], contents(site)["a.png"]))
    assert distances[0] > distances[1] > 0
    assert protect(site, "--in-place", "--undo") == 0
    assert contents(site) == original


def test_a_site_that_is_built_anew_costs_only_what_is_new(
    protect: Protect, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert protect(site, "--in-place", "--min-side", 32) == 0
    protected = contents(site)
    build(site)
    (site / "a.png").rename(site / "renamed.png")
    (site / "new.png").write_bytes(file(image(size=(64, 48), seed=9), "PNG"))
    capsys.readouterr()
    assert protect(site, "--in-place", "--min-side", 32) == 0
    said = capsys.readouterr().err
    assert "3 put back" in said
    assert "1 protected, 0 refused, 3 already there" in said
    again = contents(site)
    assert again["renamed.png"] == protected["a.png"]
    assert again["sub/b.jpg"] == protected["sub/b.jpg"]


def test_a_copy_has_every_file_and_the_site_stays(
    protect: Protect, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = contents(site)
    out = tmp_path / "out"
    arguments = (site, "--copy-rest", "-o", out, "--min-side", 32)
    assert protect(*arguments) == 0
    assert contents(site) == original
    copied = contents(out)
    assert copied.keys() == original.keys()
    assert changed(original, copied) == set(PHOTOS)
    build(site)
    (site / "index.html").write_text("another page")
    capsys.readouterr()
    assert protect(*arguments) == 0
    assert "0 protected, 0 refused, 3 already there" in capsys.readouterr().err
    assert contents(out) == copied | {"index.html": b"another page"}


def test_patterns_choose(protect: Protect, site: Path, tmp_path: Path) -> None:
    original = contents(site)
    for number, (arguments, wanted) in enumerate(
        [
            (("--include", "*.jpg"), {"sub/b.jpg"}),
            (("--exclude", "*.png"), {"sub/b.jpg"}),
            (("--exclude", "sub/*", "--exclude", "icon.png"), {"a.png", ".hidden/c.png"}),
        ]
    ):
        out = tmp_path / str(number)
        assert protect(site, "--copy-rest", "-o", out, *arguments) == 0
        assert changed(original, contents(out)) == wanted


def test_what_cannot_be_protected_is_not_published_unless_it_is_excluded(
    protect: Protect, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "x.jxl").write_bytes(b"\xff\x0a" + bytes(100))
    (site / "x.gif").write_bytes(file(image(size=(64, 48)), "GIF"))
    (site / "cut.jpg").write_bytes(file(image(size=(640, 480)), "JPEG")[:-900])
    out = tmp_path / "out"
    assert protect(site, "--copy-rest", "-o", out) == 1
    said = capsys.readouterr().err
    assert all(name in said for name in ("x.jxl", "x.gif", "cut.jpg"))
    assert not {"x.jxl", "x.gif", "cut.jpg"} & contents(out).keys()
    assert protect(site, "--copy-rest", "-o", out, "--exclude", "x.*", "--exclude", "cut*") == 0
    assert contents(out)["x.gif"] == (site / "x.gif").read_bytes()


def test_several_sites_at_once(protect: Protect, site: Path, tmp_path: Path) -> None:
    other = tmp_path / "second"
    build(other)
    before = contents(other)
    assert protect(site, other, "--in-place", "--min-side", 32) == 0
    assert changed(before, contents(other)) == set(PHOTOS)
    fresh = [tmp_path / "fresh" / name for name in ("public", "second")]
    for folder in fresh:
        build(folder)
    assert protect(*fresh, "-o", tmp_path / "out", "--exclude", "icon.png") == 0
    assert {"public/a.png", "second/sub/b.jpg"} <= contents(tmp_path / "out").keys()


def test_undo_leaves_what_was_edited_since(
    protect: Protect, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = contents(site)
    assert protect(site, "--in-place", "--min-side", 32) == 0
    edited = file(image(size=(64, 48), seed=77), "PNG")
    (site / "a.png").write_bytes(edited)
    assert protect(site, "--in-place", "--undo") == 1
    assert "a.png" in capsys.readouterr().err
    assert contents(site) == original | {"a.png": edited}


def test_a_run_that_was_killed_between_note_and_file_goes_on(
    protect: Protect, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = contents(site)
    whole = write_whole

    def killed(target: Path, data: bytes, modified_ns: int | None = None) -> None:
        if target == site / "sub/b.jpg":
            raise KeyboardInterrupt
        whole(target, data, modified_ns)

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_whole", killed)
        with pytest.raises((SystemExit, KeyboardInterrupt)):
            main(["protect", str(site), "--in-place", "--min-side", "32"])
    assert contents(site)["sub/b.jpg"] == original["sub/b.jpg"]
    assert protect(site, "--in-place", "--min-side", 32) == 0
    assert changed(original, contents(site)) == set(PHOTOS)
    assert protect(site, "--in-place", "--undo") == 0
    assert contents(site) == original


@pytest.mark.parametrize(
    "arguments",
    [
        ("--in-place", "-o", "out"),
        ("--in-place", "--copy-rest"),
        ("--undo",),
        ("--copy-rest",),
        (),
        ("--in-place", "--sizes", "10"),
        ("--in-place", "--output-format", "webp"),
        ("--in-place", "--undo"),
    ],
)
def test_options_that_do_not_go_together(
    protect: Protect, site: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(site)
    assert protect(site, *arguments) == 2
    assert capsys.readouterr().err
    assert contents(site) == before


def test_originals_are_not_kept_where_everybody_sees_them(
    protect: Protect, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(site)
    assert protect(site, "--in-place", "--originals", site / "kept") == 2
    assert "lies in the site" in capsys.readouterr().err
    assert contents(site) == before
