"""Files that are verified: protected ones, copies, foreign ones, and forgeries."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.imaging import fingerprint
from photoward.core.jobs import Output, Result
from photoward.core.object_keys import output_key
from photoward.core.output_marks import mark_id, output_mark
from photoward.core.proofs import Fingerprint, NewProof
from tests.api.http.service import PEPPER
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

MARK = output_mark(b"a mark's own"[:8])
FACTS = {"method": "anchor", "preset": "standard", "surrogate": "test", "visibility": 0.9}


def photo(name: str) -> Image.Image:
    whole: Image.Image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    return whole.resize((480, 360))


def saved(image: Image.Image, quality: int = 95, mark: str = "", kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind, quality=quality, xmp=mark.encode())
    return file.getvalue()


def thumbnail(image: Image.Image) -> fingerprint.Thumbnail:
    small = image.resize((fingerprint.SIDE,) * 2, Image.Resampling.BILINEAR)
    return fingerprint.thumbnail(np.asarray(small))


ORIGINAL = photo("astronaut")
NOISE = np.random.default_rng(5).normal(0, 1, (60, 80, 3))
LAYER = Image.fromarray(np.clip(128 + 5 * NOISE, 0, 255).astype(np.uint8)).resize((480, 360))
NOISY = Image.fromarray(
    np.clip(np.asarray(ORIGINAL, np.int16) + np.asarray(LAYER) - 128, 0, 255).astype(np.uint8)
)
PROTECTED = saved(NOISY, mark=MARK)


def protect(service: Service, headers: dict[str, str] | None = None) -> str:
    """As a worker would: an image whose output is ``PROTECTED``."""
    answer = service.upload(saved(ORIGINAL, kind="PNG"), headers=headers or {})
    (item,) = service.ledger.items.claim(limit=1, max_megapixels=9, lease=timedelta(minutes=1))
    before, after = thumbnail(ORIGINAL), thumbnail(NOISY)
    found = Fingerprint(
        mark_id(MARK), fingerprint.hashes(after), fingerprint.noise_sketch(before, after)
    )
    digest = hashlib.sha256(PROTECTED).hexdigest()
    service.store.put(output_key(item.tenant, item.id), PROTECTED)
    result = Result(
        item.id, Output(digest, len(PROTECTED), "image/jpeg"), "cat", "given", {},
        (NewProof(digest, 480, 360, found, FACTS),),
    )  # fmt: skip
    assert service.ledger.items.complete(item.lease_token or "", [result])
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def image_id(service: Service) -> str:
    return protect(service)


def verified(service: Service, data: bytes, **headers: str) -> dict[str, Any]:
    answer = service.client.post("/v1/verify", content=data, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def test_a_protected_file_is_told_with_all_that_was_done(service: Service, image_id: str) -> None:
    found = verified(service, PROTECTED)
    assert found["verdict"] == "exact"
    assert found["mark"] == {"id": mark_id(MARK), "known": True}
    told = found["protection"]
    assert {name: told[name] for name in FACTS} == FACTS
    assert (told["width"], told["height"], told["kept"]) == (480, 360, True)
    assert found["own"] == {"id": image_id, "url": f"/v1/images/{image_id}"}


COPIES = {
    "saved again": saved(NOISY, 75),
    "shrunk": saved(NOISY.resize((320, 240), Image.Resampling.LANCZOS), 85),
    "another format": saved(NOISY, 80, kind="WEBP"),
    "brighter": saved(NOISY.point(lambda value: min(255, round(value * 1.05 + 4))), 90),
    "with its mark": saved(NOISY, 75, MARK),
}


@pytest.mark.usefixtures("image_id")
@pytest.mark.parametrize("data", COPIES.values(), ids=COPIES)
def test_a_copy_is_found_and_its_noise_is_measured(service: Service, data: bytes) -> None:
    found = verified(service, data)
    assert found["verdict"] == "copy"
    assert found["protection"]["id"] == mark_id(MARK)
    assert found["match"]["noise_share"] > 0.8
    assert not found["match"]["cropped"]


@pytest.mark.usefixtures("image_id")
@pytest.mark.parametrize("box", [(24, 18, 456, 342), (48, 0, 480, 360), (0, 0, 432, 324)])
def test_a_crop_is_found(service: Service, box: tuple[int, int, int, int]) -> None:
    found = verified(service, saved(NOISY.crop(box), 85))
    assert found["verdict"] == "copy"
    assert found["match"]["cropped"]
    assert found["match"]["noise_share"] > 0.6
    assert found["match"]["edited_share"] is None


@pytest.mark.usefixtures("image_id")
def test_the_original_is_not_taken_for_a_protected_copy(service: Service) -> None:
    for data in (saved(ORIGINAL, 85), saved(ORIGINAL.crop((24, 18, 456, 342)), 85)):
        found = verified(service, data)
        assert found["verdict"] == "noise_missing"
        assert found["match"]["noise_share"] < 0.2
    forged = verified(service, saved(ORIGINAL, 85, MARK))
    assert forged["verdict"] == "noise_missing"


@pytest.mark.usefixtures("image_id")
def test_an_edited_copy_is_told_from_a_whole_one(service: Service) -> None:
    edited = NOISY.copy()
    edited.paste((255, 0, 0), (20, 20, 110, 80))
    found = verified(service, saved(edited, 90, MARK))
    assert found["verdict"] == "edited"
    assert 0.01 < found["match"]["edited_share"] < 0.1
    assert found["match"]["noise_share"] > 0.8


@pytest.mark.usefixtures("image_id")
def test_a_foreign_picture_is_unknown_and_with_a_forged_id_told(service: Service) -> None:
    foreign = photo("coffee")
    unknown = verified(service, saved(foreign))
    assert unknown["verdict"] == "unknown"
    assert (unknown["mark"], unknown["match"], unknown["protection"]) == (None, None, None)
    forged = verified(service, saved(foreign, mark=MARK))
    assert forged["verdict"] == "picture_differs"
    assert (forged["match"], forged["mark"]["known"]) == (None, True)
    stranger = verified(service, saved(foreign, mark=output_mark(b"stranger")))
    assert stranger["verdict"] == "unknown"
    assert stranger["mark"]["known"] is False
    assert verified(service, saved(Image.new("RGB", (64, 64), "grey")))["verdict"] == "unknown"


REFUSED = {
    "empty_body": b"",
    "not_an_image": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(4096),
    "truncated": PROTECTED[: len(PROTECTED) // 2],
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_is_no_photo_is_refused_in_words(service: Service, code: str) -> None:
    answer = service.client.post("/v1/verify", content=REFUSED[code])
    assert_problem(answer, code if code != "not_an_image" else answer.json()["code"])
    assert answer.json()["code"] in {code, "unsupported_type"}


def test_a_form_takes_the_file_alone(service: Service, image_id: str) -> None:
    answer = service.client.post("/v1/verify", files={"file": ("a.jpg", PROTECTED, "image/jpeg")})
    assert answer.json()["own"]["id"] == image_id
    labelled = service.client.post(
        "/v1/verify", files={"file": ("a.jpg", PROTECTED, "image/jpeg")}, data={"label": "cat"}
    )
    assert_problem(labelled, "invalid_option")
    assert_problem(service.client.post("/v1/verify", data={"a": "b"}), "unsupported_content_type")


def test_an_id_tells_what_was_done_under_it(service: Service, image_id: str) -> None:
    for text in (MARK, mark_id(MARK)):
        found = service.client.get(f"/v1/verify/{text}").json()
        assert found["protection"]["method"] == "anchor"
        assert found["own"]["id"] == image_id
    for text in (mark_id(output_mark(b"stranger")), "0" * 32, "x"):
        assert_problem(service.client.get(f"/v1/verify/{text}"), "not_found")


def test_of_a_deleted_image_its_time_and_look_stay(make_service: ServiceFactory) -> None:
    service = make_service()
    image_id = protect(service)
    assert service.client.delete(f"/v1/images/{image_id}").status_code == 204
    exact = verified(service, PROTECTED)
    assert exact["verdict"] == "exact"
    assert exact["protection"]["kept"] is False
    assert exact["own"] == {"id": None, "url": None}
    assert verified(service, COPIES["with its mark"])["verdict"] == "copy"
    alike = verified(service, COPIES["saved again"])
    assert (alike["verdict"], alike["match"]["noise_share"]) == ("looks_alike", None)
    assert verified(service, saved(photo("coffee"), mark=MARK))["verdict"] == "picture_differs"
    service.ledger.tenants.erase("default")
    assert verified(service, COPIES["with its mark"])["verdict"] == "unknown"


def test_nobody_but_the_owner_learns_whose_it_is(make_service: ServiceFactory) -> None:
    service = make_service(http_require_keys=True)
    keys = {}
    for tenant in ("alice", "bob"):
        minted = api_keys.generate(PEPPER)
        service.ledger.api_keys.add(minted, tenant, "test", TENANT_SCOPES, None)
        keys[tenant] = f"Bearer {minted.text}"
    image_id = protect(service, {"Authorization": keys["alice"]})
    mine = verified(service, PROTECTED, Authorization=keys["alice"])
    assert mine["own"]["id"] == image_id
    for headers in ({"Authorization": keys["bob"]}, {}):
        theirs = service.client.post("/v1/verify", content=PROTECTED, headers=headers)
        assert theirs.json() == mine | {"own": None}
        assert image_id not in theirs.text
        assert "alice" not in theirs.text
    wrong = service.client.post(
        "/v1/verify", content=PROTECTED, headers={"Authorization": "Bearer nonsense"}
    )
    assert_problem(wrong, "unauthenticated")


def test_strangers_are_limited_and_keys_are_not(make_service: ServiceFactory) -> None:
    service = make_service(http_require_keys=True, verify_per_minute=3)
    minted = api_keys.generate(PEPPER)
    service.ledger.api_keys.add(minted, "alice", "test", TENANT_SCOPES, None)
    codes = [service.client.get(f"/v1/verify/{MARK}").status_code for _ in range(5)]
    assert codes == [404, 404, 404, 429, 429]
    refused = service.client.post("/v1/verify", content=PROTECTED)
    assert_problem(refused, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    assert (
        verified(service, PROTECTED, Authorization=f"Bearer {minted.text}")["verdict"] == "unknown"
    )


def test_an_operator_may_require_keys(make_service: ServiceFactory) -> None:
    service = make_service(http_require_keys=True, verify_require_key=True)
    assert_problem(service.client.post("/v1/verify", content=PROTECTED), "unauthenticated")
