"""Previews of originals: real HEIC and TIFF files, decoded in a confined process."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from photoward.api.delivery import previews
from photoward.core.object_keys import original_key
from tests.api.http.service import picture
from tests.api.http.test_refusals import assert_problem
from tests.core.imaging.pictures import file, reopened, smooth

if TYPE_CHECKING:
    import httpx

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

PHOTO = smooth((900, 600))
SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6
SIDEWAYS[0x010F] = "unmistakable"


def heic(photo: Image.Image) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(photo).save(buffer, quality=90)
    return buffer.getvalue()


def preview(service: Service, data: bytes, media_type: str, **headers: str) -> httpx.Response:
    sent = service.upload(data, headers={"Content-Type": media_type})
    assert sent.status_code == 202, sent.text
    return service.client.get(f"/v1/images/{sent.json()['id']}/preview", headers=headers)


@pytest.mark.parametrize(
    ("data", "media_type", "upright"),
    [
        (heic(PHOTO), "image/heic", PHOTO),
        (file(PHOTO, "TIFF"), "image/tiff", PHOTO),
        (
            file(PHOTO, "TIFF", exif=SIDEWAYS),
            "image/tiff",
            PHOTO.transpose(Image.Transpose.ROTATE_270),
        ),
        (file(PHOTO.convert("L"), "TIFF"), "image/tiff", PHOTO.convert("L")),
    ],
    ids=["heic", "tiff", "turned", "grey"],
)
def test_it_shows_what_no_browser_can(
    data: bytes, media_type: str, upright: Image.Image, service: Service
) -> None:
    answer = preview(service, data, media_type)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"].startswith("private")
    small = reopened(answer.content)
    assert (small.format, max(small.size)) == ("WEBP", previews.SIDE)
    assert b"unmistakable" not in answer.content
    wanted = upright.convert("RGB").resize(small.size, Image.Resampling.LANCZOS)
    difference = ImageOps.grayscale(Image.blend(wanted, ImageOps.invert(small.convert("RGB")), 0.5))
    apart = np.abs(np.asarray(difference, np.int16) - 127)
    assert apart.max() <= 14


def test_it_is_asked_for_once(service: Service) -> None:
    first = preview(service, file(PHOTO, "TIFF"), "image/tiff")
    etag = first.headers["ETag"]
    again = preview(service, file(PHOTO, "TIFF"), "image/tiff", **{"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    other = preview(service, picture(), "image/png", **{"If-None-Match": etag})
    assert other.status_code == 200
    assert reopened(other.content).size == (40, 30), "a small photo is not enlarged"


def test_without_the_original_there_is_none(service: Service) -> None:
    image = service.upload().json()["id"]
    service.store.delete(original_key("default", image))
    refused = service.client.get(f"/v1/images/{image}/preview")
    assert_problem(refused, "no_preview")
    service.client.delete(f"/v1/images/{image}")
    assert_problem(service.client.get(f"/v1/images/{image}/preview"), "not_found")


def test_a_broken_photo_is_refused_and_the_next_one_is_shown(service: Service) -> None:
    damaged = bytearray(picture())
    damaged[60:90] = bytes(30)
    assert_problem(preview(service, bytes(damaged), "image/png"), "corrupt")
    assert preview(service, picture(), "image/png").status_code == 200


def test_inks_have_none_as_browsers_show_their_jpeg(service: Service) -> None:
    answer = preview(service, file(PHOTO.convert("CMYK"), "JPEG"), "image/jpeg")
    assert_problem(answer, "no_preview")


def test_a_large_photo_has_none(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MOST_MEGAPIXELS", 0.1)
    assert_problem(preview(service, file(PHOTO, "TIFF"), "image/tiff"), "no_preview")


def test_where_nothing_can_decode_there_is_none(
    make_service: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service()
    monkeypatch.setitem(sys.modules, "photoward.core.imaging.sandbox.pool", None)
    assert_problem(preview(service, picture(), "image/png"), "no_preview")


def test_the_process_is_replaced_when_it_dies_and_ends_with_the_service(
    make_service: ServiceFactory,
) -> None:
    service = make_service()
    assert preview(service, picture(), "image/png").status_code == 200
    maker = service.app.state.services.previews
    (pid,) = maker._pool.pids()
    os.kill(pid, signal.SIGKILL)
    assert preview(service, picture(), "image/png").status_code in {200, 503}
    assert preview(service, picture(), "image/png").status_code == 200
    (pid,) = maker._pool.pids()
    maker.close()
    until = time.monotonic() + 10
    while time.monotonic() < until and os.path.exists(f"/proc/{pid}"):  # noqa: PTH110
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110
