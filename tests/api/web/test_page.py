"""The page in a real browser, against a real service and a worker."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES
from tests.api.http.service import PEPPER, Service, picture, serving, work, working

if TYPE_CHECKING:
    from collections.abc import Iterator

EPSILON = 4  # of the preset subtle


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as made:
        yield made


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 900, "height": 1000})
    requests: list[str] = []
    broken: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("pageerror", lambda error: broken.append(str(error)))
    opened.on("console", lambda line: broken.append(line.text) if "Security" in line.text else None)
    opened.goto(service.url)
    yield opened
    opened.close()
    assert broken == []
    assert all(url.startswith((service.url, f"blob:{service.url}")) for url in requests)


def choose(page: Page, data: bytes, name: str = "cat.png", kind: str = "image/png") -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": kind, "buffer": data})


def protect(page: Page, data: bytes, **more: str) -> None:
    choose(page, data, **more)
    page.get_by_role("button", name="Protect").click()


def test_a_photo_goes_in_and_comes_out_protected(page: Page, service: Service) -> None:
    with working(service):
        choose(page, picture(size=(400, 300)))
        page.get_by_label("Subtle").check()
        page.get_by_label("What does it show?").fill("my cat")
        shoot(page, "ask")
        with page.expect_response("**/v1/images") as accepted:
            page.get_by_role("button", name="Protect").click()
        expect(page.get_by_role("heading", name="Your photo is protected")).to_be_focused()
    figures = page.locator("#figures").inner_text()
    assert "38.2 dB" in figures
    assert "0.987" in figures
    assert "just, if looked for (1.3)" in figures
    assert "400 × 300" in figures
    assert "my cat" in figures
    with page.expect_download() as caught:
        page.get_by_role("link", name="Download").click()
    assert caught.value.suggested_filename == "cat-protected.png"
    Image.open(caught.value.path()).verify()
    shoot(page, "done")
    place = f"/v1/images/{accepted.value.json()['id']}"
    chosen = service.client.get(place).json()["options"]
    assert (chosen["preset"], chosen["shaping"]) == ("subtle", "perceptual")

    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Protect")).to_be_visible()
    assert service.kept() == []


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_difference_lines_up_whatever_the_orientation(
    page: Page, service: Service, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    with working(service):
        page.get_by_label("Subtle").check()
        photo = picture(size=(64, 48), exif=exif)
        protect(page, photo)
        expect(page.locator("#result")).to_be_visible()
    page.get_by_text("Difference ×10").click()
    canvas = page.locator("#difference")
    expect(canvas).to_be_visible()
    width, height = (64, 48) if orientation == 1 else (48, 64)
    assert canvas.evaluate("c => [c.width, c.height]") == [width, height]
    samples = canvas.evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    change = np.array(samples).reshape(height, width, 4)[..., :3] - 128
    assert np.abs(change).max() == 10 * EPSILON
    assert np.mean(np.abs(change) == 10 * EPSILON) > 0.9
    shoot(page, "difference")


def test_an_original_that_the_browser_cannot_show_is_protected_all_the_same(
    page: Page, service: Service
) -> None:
    with working(service):
        tiff = io.BytesIO()
        Image.new("RGB", (64, 48), (9, 99, 200)).save(tiff, "TIFF")
        protect(page, tiff.getvalue(), name="cat.tif", kind="image/tiff")
        expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#scaled")).to_contain_text("cannot show the original")
    expect(page.locator("#views")).to_be_hidden()
    expect(page.locator("#after")).to_be_visible()
    shoot(page, "not-shown")


def test_a_refusal_is_told_with_its_remedy(page: Page) -> None:
    protect(page, b"8BPS" + bytes(50))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This image format is not supported")
    expect(alert).to_contain_text("Convert the photo to JPEG")
    shoot(page, "refused")
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("button", name="Protect")).to_be_visible()


def test_where_a_key_is_needed_it_is_asked_for_and_remembered(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path, http_require_keys=True) as service, working(service):
        minted = api_keys.generate(PEPPER)
        service.ledger.api_keys.add(minted, "alice", "page", DEFAULT_SCOPES, None)
        page = browser.new_page()
        page.goto(service.url)
        expect(page.get_by_label("API key")).to_be_hidden()
        protect(page, picture())
        expect(page.get_by_text("An API key is required")).to_be_visible()
        page.get_by_role("button", name="Back").click()
        page.get_by_label("API key").fill(minted.text)
        shoot(page, "key")
        protect(page, picture())
        expect(page.locator("#result")).to_be_visible()
        with page.expect_download() as caught:
            page.get_by_role("link", name="Download").click()
        assert caught.value.suggested_filename == "cat-protected.png"
        page.reload()
        expect(page.get_by_label("API key")).to_have_value(minted.text)
        page.close()


def test_a_failure_after_acceptance_is_told_too(page: Page, service: Service) -> None:
    with working(service):
        protect(page, picture()[:-60])
        expect(page.get_by_role("alert")).to_contain_text("cannot be decoded")


def test_waiting_can_be_cancelled(page: Page, service: Service) -> None:
    while work(service):
        pass
    before = service.kept()
    protect(page, picture())
    expect(page.get_by_role("status")).to_have_text("Waiting for a worker")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Protect")).to_be_visible()
    assert service.kept() == before
    assert work(service) == 0


def test_a_photo_can_be_dropped_or_pasted(page: Page) -> None:
    for kind, holder in [("drop", "DragEvent"), ("paste", "ClipboardEvent")]:
        page.evaluate(
            """([kind, holder]) => {
                const data = new DataTransfer();
                data.items.add(new File(["x"], `${kind}.png`, { type: "image/png" }));
                const name = kind === "drop" ? "dataTransfer" : "clipboardData";
                document.body.dispatchEvent(
                    new window[holder](kind, { [name]: data, bubbles: true, cancelable: true }));
            }""",
            [kind, holder],
        )
        expect(page.locator("#invitation")).to_have_text(f"{kind}.png")


def test_the_slider_follows_the_keyboard(page: Page, service: Service) -> None:
    with working(service):
        protect(page, picture(size=(300, 200)))
        expect(page.locator("#result")).to_be_visible()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    clip = "e => getComputedStyle(e).clipPath"
    assert "100%" in page.locator("#before").evaluate(clip)
    page.keyboard.press("End")
    assert "100%" not in page.locator("#before").evaluate(clip)


def test_everything_can_be_reached_and_named(page: Page) -> None:
    choose(page, picture())
    names = page.locator("input, button, a, summary").evaluate_all(
        """all => all.filter(e => e.checkVisibility()).map(e =>
            e.labels?.length || e.textContent.trim() || e.ariaLabel)"""
    )
    assert names
    assert all(names)
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert {"preset", "label", "go"} <= set(reached)


def test_the_page_promises_no_more_than_it_holds(page: Page) -> None:
    text = page.locator("details").inner_text()
    for limit in ("pretrained", "Adversarial training", "JPEG", "diffusion", "Unprotected copies"):
        assert limit in text


def test_a_strict_policy_guards_the_page(service: Service) -> None:
    answer = service.client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Content-Type"].startswith("text/html")
    script = service.client.get("/static/app.js")
    assert script.headers["Content-Type"].startswith("text/javascript")


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the page where somebody asked for it."""
    folder = os.environ.get("PHOTOWARD_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
