"""What protected files are called."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoward.api.cli.files import names


@pytest.mark.parametrize(
    ("name", "kind", "output_format", "called"),
    [
        ("a/b.JPG", None, None, "a/b.JPG"),
        ("a.jfif", "jpeg", None, "a.jfif"),
        ("a.jpe", None, "jpeg", "a.jpe"),
        ("a.apng", "png", None, "a.apng"),
        ("a.b/c.tif", None, None, "a.b/c.png"),
        ("a.heic", None, None, "a.jpg"),
        ("a.heic", "jpeg", None, "a.jpg"),
        ("a.png", "jpeg", None, "a.jpg"),
        ("a.jpg", "heic", None, "a.jpg"),
        ("a.png", "tiff", None, "a.png"),
        ("a.jpg", "gif", None, "a.png"),
        ("a.png", None, "webp", "a.webp"),
        ("photo", "jpeg", None, "photo"),
        ("photo", "jpeg", "png", "photo.png"),
        ("a//b.gif", None, None, "a//b.png"),
    ],
)
def test_a_name_fits_what_is_in_the_file(
    name: str, kind: str | None, output_format: str | None, called: str
) -> None:
    assert names.output_name(name, kind, output_format) == called


def assigned(*photos: str, owners: dict[str, str] | None = None) -> dict[str, str]:
    made = {target: names.digest(photo) for target, photo in (owners or {}).items()}
    return names.assign_targets(
        {one: names.output_name(one, None, None) for one in photos}, made.get
    )


def test_who_keeps_the_own_name_keeps_it_and_the_others_get_numbers() -> None:
    assert assigned("scan.gif", "scan.png", "scan.tif", "x/scan.tif") == {
        "scan.png": "scan.png",
        "scan.gif": "scan-2.png",
        "scan.tif": "scan-3.png",
        "x/scan.tif": "x/scan.png",
    }
    assert assigned("a.heic", "a.jpg", "a-2.jpg")["a.heic"] == "a-3.jpg"


def test_what_was_made_of_another_photo_is_left_alone() -> None:
    found = assigned("scan.png", "scan.tif", owners={"scan.png": "scan.tif"})
    assert found == {"scan.png": "scan-2.png", "scan.tif": "scan.png"}
    assert assigned("scan.png", owners={"scan.png": "gone.tif"}) == {"scan.png": "scan-2.png"}


def test_names_that_some_disk_takes_for_one_are_told_apart() -> None:
    found = assigned("A.JPG", "a.jpg", "u\u0308.png", "\u00fc.png")
    assert len({names.fold_case(target) for target in found.values()}) == 4
    assert found["A.JPG"] == "A.JPG"


PARTS = st.lists(st.sampled_from("aA2-.é"), min_size=1, max_size=3).map("".join)
ENDS = st.sampled_from([".png", ".PNG", ".tif", ".gif", "-2.png", "-150.png", ""])


@given(
    st.lists(st.tuples(PARTS, ENDS).map("".join), unique=True, max_size=12),
    st.dictionaries(st.tuples(PARTS, ENDS).map("".join), st.tuples(PARTS, ENDS).map("".join)),
)
def test_no_two_photos_ever_write_one_file(photos: list[str], owners: dict[str, str]) -> None:
    def files(target: str) -> tuple[str, ...]:
        return f"{target}-150", f"{target}-75"

    made = {target: names.digest(photo) for target, photo in owners.items()}
    found = names.assign_targets(
        {one: names.output_name(one, None, None) for one in photos}, made.get, files
    )
    written = [names.fold_case(one) for one in chain.from_iterable(map(files, found.values()))]
    assert found.keys() == set(photos)
    assert len(set(written)) == len(written)
    for photo, target in found.items():
        assert all(
            made.get(one, names.digest(photo)) == names.digest(photo) for one in files(target)
        )
