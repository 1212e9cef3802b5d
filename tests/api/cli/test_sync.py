"""``photoward sync``: a folder through a service, and on where it stood."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from photoward.api.cli import main
from photoward.api.cli.client import Client
from photoward.api.cli.files.locations import Folder
from photoward.api.cli.files.transfer import THREADS
from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES
from photoward.core.object_keys import item_of
from photoward.core.output_marks import output_mark
from tests.api.http.service import PEPPER, Service, picture, serving, working
from tests.core.imaging.pictures import reopened

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path / "service") as made, working(made):
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, kind in (("cats/1.png", "PNG"), ("cats/2.jpg", "JPEG"), ("dogs/1.png", "PNG")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(kind))
    return tmp_path / "in"


def run(*arguments: object) -> object:
    with pytest.raises(SystemExit) as caught:
        main(["sync", *map(str, arguments)])
    return caught.value.code


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_comes_back_and_nothing_is_left_behind(
    service: Service, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(source, out, "--url", service.url, "--labels-from-folders") == 0
    assert tree(out) == {"cats/1.png", "cats/2.jpg", "dogs/1.png"}
    assert reopened((out / "cats/1.png").read_bytes()).size == (40, 30)
    assert service.ledger.items.count_by_state() == {}
    (out / "dogs/1.png").unlink()
    before = (out / "cats/1.png").stat().st_mtime_ns
    assert run(source, out, "--url", service.url) == 0
    assert (out / "cats/1.png").stat().st_mtime_ns == before
    assert "1 protected, 0 refused, 2 already there" in " ".join(capsys.readouterr().err.split())
    home = Path(os.environ["XDG_DATA_HOME"]) / "photoward"
    assert home.stat().st_mode & 0o777 == 0o700


def test_connections_are_used_again(
    service: Service, source: Path, tmp_path: Path, connections: list[object]
) -> None:
    for number in range(10):
        (source / f"{number}.png").write_bytes(picture())
    assert run(source, tmp_path / "out", "--url", service.url) == 0
    assert len(connections) <= 2 * THREADS


def test_a_folder_of_pictures_alone_is_their_label(service: Service, tmp_path: Path) -> None:
    source = tmp_path / "tabby cats"
    source.mkdir()
    (source / "1.png").write_bytes(picture())
    out = tmp_path / "out"
    assert run(source, out, "--url", service.url, "--labels-from-folders", "--keep") == 0
    (item_id,) = set(map(item_of, service.kept()))
    assert service.ledger.items.get("default", item_id).label_used == "tabby cats"


def test_a_bad_file_does_not_stop_the_rest(
    service: Service, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "cats/3.png").write_bytes(b"no picture")
    (source / "cats/4.png").write_bytes(picture(size=(400, 300))[:-500])
    out = tmp_path / "out"
    assert run(source, out, "--url", service.url, "--keep", "--output-format", "webp") == 1
    assert tree(out) == {"cats/1.webp", "cats/2.webp", "dogs/1.webp"}
    said = capsys.readouterr().err
    assert "3.png" in said
    assert "4.png" in said
    assert service.ledger.items.count_by_state() == {"done": 3, "failed": 1}


def test_what_cannot_be_is_said_before_anything_is_sent(
    service: Service, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none", tmp_path / "out", "--url", service.url) == 2
    assert run(source, tmp_path / "out", "--url", service.url, "--preset", "brutal") == 2
    assert "brutal" in capsys.readouterr().err
    assert service.kept() == []


def test_a_key_is_taken_from_the_environment(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path / "closed", http_require_keys=True) as service, working(service):
        assert run(source, tmp_path / "out", "--url", service.url) == 2
        minted = api_keys.generate(PEPPER)
        service.ledger.api_keys.add(minted, "alice", "sync", DEFAULT_SCOPES, None)
        monkeypatch.setenv("PHOTOWARD_API_KEY", minted.text)
        assert run(source, tmp_path / "out", "--url", service.url) == 0
        assert len(tree(tmp_path / "out")) == 3


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def put(path: Path, kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(kind, size=size))
    return path


def width(path: Path) -> int:
    return reopened(path.read_bytes()).width


def test_no_photo_overwrites_another(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    put(source / "scan.tif", "TIFF", (41, 30))
    assert run(source, out, "--url", service.url) == 0
    for side, (ending, kind) in enumerate((("png", "PNG"), ("gif", "GIF")), 42):
        put(source / f"scan.{ending}", kind, (side, 30))
    put(source / "IMG.JPG", "JPEG", (51, 30))
    put(source / "img.jpg", "JPEG", (52, 30))
    assert run(source, out, "--url", service.url) == 0
    found = {name: width(out / name) for name in tree(out)}
    assert found == {
        "scan.png": 41,
        "scan-2.png": 42,
        "scan-3.png": 43,
        "IMG.JPG": 51,
        "img-2.jpg": 52,
    }
    said(capsys)
    assert run(source, out, "--url", service.url) == 0
    assert "0 protected, 0 refused, 5 already there" in said(capsys)
    assert run(source, tmp_path / "w", "--url", service.url, "--output-format", "webp") == 0
    assert sorted(width(tmp_path / "w" / name) for name in tree(tmp_path / "w")) == [
        41,
        42,
        43,
        51,
        52,
    ]


def test_what_was_replaced_or_is_wanted_otherwise_is_made_anew(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    cat, dog = put(source / "cat.png"), put(source / "dog.png")
    os.utime(dog, ns=(1_500_000_000_123_456_789,) * 2)
    assert run(source, out, "--url", service.url) == 0
    assert (out / "dog.png").stat().st_mtime_ns == 1_500_000_000_123_456_789
    put(cat, size=(60, 50))
    os.utime(cat, ns=(1_400_000_000_000_000_000,) * 2)
    said(capsys)
    assert run(source, out, "--url", service.url) == 0
    assert width(out / "cat.png") == 60
    assert "1 protected, 0 refused, 1 already there" in said(capsys)
    before = (out / "dog.png").read_bytes()
    assert run(source, out, "--url", service.url, "--preset", "subtle") == 0
    assert "2 protected, 0 refused, 0 already there" in said(capsys)
    assert (out / "dog.png").read_bytes() != before
    for label in (("--label", "cat"), ()):
        assert run(source, out, "--url", service.url, "--preset", "subtle", *label) == 0
    told = said(capsys)
    assert "2 protected, 0 refused, 0 already there" in told
    assert "0 protected, 0 refused, 2 already there" in told, "any label will do"


def test_what_was_made_is_not_made_again_wherever_it_lies(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "in" / "my ö out"
    put(source / "1.png")
    for _ in range(2):
        assert run(source, out, "--url", service.url) == 0
    assert tree(source) == {"1.png", "my ö out/1.png"}
    assert "0 protected, 0 refused, 1 already there" in said(capsys)


def test_what_nothing_is_known_of_is_judged_by_its_age(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    put(source / "old.png")
    put(source / "new.png")
    put(out / "old.png", size=(9, 9))
    put(out / "new.png", size=(9, 9))
    os.utime(source / "new.png", (4_000_000_000,) * 2)
    assert run(source, out, "--url", service.url) == 0
    assert (width(out / "old.png"), width(out / "new.png")) == (9, 40)
    assert "1 protected, 0 refused, 1 already there" in said(capsys)


def test_no_name_and_no_folder_stops_the_rest(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    latin, longest = os.fsdecode(b"caf\xe9.png"), "x" * 251 + ".png"
    for name in (latin, longest, "taken/1.png", "folder.png", "good.png"):
        put(source / name)
    (out / "folder.png").mkdir(parents=True)
    (out / "taken").write_text("a file where a folder is wanted")
    (source / "linked").symlink_to(tmp_path)
    assert run(source, out, "--url", service.url) == 1
    assert tree(out) == {latin, longest, "taken", "good.png"}
    told = said(capsys)
    assert "folder.png is a folder" in told
    assert "taken/1.png cannot be written" in told
    assert "linked: It is a link to a folder" in told
    assert "3 protected, 3 refused" in told


def test_a_name_that_belies_its_photo_is_mended_and_said(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    put(source / "a.jpg", "PNG", (41, 30))
    put(source / "a.png", "PNG", (42, 30))
    assert run(source, out, "--url", service.url) == 0
    assert {name: width(out / name) for name in tree(out)} == {"a.png": 42, "a-2.png": 41}
    assert "a.jpg: Its suffix is that of another format" in said(capsys)
    assert run(source, out, "--url", service.url) == 0
    assert "2 already there" in said(capsys)
    put(source / "a.jpg", "PNG", (61, 30))
    assert run(source, out, "--url", service.url) == 0
    assert {name: width(out / name) for name in tree(out)} == {"a.png": 42, "a-2.png": 61}


def test_what_a_finished_photo_says_of_itself_is_told(
    service: Service,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = Client.ended

    def noted(self: Client, item_id: str, timeout_s: float) -> dict[str, Any]:
        item = ended(self, item_id, timeout_s)
        return {**item, "measured": {**item["measured"], "notes": ["The gain map is gone."]}}

    monkeypatch.setattr(Client, "ended", noted)
    assert run(source, tmp_path / "out", "--url", service.url) == 0
    told = said(capsys)
    assert told.count("The gain map is gone.") == 1
    assert "in/dogs/1.png: The gain map is gone." in told


def test_an_original_is_not_replaced_through_a_link(
    service: Service, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cats").symlink_to(source / "cats")
    before = (source / "cats/1.png").read_bytes()
    os.utime(source / "cats/1.png", (4_000_000_000,) * 2)
    assert run(source, tmp_path / "out", "--url", service.url) == 1
    assert (source / "cats/1.png").read_bytes() == before
    assert "would replace an original" in said(capsys)


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/x.png", "a//x.png", "a/./x.png"])
def test_a_key_that_leads_elsewhere_is_no_files_name(name: str, tmp_path: Path) -> None:
    assert Folder(tmp_path).name_problem(name)


@pytest.mark.parametrize("url", ["ftp://h", "h:80", "https://"])
def test_another_scheme_is_refused(
    url: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(source, tmp_path / "out", "--url", url) == 2
    assert "--url takes an address like" in said(capsys)


def test_what_was_protected_before_is_copied_as_it_is(
    service: Service, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = picture("WEBP", xmp=output_mark(b"12345678").encode())
    (source / "cats/own.webp").write_bytes(own)
    out = tmp_path / "out"
    assert run(source, out, "--url", service.url) == 0
    assert (out / "cats/own.webp").read_bytes() == own
    told = " ".join(capsys.readouterr().err.split())
    assert "3 protected, 1 protected before, 0 refused, 0 already there" in told
