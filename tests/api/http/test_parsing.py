"""Whatever comes over the wire is read or refused: properties over made-up input."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoward.api.http.body.multipart import FormReader
from photoward.api.http.headers.content_disposition import attachment, parse_filename
from photoward.api.http.headers.prefer import parse_wait_s
from photoward.api.ingest import filenames
from photoward.api.ingest.options import ImageRequest, OptionsBuilder, Terms
from photoward.api.ingest.spool import Spool
from photoward.core.catalogue import Catalogue
from photoward.core.errors import BadInput
from photoward.core.imaging.sniff import Limits
from photoward.core.jobs import BatchDefaults, Callback
from tests.api.http.service import card, picture
from tests.api.http.test_refusals import form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from photoward.core.jobs import Options, Source

PHOTO = picture()


def parse(chunks: Iterable[bytes]) -> tuple[Source, Options]:
    options = OptionsBuilder(
        Catalogue({"test": card()}, "test", default_method="sem"),
        ImageRequest(),
        lambda _: BatchDefaults({}),
        Terms(lambda url: Callback(url, "")),
    )
    with ExitStack() as closing:

        def spool(declared: str | None, name: str | None) -> Spool:
            return closing.enter_context(Spool(Limits(), 10**6, declared=declared, filename=name))

        parsed = FormReader(b"x", options, spool)
        for chunk in chunks:
            parsed.feed(chunk)
        return parsed.finish().finish(), options.build()


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


LABELS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=80)


@given(LABELS, st.lists(st.integers(0, 10**6), max_size=12))
def test_a_form_reads_the_same_however_it_is_cut(label: str, places: list[int]) -> None:
    body = form(("label", None, label.encode()), ("file", "a.png", PHOTO))["content"]
    source, options = parse(cut(body, places))
    assert (source.size, source.filename, options.label) == (len(PHOTO), "a.png", label)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_broken_form_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    body = bytearray(form(("label", None, b"cat"), ("file", "a.png", PHOTO))["content"])
    for place, value in changes:
        body[place % 180] = value  # among boundaries, headers and the photo's header
    with suppress(BadInput):  # and nothing else
        parse([bytes(body)])


@given(st.binary(max_size=300))
def test_noise_is_no_form(body: bytes) -> None:
    with pytest.raises(BadInput):
        parse([body])


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["wait=10"], 10), (["WAIT = 5"], 5), (['wait="7"'], 7), (["respond-async", "wait=3"], 3),
        (["a; b=2, wait=3; x=y, wait=9"], 3), (['a="1,wait=4", wait=2'], 2), (["wait=0"], 0),
        (["handling=lenient"], None), (["wait"], None), (["wait=x, wait=3"], None), ([], None),
        (["await=3"], None), (["wait=3s"], None),
    ],
)  # fmt: skip
def test_the_preferred_wait(headers: list[str], seconds: int | None) -> None:
    assert parse_wait_s(headers) == seconds


@given(st.lists(st.text('wait=,;"\\ 0123456789x', max_size=60), max_size=3))
def test_any_preference_is_read_or_ignored(headers: list[str]) -> None:
    seconds = parse_wait_s(headers)
    assert seconds is None or 0 <= seconds < 10**9


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder_or_its_header(name: str) -> None:
    cleaned = filenames.clean(name)
    if cleaned is not None:
        assert 0 < len(cleaned) <= filenames.MAX_LENGTH
        assert cleaned.isprintable()
        assert not {"/", "\\"} & set(cleaned)
        assert cleaned not in {".", ".."}
    header = attachment(cleaned, "image/jpeg", "ab" * 16)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    plain = header.split('"')[1]
    assert filenames.clean(plain) == plain
    assert plain.endswith("-protected.jpg")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("cat.png", "cat-protected.jpg"), ("mäh ü.png", "mah u-protected.jpg"),
        ("a\\b%22;c.png", "a_b_22_c-protected.jpg"),
        ("猫.png", "photo-abababab-protected.jpg"), (None, "photo-abababab-protected.jpg"),
    ],
)  # fmt: skip
def test_clients_that_know_one_name_get_one_that_tells_photos_apart(
    name: str | None, plain: str
) -> None:
    header = attachment(name, "image/jpeg", "ab" * 16)
    assert f'filename="{plain}"' in header
    sized = attachment("cat.png", "image/webp", "ab" * 16, "1080")
    assert 'filename="cat-protected-1080.webp"' in sized


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, None), ("attachment", None), ('inline; filename="a.png"', "a.png"),
        ('attachment; filename="C:\\\\x\\\\a.png"', "a.png"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename=\"a\"; filename*=utf-8'en'%e2%82%ac.png", "€.png"),
        ("attachment; filename*=UTF-8''%ff%00.png", "\ufffd.png"),
        ('attachment; filename=".."', None),
    ],
)  # fmt: skip
def test_names_in_headers(header: str | None, name: str | None) -> None:
    assert parse_filename(header) == name


def test_a_hidden_header_is_looked_for_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def look(head: bytes, _limits: Limits, *, complete: bool) -> None:
        nonlocal read
        read += len(head)
        assert not complete

    monkeypatch.setattr("photoward.api.ingest.spool.sniff", look)
    with Spool(Limits(), 10**8, declared=None, filename=None) as spool:
        for _ in range(400):
            spool.write(bytes(1 << 16))
    assert read < 8 * 400 * (1 << 16)
