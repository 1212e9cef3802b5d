"""The page in a real browser, against a real service and a worker."""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pillow_heif
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, expect

from photoward.core import api_keys
from photoward.core.api_keys import DEFAULT_SCOPES
from tests.api.http.service import PEPPER, Service, picture, serving, work, working

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import FilePayload

EPSILON = 4  # of the preset subtle
expect.set_options(timeout=20_000)  # two cores may be busy
SIZES = [(1366, 768), (390, 844), (1920, 1080)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as made:
        yield made


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-GB")
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, service: Service) -> Iterator[Page]:
    opened = context.new_page()
    requests: list[str] = []
    broken: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("pageerror", lambda error: broken.append(str(error)))
    opened.on("console", lambda line: broken.append(line.text) if "Security" in line.text else None)
    opened.goto(service.url)
    yield opened
    clear(service)
    assert broken == []
    assert all(url.startswith((service.url, f"blob:{service.url}")) for url in requests)


def clear(service: Service) -> None:
    """Without photos of the test before."""
    for image in service.client.get("/v1/images").json()["items"]:
        service.client.delete(f"/v1/images/{image['id']}")


def payload(name: str = "cat.png", data: bytes | None = None) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": picture() if data is None else data}


def choose(page: Page, *files: FilePayload) -> None:
    page.locator("#file").set_input_files(list(files))


def protect(page: Page, *files: FilePayload) -> None:
    choose(page, *files)
    page.locator("#go").click()


def cards(page: Page, state: str = "") -> Sequence[str]:
    return page.locator(".group .cards li", has_text=state).all_inner_texts()


def axe(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'] for node in one['nodes']][:2]}" for one in found]


def test_thirty_photos_take_three_actions(page: Page, service: Service) -> None:
    good = [payload(f"p{n:02}.png", picture(size=(40 + n, 30))) for n in range(25)]
    bad = [
        payload("notes.txt", b"hello"),
        payload("empty.jpg", b""),
        payload("film.mp4", b"\0\0\0\x18ftypmp42" + bytes(20)),
        payload("layers.psd", b"8BPS" + bytes(50)),
        payload("cut.png", picture()[:-60]),
    ]
    with working(service):
        choose(page, *good, *bad)  # 1
        expect(page.locator("#go")).to_have_text("Protect 26 photos")
        shoot(page, "chosen")
        assert axe(page) == []
        page.locator("#go").click()  # 2
        expect(page.locator(".group .frame[href]")).to_have_count(25)
        expect(page.locator(".group .head")).to_contain_text("25 ready · 5 failed")
    rows = [card.split("\n") for card in cards(page) if "Download" not in card]
    assert {name: reason for name, reason, *_ in rows} == {
        "notes.txt": "It is not a photo.",
        "empty.jpg": "The file is empty.",
        "film.mp4": "Videos cannot be protected.",
        "layers.psd": "It is not a photo.",
        "cut.png": "The photo cannot be decoded",
    }
    shoot(page, "thirty")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download all as zip").click()  # 3
    with zipfile.ZipFile(caught.value.path()) as archive:
        assert set(archive.namelist()) == {one["name"] for one in good} | {"results.ndjson"}
    assert axe(page) == []


def test_a_photo_alone_is_shown_when_it_is_ready(page: Page, service: Service) -> None:
    with working(service):
        choose(page, payload(data=picture(size=(400, 300))))
        page.get_by_label("Subtle").check()
        page.get_by_label("What do they show?").fill("my cat")
        with page.expect_response("**/v1/images") as accepted:
            page.get_by_role("button", name="Protect the photo").click()
        expect(page.get_by_role("heading", name="This photo is protected")).to_be_focused()
    figures = page.locator("#figures").inner_text()
    for shown in ("38.2 dB", "0.987", "just, if looked for (1.3)", "400 × 300", "my cat"):
        assert shown in figures
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download").click()
    assert caught.value.suggested_filename == "cat-protected.png"
    Image.open(caught.value.path()).verify()
    shoot(page, "one")
    assert axe(page) == []
    image_id = accepted.value.json()["id"]
    assert page.url.endswith(f"#/photo/{image_id}")
    assert service.client.get(f"/v1/images/{image_id}").json()["options"]["preset"] == "subtle"

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#go")).to_be_visible()
    assert service.kept() == []


def test_it_goes_on_after_a_reload_and_in_another_tab(
    context: BrowserContext, page: Page, service: Service
) -> None:
    page.route("**/v1/images", lambda route: route.abort())  # the service is away
    protect(page, *(payload(f"p{n}.png", picture(size=(40 + n, 30))) for n in range(5)))
    expect(page.locator(".group .cards li")).to_have_count(5)
    page.unroute_all()
    page.reload()
    with working(service):
        expect(page.locator(".group .frame[href]")).to_have_count(5, timeout=20_000)
    other = context.new_page()
    other.goto(service.url)
    expect(other.locator(".group .frame[href]")).to_have_count(5)
    other.locator(".group .frame[href]").first.click()
    expect(other.locator("#before")).to_be_visible()  # the original is in this browser
    other.get_by_role("link", name="Back").click()
    other.get_by_role("button", name="Delete p0.png").click()
    expect(other.locator(".group .frame[href]")).to_have_count(4)
    page.reload()
    expect(page.locator(".group .frame[href]")).to_have_count(4)
    assert len(service.client.get("/v1/images").json()["items"]) == 4


def test_a_photo_is_sent_once_however_often_the_answer_is_lost(
    page: Page, service: Service
) -> None:
    lost = iter([True, True])

    def lose(route: Route) -> None:
        if route.request.method == "POST" and next(lost, False):
            route.fetch()
            route.abort()
        else:
            route.fallback()

    page.route("**/v1/images", lose)
    with working(service):
        protect(page, payload())
        expect(page.locator("#one")).to_be_visible(timeout=20_000)
    page.unroute_all()
    assert len(service.client.get("/v1/images").json()["items"]) == 1


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_difference_lines_up_whatever_the_orientation(
    page: Page, service: Service, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    with working(service):
        page.get_by_label("Subtle").check()
        protect(page, payload(data=picture(size=(64, 48), exif=exif)))
        expect(page.locator("#one")).to_be_visible()
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


def test_the_comparison_is_enlarged_and_moved(page: Page, service: Service) -> None:
    with working(service):
        protect(page, payload(data=picture(size=(3000, 2000))))
        expect(page.locator("#views")).to_be_visible()
    percent = page.locator("#percent")
    box = page.locator("#stand").bounding_box()
    assert box is not None
    expect(percent).to_have_text(re.compile(r"^[1-4]\d %$"))
    page.mouse.dblclick(box["x"] + 300, box["y"] + 200)
    expect(percent).to_have_text("100 %")
    moved = page.locator("#after").evaluate("e => e.style.transform")
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.up()
    assert page.locator("#after").evaluate("e => e.style.transform") != moved
    page.mouse.wheel(0, -100)
    expect(percent).to_have_text("125 %")
    for _ in range(12):
        page.mouse.wheel(0, -100)
    expect(percent).to_have_text("400 %")
    page.get_by_text("Side by side").click()
    shoot(page, "side")
    both = [page.locator(one).bounding_box() for one in ("#before", "#after")]
    assert both[0] != both[1]
    assert axe(page) == []


def test_an_original_that_the_browser_cannot_show_is_protected_all_the_same(
    page: Page, service: Service
) -> None:
    page.route("**/preview", lambda route: route.fulfill(status=404, json={"code": "no_preview"}))
    with working(service):
        tiff = io.BytesIO()
        Image.new("RGB", (64, 48), (9, 99, 200)).save(tiff, "TIFF")
        protect(page, payload("cat.tif", tiff.getvalue()))
        expect(page.locator("#one")).to_be_visible()
    expect(page.locator("#remark")).to_contain_text("cannot show the original")
    expect(page.locator("#views")).to_be_hidden()
    expect(page.locator("#after")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    page.locator(".group .frame").scroll_into_view_if_needed()
    expect(page.locator(".group .frame img")).to_be_visible()  # the protected file


def test_heic_and_tiff_have_a_preview_before_and_beside_the_protected_photo(
    page: Page, service: Service
) -> None:
    pillow_heif.register_heif_opener()  # for the worker of these tests
    photo = Image.open(io.BytesIO(picture(size=(900, 600))))
    heic, tiff = io.BytesIO(), io.BytesIO()
    photo.save(heic, "HEIF", quality=90)
    photo.save(tiff, "TIFF")
    protect(page, payload("cat.heic", heic.getvalue()), payload("dog.tif", tiff.getvalue()))
    shown = page.locator(".group .frame img")
    expect(shown).to_have_count(2)
    for image in shown.all():
        expect(image).to_have_js_property("naturalWidth", 512)
    shoot(page, "previews")
    page.reload()
    expect(shown).to_have_count(2)
    with working(service):
        expect(page.locator(".group .frame[href]")).to_have_count(2)
    page.get_by_role("link", name="cat.heic").click()
    expect(page.locator("#remark")).to_contain_text("a preview of 512 pixels")
    expect(page.locator("#views")).to_be_visible()
    expect(page.locator("label", has_text="Difference")).to_be_hidden()
    expect(page.locator("#before")).to_have_js_property("naturalWidth", 512)
    shoot(page, "preview-beside")
    assert axe(page) == []


@pytest.mark.parametrize("broken", ["IDBObjectStore.prototype.put", "indexedDB.open"])
def test_where_the_browser_keeps_nothing_photos_are_protected_all_the_same(
    page: Page, service: Service, broken: str
) -> None:
    page.add_init_script(f"{broken} = () => {{ throw new DOMException('full'); }}")
    page.reload()
    with working(service):
        protect(page, payload("one.png"), payload("other.png"))
        expect(page.locator(".group")).to_contain_text("2 ready")


def test_a_key_is_asked_for_at_once_and_remembered(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, http_require_keys=True) as service, working(service):
        minted = api_keys.generate(PEPPER)
        service.ledger.api_keys.add(minted, "alice", "page", DEFAULT_SCOPES, None)
        page = browser.new_page()
        page.goto(service.url)
        page.get_by_label("API key").fill("pw_wrong")
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_text("This key is not valid here")).to_be_visible()
        shoot(page, "key")
        assert axe(page) == []
        page.get_by_label("API key").fill(minted.text)
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_text("This key is not valid here")).to_be_hidden()
        protect(page, payload("a.png"), payload("b.png", picture(size=(50, 40))))
        expect(page.locator(".group .frame[href]")).to_have_count(2)
        with page.expect_download() as caught:
            page.get_by_role("button", name="Download all as zip").click()
        names = set(zipfile.ZipFile(caught.value.path()).namelist())
        assert names == {"a.png", "b.png", "results.ndjson"}
        page.reload()
        expect(page.get_by_label("API key")).to_have_value(minted.text)
        expect(page.locator(".group .frame[href]")).to_have_count(2)
        page.close()


def test_a_failed_photo_can_be_retried_and_one_that_waits_cancelled(
    page: Page, service: Service
) -> None:
    while work(service):
        pass
    before = service.kept()
    protect(page, payload())
    expect(page.locator(".group .state")).to_have_text("In the queue")
    page.get_by_role("button", name="Cancel cat.png").click()
    expect(page.locator(".group")).to_have_count(0)
    assert service.kept() == before
    assert work(service) == 0
    fault = {"title": "Internal error", "status": 500, "code": "internal_error"}
    page.route("**/v1/images", lambda route: route.fulfill(status=500, json=fault), times=1)
    protect(page, payload())
    expect(page.locator(".group .state")).to_have_text("Internal error")
    page.get_by_role("button", name="Retry cat.png").click()
    expect(page.locator(".group .state")).to_have_text("In the queue")


def test_photos_and_folders_can_be_dropped_and_pasted(page: Page, tmp_path: Path) -> None:
    for kind, holder in [("drop", "DragEvent"), ("paste", "ClipboardEvent")]:
        page.evaluate(
            """([kind, holder]) => {
                const data = new DataTransfer();
                data.items.add(new File(["GIF89a"], `${kind}.gif`, { type: "image/gif" }));
                const name = kind === "drop" ? "dataTransfer" : "clipboardData";
                document.body.dispatchEvent(
                    new window[holder](kind, { [name]: data, bubbles: true, cancelable: true }));
            }""",
            [kind, holder],
        )
        expect(page.locator("#chosen .name", has_text=f"{kind}.gif")).to_be_visible()
    inner = tmp_path / "album" / "inner"
    inner.mkdir(parents=True)
    (inner / "deep.png").write_bytes(picture())
    (inner / ".hidden.png").write_bytes(picture())
    page.locator("#folder").set_input_files(tmp_path / "album")
    expect(page.locator("#chosen .name")).to_have_text(["drop.gif", "paste.gif", "deep.png"])
    page.get_by_role("button", name="Remove drop.gif").click()
    expect(page.locator("#chosen .name")).to_have_count(2)


def test_each_photo_may_have_its_own_label_and_options_are_sent(
    page: Page, service: Service
) -> None:
    choose(page, payload("a.png"), payload("b.png", picture(size=(50, 40))))
    page.get_by_label("Label of a.png").fill("my dog")
    page.get_by_label("What do they show?").fill("my cat")
    page.get_by_text("More options").click()
    page.get_by_label("File format").select_option("webp")
    page.get_by_label("Longer sides").fill("32")
    page.get_by_label("Date").check()
    assert axe(page) == []
    page.locator("#go").click()
    expect(page.locator(".group .state")).to_have_text(["In the queue"] * 2)
    images = service.client.get("/v1/images").json()["items"]
    labels = {one["source"]["filename"]: one["options"]["label"] for one in images}
    assert labels == {"a.png": "my dog", "b.png": "my cat"}
    for one in (image["options"] for image in images):
        (rendition,) = one["renditions"]
        shown = one["output_format"], rendition["width"], one["keep_exif"]
        assert shown == ("webp", 32, "date")


def test_the_slider_follows_the_keyboard(page: Page, service: Service) -> None:
    with working(service):
        protect(page, payload(data=picture(size=(300, 200))))
        expect(page.locator("#views")).to_be_visible()
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    shown = page.locator("#before").locator("..")
    expect(shown).to_have_css("clip-path", re.compile("100%"))
    page.keyboard.press("End")
    expect(shown).not_to_have_css("clip-path", re.compile("100%"))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(
    browser: Browser, service: Service, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    viewport = ViewportSize(width=size[0], height=size[1])
    with browser.new_context(viewport=viewport, color_scheme=scheme, locale="de-DE") as context:
        page = context.new_page()
        page.goto(service.url)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        expect(page.locator("#go")).to_have_text("Schützen")
        choose(page, payload())
        expect(page.locator("#go")).to_have_text("Das Foto schützen")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if size[0] > 1000:
            box = page.locator("#go").bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= size[1]
        shoot(page, f"{size[0]}-{scheme}")
        assert axe(page) == []


def test_each_text_is_there_in_every_language(page: Page) -> None:
    words = page.evaluate(
        """async () => {
            const source = await (await fetch("/static/texts.js")).text();
            const blocks = [...source.matchAll(/^const ([A-Z]{2}) = \\{([\\s\\S]*?)^\\};/gm)];
            return blocks.map(([, name, body]) =>
                [name, [...body.matchAll(/(?:^|[ ,])(\\w+): "/gm)].map(([, key]) => key)]);
        }"""
    )
    assert len(words) == 2
    assert len(words[0][1]) > 100
    assert words[0][1] == words[1][1]


def test_the_page_promises_no_more_than_it_holds(page: Page) -> None:
    text = page.locator(".limits").inner_text()
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


def test_an_address_that_leads_nowhere_says_so_to_people(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/nowhere")
    expect(page.get_by_role("heading")).to_have_text("There is no such page")
    assert axe(page) == []
    for path, accept in [("/nowhere", "*/*"), ("/v1/nowhere", "text/html")]:
        answer = service.client.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert service.client.get("/favicon.ico").headers["Content-Type"] == "image/svg+xml"


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the page where somebody asked for it."""
    folder = os.environ.get("PHOTOWARD_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize(("days", "text"), [(7, "7 days"), (0.5, "12 hours"), (None, None)])
def test_the_page_says_how_long_photos_are_kept(
    days: float | None, text: str | None, browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path, retention_image_days=days) as kept:
        opened = browser.new_page()
        with opened.expect_response("**/v1/limits"):
            opened.goto(kept.url)
        if text is None:
            expect(opened.locator("#retention")).to_be_hidden()
        else:
            sentence = f"Photos and results are deleted from the service after {text}."
            expect(opened.locator("#retention")).to_have_text(sentence)
        opened.close()
