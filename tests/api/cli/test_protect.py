"""``photoward protect``: which files it takes, what it writes, what it says."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from photoward.api.cli import main
from photoward.core.imaging.sniff import Limits, sniff
from photoward.models.methods.registry import METHODS
from photoward.worker import pipeline
from tests.core.imaging.pictures import file, image, reopened, smooth
from tests.support import surrogates
from tests.support.quick import Quick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Protect = Callable[..., int]


@pytest.fixture(scope="module")
def surrogate_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("surrogates")
    surrogates.write(folder)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def protect(
    surrogate_dir: Path, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> Protect:
    """Runs the command with a tiny surrogate and a short SEM; the exit code."""
    monkeypatch.setitem(METHODS, "sem", Quick)
    os.environ |= {
        "PHOTOWARD_SURROGATE": "tiny", "PHOTOWARD_SURROGATE_DIRS": json.dumps([str(surrogate_dir)]),
        "PHOTOWARD_DATA_DIR": str(tmp_path / "data"), "PHOTOWARD_IMAGING_CHILDREN": "1",
    }  # fmt: skip

    def run(*arguments: object, into: Path = out) -> int:
        with pytest.raises(SystemExit) as caught:
            main(["protect", *map(str, arguments), "-o", str(into)])
        assert isinstance(caught.value.code, int)
        return caught.value.code

    return run


def save(path: Path, kind: str = "PNG", seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file(image(size=(32, 32), seed=seed), kind))
    return path


def tree(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def change(before: Path, after: Path) -> int:
    one, other = (np.asarray(reopened(path.read_bytes()), np.int16) for path in (before, after))
    return int(np.abs(one - other).max())


def sniffed(path: Path) -> str:
    header = sniff(path.read_bytes(), Limits(), complete=True)
    assert header is not None
    return header.media_type


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """All of stderr, on one line: it is wrapped to the terminal's width."""
    return " ".join(capsys.readouterr().err.split())


def test_a_file(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cat = save(source / "cat.png")
    assert protect(cat, "--preset", "subtle") == 0
    assert tree(out) == {"cat.png"}
    assert change(cat, out / "cat.png") == 2
    assert "1 protected, 0 refused, 0 already there" in said(capsys)


def test_a_method_of_ones_choice(protect: Protect, source: Path, out: Path) -> None:
    cat, photo = save(source / "cat.png"), source / "photo.jpg"
    photo.write_bytes(file(smooth((300, 200)), "JPEG", quality=95))
    assert protect(source, "--method", "cuda", "--label", "cat") == 0
    assert tree(out) == {"cat.png", "photo.jpg"}
    assert 16 < change(cat, out / "cat.png") <= 127
    assert change(photo, out / "photo.jpg") > 8


def test_a_file_for_each_size(protect: Protect, source: Path, out: Path) -> None:
    photo = source / "photo.jpg"
    photo.write_bytes(file(smooth((300, 200)), "JPEG", quality=95))
    assert protect(source, "--sizes", "150,75") == 0
    made = {name: reopened((out / name).read_bytes()).size for name in tree(out)}
    assert made == {"photo-150.jpg": (150, 100), "photo-75.jpg": (75, 50)}
    assert protect(photo, "--sizes", "90", into=out / "one") == 0
    assert tree(out / "one") == {"photo.jpg"}


def test_the_help_tells_the_methods(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["protect", "--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "sem, cuda, sem+cuda; to compare with: em, rem. sem if nothing is said." in told


def test_a_folder_keeps_its_shape_and_a_second_run_changes_nothing(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kind in (("a.png", "PNG"), ("b/a.jpg", "JPEG"), ("b/c/d.WEBP", "WEBP")):
        save(source / name, kind)
    (source / "notes.txt").write_text("no picture")
    (source / "b" / "clip.psd").write_bytes(b"8BPS")
    (source / ".DS_Store").write_bytes(b"hidden")
    assert protect(source) == 0
    assert tree(out) == {"a.png", "b/a.jpg", "b/c/d.WEBP"}
    assert "3 protected, 0 refused, 0 already there, 2 of no supported kind" in said(capsys)
    before = {name: (out / name).stat().st_mtime_ns for name in tree(out)}
    assert protect(source) == 0
    assert "0 protected, 0 refused, 3 already there" in said(capsys)
    assert {name: (out / name).stat().st_mtime_ns for name in tree(out)} == before


def test_force_makes_the_same_file_anew(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cat = save(source / "cat.png")
    protect(cat)
    first = (out / "cat.png").read_bytes()
    (out / "cat.png").write_bytes(b"something else")
    assert protect(cat) == 0
    assert (out / "cat.png").read_bytes() == b"something else"
    assert protect(cat, "--force") == 0
    assert (out / "cat.png").read_bytes() == first
    assert "1 protected" in said(capsys)


def test_another_folder_of_secrets_gives_other_noise(
    protect: Protect, source: Path, out: Path, tmp_path: Path
) -> None:
    cat = save(source / "cat.png")
    protect(cat)
    protect(cat, "--data-dir", tmp_path / "other", into=tmp_path / "out2")
    assert (out / "cat.png").read_bytes() != (tmp_path / "out2" / "cat.png").read_bytes()


def test_bad_files_are_named_and_stop_nobody(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(source / "good.png")
    (source / "bad.png").write_bytes(b"no picture at all")
    (source / "empty.jpg").write_bytes(b"")
    (source / "cut.png").write_bytes(file(image(size=(32, 32)))[:900])
    (source / "short.png").write_bytes(file(image())[:12])
    (source / "[red]x.png").write_bytes(b"no markup")
    assert protect(source) == 1
    assert tree(out) == {"good.png"}
    told = said(capsys)
    assert "1 protected, 5 refused" in told
    for name in ("bad.png", "empty.jpg", "cut.png", "short.png", "[red]x.png"):
        assert name in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["empty"], ["missing"], ["full", "--preset", "mild"], ["full", "--epsilon", "99"],
        ["full/a.png", "--labels-from-folders"], ["full", "--surrogate", "none"],
        ["full", "--method", "magic"], ["full", "--method", "cuda", "--preset", "strong"],
        ["full", "--method", "cuda", "--epsilon", "8"],
    ],
)  # fmt: skip
def test_nothing_to_do_is_bad_usage(
    protect: Protect, tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    save(tmp_path / "full" / "a.png")
    first, *more = arguments
    assert protect(tmp_path / first, *more) == 2
    assert capsys.readouterr().err.startswith("photoward: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_originals_are_never_replaced(
    protect: Protect, source: Path, capsys: pytest.CaptureFixture[str], force: list[str]
) -> None:
    cat = save(source / "cat.png")
    before = cat.read_bytes()
    assert protect(source, *force, into=source) == 2
    assert protect(cat, *force, into=source / ".." / "in") == 2
    assert cat.read_bytes() == before
    assert "originals" in said(capsys)


def test_what_was_made_is_not_made_again(protect: Protect, source: Path) -> None:
    save(source / "cat.png")
    for _ in range(2):
        assert protect(source, into=source / "safe") == 0
    assert tree(source) == {"cat.png", "safe/cat.png"}


def test_another_format_has_another_suffix(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kind in (("a.png", "PNG"), ("b.JPEG", "JPEG"), ("c.webp", "WEBP")):
        save(source / name, kind)
    assert protect(source, "--output-format", "jpeg") == 0
    assert tree(out) == {"a.jpg", "b.JPEG", "c.jpg"}
    assert {sniffed(out / name) for name in tree(out)} == {"image/jpeg"}
    said(capsys)
    assert protect(source, "--output-format", "jpeg") == 0
    assert "3 already there" in said(capsys)


def test_two_files_that_would_become_one_are_both_refused(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(source / "x.png")
    save(source / "y.png")
    assert protect(source, "--output-format", "jpeg") == 0
    first = (out / "x.jpg").read_bytes()
    save(source / "x.jpg", "JPEG", seed=1)
    for force in ([], ["--force"]):
        assert protect(source, "--output-format", "jpeg", *force) == 1
        assert "2 refused" in said(capsys)
    assert (out / "x.jpg").read_bytes() == first
    assert protect(source) == 0, "in formats of their own they do not meet"


def test_a_name_that_belies_its_file_stays(protect: Protect, source: Path, out: Path) -> None:
    save(source / "really-a-jpeg.png", "JPEG")
    assert protect(source) == 0
    assert tree(out) == {"really-a-jpeg.png"}
    assert sniffed(out / "really-a-jpeg.png") == "image/jpeg"


def test_labels_come_from_folders(
    protect: Protect, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str | None] = {}
    real = pipeline.Pipeline.protect

    def watched(
        self: pipeline.Pipeline, jobs: list[pipeline.Job]
    ) -> list[pipeline.Protected | pipeline.Refused]:
        seen.update({job.id: job.options.label for job in jobs})
        return real(self, jobs)

    monkeypatch.setattr(pipeline.Pipeline, "protect", watched)
    for name in ("cats/1.png", "dogs/1.png", "dogs/2.png", "top.png"):
        save(source / name)
    monkeypatch.chdir(source)
    assert protect(".", "--labels-from-folders") == 0
    assert sorted(map(str, seen.values())) == ["cats", "dogs", "dogs", "in"]
    assert protect(".", "--labels-from-folders", "--label", "pets") == 2
    seen.clear()
    assert protect(".", "--label", "pets", "--force") == 0
    assert set(seen.values()) == {"pets"}


def test_batches_respect_the_limits_and_lose_nothing(
    protect: Protect, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = pipeline.Pipeline.protect

    def watched(
        self: pipeline.Pipeline, jobs: list[pipeline.Job]
    ) -> list[pipeline.Protected | pipeline.Refused]:
        sizes.append(len(jobs))
        return real(self, jobs)

    monkeypatch.setattr(pipeline.Pipeline, "protect", watched)
    for number in range(7):
        save(source / f"{number}.png", seed=number)
    (source / "wide.png").write_bytes(file(image(size=(60, 20))))
    os.environ["PHOTOWARD_MAX_BATCH"] = "3"
    assert protect(source) == 0
    assert sorted(sizes) == [1, 1, 3, 3], "another working grid is another batch"
    assert len(tree(out)) == 8
    sizes.clear()
    os.environ["PHOTOWARD_MAX_BATCH_MEGAPIXELS"] = "0.0021"  # two of 32 × 32
    assert protect(source, "--force") == 0
    assert sorted(sizes) == [1, 1, 2, 2, 2]


def test_a_folder_that_cannot_be_written_is_said(
    protect: Protect, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(source / "cat.png")
    (tmp_path / "taken").write_text("a file where a folder is wanted")
    assert protect(source, into=tmp_path / "taken") == 1
    assert "cannot be written" in said(capsys)


def test_what_is_only_read_leaves_under_the_suffix_of_what_is_written(
    protect: Protect, source: Path, out: Path
) -> None:
    for name, kind in (("a.GIF", "GIF"), ("b.tif", "TIFF"), ("c.heic", "HEIF")):
        save(source / name, kind)
    assert protect(source) == 0
    assert tree(out) == {"a.png", "b.png", "c.jpg"}
    assert reopened((out / "c.jpg").read_bytes()).format == "JPEG"
    assert protect(source, "--output-format", "webp", into=out / "w") == 0
    assert tree(out / "w") == {"a.webp", "b.webp", "c.webp"}
