"""A stranger's client of tus, and any way of cutting a photo into parts."""

from __future__ import annotations

import io
import secrets
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tusclient.client import TusClient
from tusclient.exceptions import TusUploadFailed

from photoward.api.ingest.upload_content import format_metadata, parse_metadata
from photoward.core.errors import BadInput
from tests.api.http.test_uploads import (
    PHOTO,
    begun,
    go_on,
    id_of,
    offset,
    ready,
    sending,
    service,
)
from tests.support.samples import noisy_png

if TYPE_CHECKING:
    from tests.api.http.service import Service

__all__ = ["service"]

LARGE = noisy_png(2, 400)


@pytest.mark.parametrize("chunk", [64_000, len(LARGE) + 1])
@pytest.mark.parametrize("checksum", [True, False])
def test_a_strangers_client_brings_a_photo(service: Service, chunk: int, *, checksum: bool) -> None:
    client = TusClient(f"{service.url}/v1/uploads")
    uploader = client.uploader(
        file_stream=io.BytesIO(LARGE), chunk_size=chunk, upload_checksum=checksum,
        metadata={"filename": "größer.png", "filetype": "image/png"},
    )  # fmt: skip
    uploader.upload()
    item = ready(service, id_of(str(uploader.url)))
    assert (item["source"]["size"], item["source"]["filename"]) == (len(LARGE), "größer.png")


def test_a_strangers_client_goes_on_where_it_was_cut_off(service: Service) -> None:
    client = TusClient(f"{service.url}/v1/uploads")
    first = client.uploader(file_stream=io.BytesIO(LARGE), chunk_size=100_000)
    first.upload_chunk()
    again = client.uploader(file_stream=io.BytesIO(LARGE), url=str(first.url))
    assert again.offset == 100_000
    again.upload()
    assert ready(service, id_of(str(first.url)))["source"]["size"] == len(LARGE)
    with pytest.raises(TusUploadFailed):  # the one that was cut off wakes up
        first.upload_chunk()


@st.composite
def sendings(draw: st.DrawFn) -> list[tuple[int, int, bool]]:
    """What a client may send: an error in the offset, a length, and whether the line breaks."""
    one = st.tuples(st.sampled_from([0, 0, 0, 0, -1, 5]), st.integers(0, len(PHOTO)), st.booleans())
    return draw(st.lists(one, max_size=8))


def cut_off(service: Service, place: str, part: bytes, at: int) -> int:
    """Send it, and break the line before the body's end; where the upload stands afterwards."""
    with closing(sending(service, place, f"Content-Length: {len(PHOTO) - at}", at=at)) as wire:
        wire.sendall(part)
        time.sleep(0.02)  # what nobody has read when the line breaks is lost
    deadline = time.monotonic() + (2 if part else 0)
    while (kept := offset(service, place)) == at and time.monotonic() < deadline:
        time.sleep(0.01)
    return kept


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=sendings())
def test_however_it_is_cut_it_is_the_same_photo(
    service: Service, sent: list[tuple[int, int, bool]]
) -> None:
    place, at = begun(service), 0
    for error, size, broken in sent:
        part = PHOTO[at : at + size]
        if broken:
            kept = cut_off(service, place, part, at)
            assert kept in {at, at + len(part)}
            at = kept
            continue
        answer = go_on(service, place, part, max(at + error, 0))
        assert answer.status_code == (204 if max(at + error, 0) == at else 409)
        at += len(part) if answer.status_code == 204 else 0
        assert offset(service, place) == at
    assert go_on(service, place, PHOTO[at:], at).status_code == 204
    item = ready(service, id_of(place))
    assert service.store.get(f"originals/default/{item['id']}") == PHOTO
    assert service.client.delete(item["links"]["self"]).status_code == 204
    assert service.kept() == []


@given(told=st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.text(max_size=40)))
def test_metadata_is_read_as_it_was_written(told: dict[str, str]) -> None:
    readable = {name: value.encode(errors="replace").decode() for name, value in told.items()}
    assert parse_metadata(format_metadata(told)) == readable


@given(header=st.text(max_size=60))
def test_any_metadata_is_read_or_refused(header: str) -> None:
    try:
        parse_metadata(header)
    except BadInput as refused:
        assert refused.code in {"invalid_option", "malformed_request"}  # noqa: PT017  # either will do


def test_a_key_without_a_value_is_one() -> None:
    token = secrets.token_hex(4)
    assert parse_metadata(f" {token} , b  YQ==") == {token: "", "b": "a"}
