"""Lists of labelled files in place of class folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from photoward.core.errors import BadInput
from photoward.models.training.data import load_folders, load_pictures
from tests.support.folders import striped

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return striped(tmp_path / "d", each=2)


LINES = {
    "list.csv": "left/1.png,left\nright/0.png, right\nleft/0.png,left\n",
    "headed.csv": "path,label\nleft/1.png,left\nright/0.png,right\nleft/0.png,left\n",
    "list.jsonl": '{"path": "left/1.png", "label": "left"}\n'
    '{"path": "right/0.png", "label": "right"}\n\n{"path": "left/0.png", "label": "left"}\n',
}


@pytest.mark.parametrize("name", LINES)
def test_a_manifest_is_read_as_its_folders_are(root: Path, name: str) -> None:
    (root / name).write_text(LINES[name])
    found = load_pictures(root / name, 32)
    assert found.classes == ["left", "right"]
    assert found.names == ("left/1.png", "left/0.png", "right/0.png")
    whole = load_folders(root, 32)
    for i, picture in enumerate(found.pictures):
        assert picture.equal(whole.pictures[whole.names.index(found.names[i])])


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.txt", "", "no manifest"),
        ("a.csv", "left/9.png,left\n", r"Line 1 .*names no file \('left/9.png'\)"),
        ("a.csv", "left/0.png\n", "Line 1 .*no label"),
        ("a.csv", "left/0.png,left\nleft/0.png,right\n", "Line 2 .*again"),
        ("a.csv", "left/0.png,left\nleft/1.png,left\n", "at least two classes; it has 1"),
        ("a.jsonl", "[]\n", "line 1 is no object"),
        ("a.jsonl", "{\n", "cannot be read"),
    ],
)
def test_an_unusable_manifest_says_why(root: Path, name: str, text: str, sentence: str) -> None:
    (root / name).write_text(text)
    with pytest.raises(BadInput, match=sentence):
        load_pictures(root / name, 32)


def test_a_class_that_a_manifest_leaves_out(root: Path) -> None:
    (root / "a.csv").write_text("left/0.png,left\nright/0.png,right\n")
    with pytest.raises(BadInput, match="names no pictures of the class other"):
        load_pictures(root / "a.csv", 32, ["left", "other"])
