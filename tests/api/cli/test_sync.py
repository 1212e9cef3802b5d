"""``photoward sync``: a folder through a service, and on where it stood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from photoward.api.cli import main
from photoward.api.cli.transfer import THREADS
from photoward.core import access
from photoward.core.access import USUAL
from photoward.core.ports import item_of
from tests.api.http.service import PEPPER, Service, picture, serving, working
from tests.core.imaging.pictures import reopened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    assert service.ledger.depth() == {}
    (out / "dogs/1.png").unlink()
    before = (out / "cats/1.png").stat().st_mtime_ns
    assert run(source, out, "--url", service.url) == 0
    assert (out / "cats/1.png").stat().st_mtime_ns == before
    assert "1 protected, 0 refused, 2 already there" in " ".join(capsys.readouterr().err.split())


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
    assert service.ledger.get("default", item_id).label_used == "tabby cats"


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
    assert service.ledger.depth() == {"done": 3, "failed": 1}


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
    with serving(tmp_path / "closed", require_keys=True) as service, working(service):
        assert run(source, tmp_path / "out", "--url", service.url) == 2
        minted = access.mint(PEPPER)
        service.ledger.add_key(minted, "alice", "sync", USUAL, None)
        monkeypatch.setenv("PHOTOWARD_API_KEY", minted.text)
        assert run(source, tmp_path / "out", "--url", service.url) == 0
        assert len(tree(tmp_path / "out")) == 3
