"""The page /verify in a real browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.api.http.service import Service, serving
from tests.api.http.test_verify import NOISY, ORIGINAL, PROTECTED, protect, saved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import FilePayload

expect.set_options(timeout=20_000)  # two cores may be busy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as made:
        protect(made)
        yield made


@pytest.fixture
def page(browser: Browser, service: Service, request: pytest.FixtureRequest) -> Iterator[Page]:
    locale = getattr(request, "param", "en-GB")
    with browser.new_context(viewport={"width": 1000, "height": 800}, locale=locale) as context:
        opened = context.new_page()
        broken: list[str] = []
        opened.on("pageerror", lambda error: broken.append(str(error)))
        opened.goto(service.url)
        opened.locator("footer a[href='/verify']").click()
        yield opened
        assert broken == []


def payload(data: bytes) -> FilePayload:
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": data}


def axe(page: Page) -> list[str]:
    return [found["id"] for found in Axe().run(page).response["violations"]]


def shoot(page: Page, name: str) -> None:
    folder = os.environ.get("PHOTOWARD_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"verify-{name}.png", full_page=True)


def test_a_copy_is_recognised_and_its_noise_told(page: Page) -> None:
    assert axe(page) == []
    page.get_by_label("Choose a photo").set_input_files(payload(saved(NOISY, 75)))
    expect(page.get_by_role("heading", level=2)).to_have_text("Copy of a protected file")
    expect(page.locator("#verdict")).to_be_focused()
    expect(page.locator("#facts")).to_contain_text("Noise left")
    expect(page.locator("#facts")).to_contain_text("anchor, standard")
    shoot(page, "copy")
    assert axe(page) == []


@pytest.mark.parametrize("page", ["de-DE"], indirect=True)
def test_other_files_are_told_in_german_too(page: Page) -> None:
    words = {
        "Geschützte Datei": PROTECTED,
        "Nicht geschützt": saved(ORIGINAL, 90),
        "Unbekannt": saved(ORIGINAL.transpose(Image.Transpose.ROTATE_180)),
        "The request body is empty": b"",
    }
    for title, data in words.items():
        page.get_by_label("Foto wählen").set_input_files(payload(data))
        expect(page.get_by_role("heading", level=2)).to_have_text(title)
        assert axe(page) == []
    shoot(page, "empty")


def test_a_photo_is_dropped(page: Page) -> None:
    page.evaluate(
        """(bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "a.jpg", { type: "image/jpeg" }));
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }""",
        list(PROTECTED),
    )
    expect(page.get_by_role("heading", level=2)).to_have_text("Protected file")
