"""``photoward protect``: which files it takes, what it writes, what it says."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.progress import Progress

from photoward.api.cli import main
from photoward.core.errors import PhotowardError, Unavailable
from photoward.core.imaging.sniff import Limits, sniff
from photoward.worker import pipeline
from tests.core.imaging.pictures import file, image, reopened, smooth

if TYPE_CHECKING:
    from collections.abc import Callable

    Protect = Callable[..., int]
    Told = Callable[[pipeline.Protected | pipeline.Refused], None]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def protect(quick_engine: None, out: Path) -> Protect:
    """Runs the command; the exit code."""
    del quick_engine

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
    assert 0 < change(cat, out / "cat.png") <= 4
    assert "1 protected, 0 refused, 0 already there" in said(capsys)


def test_a_method_of_ones_choice(protect: Protect, source: Path, out: Path) -> None:
    cat, photo = save(source / "cat.png"), source / "photo.jpg"
    photo.write_bytes(file(smooth((300, 200)), "JPEG", quality=95))
    assert protect(source, "--method", "cuda", "--label", "cat") == 0
    assert tree(out) == {"cat.png", "photo.jpg"}
    assert 16 < change(cat, out / "cat.png") <= 127
    assert change(photo, out / "photo.jpg") > 4


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
    assert "anchor, sem+anchor, sem, cuda, sem+cuda; for comparison: em, rem." in told
    assert "else anchor" in told


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
        ["empty"],
        ["missing"],
        ["full", "--preset", "mild"],
        ["full", "--epsilon", "99"],
        ["full/a.png", "--labels-from-folders"],
        ["full", "--surrogate", "none"],
        ["full", "--method", "magic"],
        ["full", "--method", "cuda", "--preset", "strong"],
        ["full", "--method", "cuda", "--epsilon", "8"],
    ],
)
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


def test_two_files_that_would_become_one_are_told_apart(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(source / "scan.tif", "TIFF", seed=1)
    assert protect(source) == 0
    first = (out / "scan.png").read_bytes()
    save(source / "scan.png", seed=2)
    save(source / "scan.gif", "GIF", seed=3)
    for _ in range(2):
        assert protect(source) == 0
        assert tree(out) == {"scan.png", "scan-2.png", "scan-3.png"}
    assert "0 protected, 0 refused, 3 already there" in said(capsys)
    assert (out / "scan.png").read_bytes() == first, "nobody's file became another's"
    assert 0 < change(source / "scan.png", out / "scan-2.png") <= 16
    fresh = out.parent / "fresh"
    assert protect(source, "--output-format", "jpeg", "--sizes", "20,16", into=fresh) == 0
    assert len(tree(fresh)) == 6


def test_a_name_that_belies_its_file_is_mended_and_said(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(source / "really-a-jpeg.png", "JPEG")
    save(source / "really-a-jpeg.jpg", "JPEG", seed=1)
    assert protect(source) == 0
    assert tree(out) == {"really-a-jpeg.jpg", "really-a-jpeg-2.jpg"}
    assert "in/really-a-jpeg.png: Its suffix is that of another format" in said(capsys)
    assert change(source / "really-a-jpeg.png", out / "really-a-jpeg-2.jpg") < 40
    assert protect(source) == 0
    assert "2 already there" in said(capsys)


def test_a_file_is_as_old_as_its_photo_and_a_replaced_photo_is_noticed(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cat = save(source / "cat.png")
    os.utime(cat, ns=(1_500_000_000_123_456_789,) * 2)
    assert protect(source) == 0
    assert (out / "cat.png").stat().st_mtime_ns == 1_500_000_000_123_456_789
    first = (out / "cat.png").read_bytes()
    save(cat, seed=1)
    os.utime(cat, ns=(1_400_000_000_000_000_000,) * 2)
    said(capsys)
    assert protect(source) == 1
    told = said(capsys)
    assert "cat.png was made of it before it was replaced: --force replaces it" in told
    assert "0 protected, 1 refused, 0 already there" in told
    assert (out / "cat.png").read_bytes() == first
    assert protect(source, "--force") == 0
    assert (out / "cat.png").read_bytes() != first
    (out / "dog.png").write_bytes(b"of unknown origin")
    os.utime(out / "dog.png", (1_500_000_000,) * 2)
    save(source / "dog.png")
    said(capsys)
    assert protect(source) == 1
    told = said(capsys)
    assert "dog.png is older than the photo: --force replaces it" in told
    assert "0 protected, 1 refused, 1 already there" in told
    assert protect(source, "--preset", "subtle") == 1
    assert "made of it with other options: --force" in said(capsys)


def test_no_file_and_no_folder_stops_the_rest(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longest = "x" * 246 + ".png"
    for name in (longest, "taken/1.png", "folder.png", "good.png", "y" * 250 + ".gif"):
        save(source / name, "GIF" if name.endswith("gif") else "PNG")
    latin = os.fsdecode(os.fsencode(source) + b"/caf\xe9.png")
    save(Path(latin))
    (out / "folder.png").mkdir(parents=True)
    (out / "taken").write_text("a file where a folder is wanted")
    assert protect(source) == 1
    made = tree(out)
    assert made == {longest, "taken", "good.png", os.fsdecode(b"caf\xe9.png"), "y" * 250 + ".png"}
    told = said(capsys)
    assert "folder.png is a folder" in told
    assert "taken/1.png cannot be written" in told
    assert "4 protected, 2 refused" in told
    assert protect(source) == 1
    assert "0 protected, 2 refused, 4 already there" in said(capsys)


def test_everything_that_may_be_a_picture_is_taken_or_named(
    protect: Protect, source: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in ("jfif", "jpe", "pjpeg", "jif"):
        save(source / f"{ending}.{ending}", "JPEG")
    save(source / "a.apng")
    for theirs in (".thumbnails", "@eaDir", "#recycle", "deep/@eaDir"):
        save(source / theirs / "small.png")
    save(tmp_path / "elsewhere" / "cat.png")
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    (source / "file.png").symlink_to(tmp_path / "elsewhere" / "cat.png")
    (source / "gone.png").symlink_to("nowhere")
    os.mkfifo(source / "pipe.png")
    assert protect(source) == 1
    assert tree(out) == {"jfif.jfif", "jpe.jpe", "pjpeg.pjpeg", "jif.jif", "a.apng", "file.png"}
    told = said(capsys)
    assert "in/linked: It is a link to a folder, which is not followed" in told
    assert "in/gone.png: It cannot be read: No such file" in told
    assert "in/pipe.png: It is no file" in told
    assert "6 protected, 3 refused, 0 already there, 0 of no supported kind" in told


def test_a_folder_that_cannot_be_looked_into_is_named(
    protect: Protect,
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save(source / "cat.png")
    (source / "shut").mkdir()
    scandir = os.scandir

    def shut(at: Path) -> Any:  # noqa: ANN401  # what it gives
        if Path(at).name == "shut":
            raise PermissionError(13, "Permission denied")
        return scandir(at)

    monkeypatch.setattr(os, "scandir", shut)  # who runs as root may look everywhere
    assert protect(source) == 1
    told = said(capsys)
    assert "in/shut: It cannot be looked into: Permission denied" in told
    assert "1 protected, 1 refused" in told


def test_an_original_is_not_replaced_through_a_link_or_from_above(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cat = save(source / "cats" / "1.png")
    deep = save(source / "in" / "cats" / "1.png", seed=1)
    before = cat.read_bytes(), deep.read_bytes()
    out.mkdir()
    (out / "cats").symlink_to(source / "cats")
    assert protect(source, "--force") == 1
    assert "cats/1.png is an original" in said(capsys)
    assert protect(source, "--force", into=source.parent) == 1
    assert (cat.read_bytes(), deep.read_bytes()) == before


def test_what_a_finished_file_says_of_itself_is_told_once(
    protect: Protect, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        save(source / f"{number}.gif", "GIF", seed=number)
    assert protect(source) == 0
    told = said(capsys)
    assert told.count("The palette became RGB") == 1
    assert "2.gif and 2 more: The palette became RGB" in told


def test_sizes_are_counted_by_photo(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(source / "1.png")
    save(source / "2.png", seed=1)
    assert protect(source, "--sizes", "20,16") == 0
    assert "2 protected, 0 refused, 0 already there" in said(capsys)
    (out / "1-16.png").unlink()
    assert protect(source, "--sizes", "20,16") == 0
    assert "1 protected, 0 refused, 1 already there" in said(capsys)
    (source / "2.png").write_bytes(b"no picture")
    assert protect(source, "--sizes", "20,16", "--force") == 1
    assert "1 protected, 1 refused, 0 already there" in said(capsys)


def test_what_fails_by_our_fault_is_tried_alone(
    protect: Protect,
    source: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried: list[int] = []
    real = pipeline.Pipeline.protect

    def faulty(
        self: pipeline.Pipeline, jobs: list[pipeline.Job], on_end: Told
    ) -> list[pipeline.Protected | pipeline.Refused]:
        tried.append(len(jobs))
        if len(jobs) > 1 or jobs[0].id == "1":
            raise Unavailable("The machine is asleep.")
        return real(self, jobs, on_end=on_end)

    monkeypatch.setattr(pipeline.Pipeline, "protect", faulty)
    for number in range(3):
        save(source / f"{number}.png", seed=number)
    assert protect(source) == 1
    assert tried == [3, 1, 1, 1]
    assert tree(out) == {"0.png", "2.png"}
    assert "1.png: The machine is asleep." in said(capsys)


def test_what_is_refused_by_our_fault_is_tried_once_more(
    protect: Protect, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pipeline.Pipeline._finish
    failed: list[str] = []

    def once(self: pipeline.Pipeline, entry: Any) -> Any:  # noqa: ANN401  # passed on
        if not failed:
            failed.append(entry.job.id)
            return pipeline.Refused(
                entry.job.id, PhotowardError("internal_error", "A child was killed.")
            )
        return real(self, entry)

    monkeypatch.setattr(pipeline.Pipeline, "_finish", once)
    for number in range(3):
        save(source / f"{number}.png", seed=number)
    assert protect(source) == 0
    assert tree(out) == {"0.png", "1.png", "2.png"}


def test_a_folder_that_is_no_label_refuses_its_photos_alone(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(source / "cats" / "1.png")
    save(source / "a\nb" / "1.png")
    assert protect(source, "--labels-from-folders") == 1
    assert tree(out) == {"cats/1.png"}
    assert "label must be" in said(capsys)


def test_the_bar_moves_with_each_photo(
    protect: Protect, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, bool]] = []
    advance, finish = Progress.advance, pipeline.Pipeline._finish
    running: set[str] = set()

    def advanced(self: Progress, task: Any, by: float = 1) -> None:  # noqa: ANN401  # its id
        seen.append((by, len(running) < 7))
        advance(self, task, by)

    def finished(self: pipeline.Pipeline, entry: Any) -> Any:  # noqa: ANN401  # passed on
        running.add(entry.job.id)
        if entry.job.id == "6":
            deadline = time.monotonic() + 20
            while not seen and time.monotonic() < deadline:
                time.sleep(0.01)
            running.discard("6")
        return finish(self, entry)

    monkeypatch.setattr(Progress, "advance", advanced)
    monkeypatch.setattr(pipeline.Pipeline, "_finish", finished)
    for number in range(7):
        save(source / f"{number}.png", seed=number)
    assert protect(source) == 0
    assert [by for by, _ in seen] == [1] * 7
    assert seen[0][1], "the first is told before the last is done"


@pytest.fixture
def nowhere(protect: Protect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Protect:
    """Runs the command in a folder of its own, without a data folder that was named."""
    monkeypatch.chdir(tmp_path)
    del os.environ["PHOTOWARD_DATA_DIR"]
    return protect


def test_the_secret_is_in_one_place_whatever_folder_one_stands_in(
    nowhere: Protect,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cat = save(source / "cat.png")
    assert nowhere(cat, into=tmp_path / "1") == 0
    home = Path(os.environ["XDG_DATA_HOME"]) / "photoward"
    assert f"A secret was made in {home}." in said(capsys)
    assert (home / "master.secret").stat().st_mode & 0o777 == 0o400
    assert home.stat().st_mode & 0o777 == 0o700
    monkeypatch.chdir(source)
    assert nowhere(cat, into=tmp_path / "2") == 0
    assert "secret" not in said(capsys)
    assert (tmp_path / "1/cat.png").read_bytes() == (tmp_path / "2/cat.png").read_bytes()
    assert not (tmp_path / "photoward-data").exists()
    assert not (source / "photoward-data").exists()


def test_a_secret_of_before_is_used_where_it_is_and_said(
    nowhere: Protect, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cat = save(source / "cat.png")
    assert nowhere(cat, "--data-dir", tmp_path / "photoward-data", into=tmp_path / "1") == 0
    said(capsys)
    assert nowhere(cat, into=tmp_path / "2") == 0
    assert f"The secret is that of {tmp_path / 'photoward-data'}, as before" in said(capsys)
    assert (tmp_path / "1/cat.png").read_bytes() == (tmp_path / "2/cat.png").read_bytes()


def test_labels_come_from_folders(
    protect: Protect, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str | None] = {}
    real = pipeline.Pipeline.protect

    def watched(
        self: pipeline.Pipeline, jobs: list[pipeline.Job], on_end: Told
    ) -> list[pipeline.Protected | pipeline.Refused]:
        seen.update({job.id: job.options.label for job in jobs})
        return real(self, jobs, on_end=on_end)

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
        self: pipeline.Pipeline, jobs: list[pipeline.Job], on_end: Told
    ) -> list[pipeline.Protected | pipeline.Refused]:
        sizes.append(len(jobs))
        return real(self, jobs, on_end=on_end)

    monkeypatch.setattr(pipeline.Pipeline, "protect", watched)
    for number in range(7):
        save(source / f"{number}.png", seed=number)
    (source / "wide.png").write_bytes(file(image(size=(60, 20))))
    os.environ["PHOTOWARD_WORKER_MAX_BATCH_ITEMS"] = "3"
    assert protect(source) == 0
    assert sorted(sizes) == [1, 1, 3, 3], "another working grid is another batch"
    assert len(tree(out)) == 8
    sizes.clear()
    os.environ["PHOTOWARD_WORKER_MAX_BATCH_MEGAPIXELS"] = "0.0021"  # two of 32 × 32
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


def test_what_was_protected_before_is_left_as_it_is(
    protect: Protect, source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(source / "cat.png")
    assert protect(source) == 0
    save(out / "new.png", seed=1)
    assert protect(out, into=out / "again") == 0
    assert tree(out / "again") == {"new.png"}
    words = said(capsys)
    assert "1 protected, 1 protected before, 0 refused, 0 already there" in words
    assert "cat.png: It is protected already, and was left as it is." in words
