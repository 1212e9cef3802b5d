"""The operator's page in a real browser, against a real service and a real receiver of messages."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES, Scope
from tests.api.http.service import PEPPER, Service, picture, serving, work
from tests.api.web.test_page import SIZES, axe, shoot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

VIEWS = ("overview", "tenants", "batches", "webhooks", "keys", "audit")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, http_require_keys=True, webhook_allow_private=True) as made:
        fill(made)
        yield made


def new_key(service: Service, tenant: str, name: str, scopes: Collection[Scope]) -> str:
    minted = api_keys.generate(PEPPER)
    service.ledger.api_keys.add(minted, tenant, name, scopes, None)
    return minted.text


def fill(service: Service) -> None:
    """Photos of two tenants, one of which fails; a batch, a webhook, and what waits."""
    damaged = bytearray(picture())
    damaged[60:90] = bytes(30)
    service.ledger.tenants.set_quota("bob", 50)
    waiting = []
    for tenant in ("alice", "bob"):
        own = {"Authorization": f"Bearer {new_key(service, tenant, 'site', TENANT_SCOPES)}"}
        hook = {"url": "http://127.0.0.1:9/hook"}
        service.client.post("/v1/webhooks", json=hook, headers=own)
        batch = service.client.post("/v1/batches", json={"name": "holiday"}, headers=own).json()
        for photo in (picture(), picture(size=(400, 300)), bytes(damaged)):
            service.upload(photo, headers=own, params={"batch": batch["id"]})
        waiting.append((own, {"batch": batch["id"]}))
    while work(service):
        """A claim takes only some."""
    for own, query in waiting:
        service.upload(headers=own, params=query)
    service.ledger.workers.record_heartbeat("one")


@pytest.fixture(scope="module")
def texts(service: Service) -> dict[str, str]:
    return {
        "operator": new_key(service, "alice", "boss", frozenset(Scope)),
        "reader": new_key(service, "bob", "reader", {Scope.READ}),
        "writer": new_key(service, "bob", "writer", {Scope.WRITE}),
    }


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-GB")
    opened = context.new_page()
    requests, broken = list[str](), list[str]()
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("pageerror", lambda error: broken.append(str(error)))
    opened.on("console", lambda line: broken.append(line.text) if "Security" in line.text else None)
    yield opened
    context.close()
    assert broken == []
    assert all(url.startswith(service.url) for url in requests)


def enter(page: Page, service: Service, text: str, view: str = "") -> None:
    page.goto(f"{service.url}/operate#/{view}")
    page.get_by_label("API key").fill(text)
    page.get_by_role("button", name="Use this key").click()


def secret(page: Page) -> str:
    """What is shown only once."""
    expect(page.locator("#secret-text")).to_be_visible()
    return page.locator("#secret-text").input_value()


def row(page: Page, text: str) -> str:
    return page.get_by_role("row", name=re.compile(text)).first.inner_text()


def test_the_overview_says_what_waits_and_what_failed(
    page: Page, service: Service, texts: dict[str, str]
) -> None:
    page.goto(f"{service.url}/operate")
    expect(page.locator("#key")).to_be_visible()
    expect(page.locator("#view")).to_be_hidden()
    enter(page, service, "pw_nonsense")
    expect(page.get_by_text("This key is not valid here.")).to_be_visible()
    enter(page, service, texts["operator"])
    expect(page.locator("#who")).to_have_text("Tenant alice, key boss")
    expect(page.locator("#views a")).to_have_count(len(VIEWS))
    facts = page.locator("#content dl")
    expect(facts).to_contain_text("Photos of batches waiting\n2 (0.0 MP)", use_inner_text=True)
    expect(facts).to_contain_text("Longest wait", use_inner_text=True)
    expect(page.locator(".badges")).to_contain_text("Ledger: up")
    expect(page.get_by_role("img")).to_have_accessible_name(
        "4 succeeded, 2 failed, 2 others, by the hour in which they were submitted"
    )
    assert row(page, "corrupt").split("\t")[:3] == ["corrupt", "The photo cannot be decoded", "2"]
    page.get_by_text("As a table").click()
    assert axe(page) == []
    policies = {
        service.client.get(path).headers["Content-Security-Policy"] for path in ("/", "/operate")
    }
    assert len(policies) == 1


def test_tenants_and_the_log_of_all_are_the_operators(
    page: Page, service: Service, texts: dict[str, str]
) -> None:
    enter(page, service, texts["operator"], "tenants")
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible()
    assert "0.4 of 50" in re.sub(r"0\.\d", "0.4", row(page, "bob"))
    assert "no limit" in row(page, "alice")
    page.get_by_role("link", name="Audit log").click()
    expect(page.locator("#view-title")).to_be_focused()
    expect(page.get_by_role("row", name=re.compile("key.create")).first).to_be_visible()
    assert "bob" in row(page, "webhook.create")
    assert axe(page) == []


def test_keys_are_made_shown_once_rotated_and_revoked(
    page: Page, service: Service, texts: dict[str, str]
) -> None:
    enter(page, service, texts["operator"], "keys")
    page.get_by_label("Where it will be used").fill("plug-in")
    page.get_by_label("Days until it expires").fill("30")
    page.get_by_role("button", name="Create").click()
    made = secret(page)
    assert api_keys.parse_id(made)
    assert axe(page) == []
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#content")).to_contain_text("plug-in")
    assert made not in page.content()
    assert service.client.get("/v1/usage", headers={"X-API-Key": made}).status_code == 200
    page.get_by_role("button", name="Rotate plug-in").click()
    page.locator("#sure-yes").click()
    second = secret(page)
    assert second not in {"", made}
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("button", name="Revoke plug-in")).to_have_count(2)
    page.get_by_role("button", name="Revoke plug-in").first.click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Revoke plug-in").first.click()
    page.locator("#sure-yes").click()
    expect(page.get_by_role("button", name="Revoke plug-in")).to_have_count(1)
    assert service.client.get("/v1/usage", headers={"X-API-Key": second}).status_code == 401


def test_the_page_goes_on_with_the_new_key_when_its_own_is_rotated(
    page: Page, service: Service
) -> None:
    old = new_key(service, "carol", "mine", TENANT_SCOPES)
    enter(page, service, old, "keys")
    page.get_by_role("button", name="Rotate mine").click()
    page.locator("#sure-yes").click()
    new = secret(page)
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#key")).to_have_value(new)
    service.ledger.api_keys.revoke("carol", api_keys.parse_id(old) or "", timedelta(0))
    page.locator("#refresh").click()
    expect(page.locator("#content")).to_contain_text("expired")


def test_a_webhooks_deliveries_are_seen_and_sent_again(
    page: Page, service: Service, texts: dict[str, str]
) -> None:
    enter(page, service, texts["operator"], "webhooks")
    url = "http://127.0.0.1:9/hook"
    page.get_by_role("button", name=f"Send a test message to {url}").click()
    expect(page.get_by_role("heading", name=f"Deliveries to {url}")).to_be_visible()
    newest = page.get_by_role("group", name="Deliveries").locator("tbody tr").first
    expect(newest).to_contain_text("webhook.test")
    expect(newest).to_contain_text("pending")
    (hook,) = service.ledger.webhooks.list_all("alice")
    sent = service.ledger.webhooks.claim_deliveries(hook.id, 100, timedelta(minutes=5))[-1]
    service.ledger.webhooks.record_attempt(sent, 500, None, None)
    page.locator("#refresh").click()
    expect(newest).to_contain_text("failed")
    newest.get_by_role("button").click()
    expect(newest).to_contain_text("pending")
    assert axe(page) == []
    page.get_by_label("URL that receives messages").fill("http://127.0.0.1:9/second")
    page.get_by_role("button", name="Create").click()
    assert secret(page).startswith("whsec_")
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Delete http://127.0.0.1:9/second").click()
    page.locator("#sure-yes").click()
    expect(page.get_by_role("cell", name="http://127.0.0.1:9/second")).to_have_count(0)


def test_a_batch_is_closed_retried_and_cancelled(
    page: Page, service: Service, texts: dict[str, str]
) -> None:
    enter(page, service, texts["operator"], "batches")
    line = page.get_by_role("row", name=re.compile("holiday"))
    expect(line).to_contain_text("3 / 4")
    page.get_by_role("button", name="Close holiday").click()
    expect(line).to_contain_text("closed")
    assert axe(page) == []
    page.get_by_role("button", name="Cancel holiday").click()
    page.locator("#sure-yes").click()
    expect(line).to_contain_text("completed")


def test_a_key_shows_no_more_than_it_allows(
    page: Page, service: Service, texts: dict[str, str]
) -> None:
    enter(page, service, texts["reader"], "keys")
    expect(page.locator("#views a")).to_have_text(["Batches"])
    expect(page.locator("#content")).to_contain_text("holiday")
    expect(page.locator("#content button")).to_have_count(0)
    (foreign,) = service.ledger.batches.list_newest("alice", before=None, limit=1)
    assert foreign.id not in page.content()
    enter(page, service, texts["writer"])
    expect(page.get_by_role("alert")).to_contain_text("It needs one of the scopes")


def test_without_required_keys_the_page_is_there_at_once_and_ends_with_the_service(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        serving(tmp_path_factory.mktemp("open")) as service,
        browser.new_context(locale="de-DE") as context,
    ):
        page = context.new_page()
        page.goto(f"{service.url}/operate")
        expect(page.locator("#view-title")).to_have_text("Überblick")
        expect(page.locator("#content")).to_contain_text("Worker: ausgefallen")
        context.set_offline(True)
        page.locator("#refresh").click()
        expect(page.get_by_role("alert")).to_contain_text("Der Dienst antwortet nicht")


@pytest.mark.parametrize(
    ("size", "scheme"), [(SIZES[0], "light"), (SIZES[0], "dark"), (SIZES[1], "light")]
)
def test_it_fits_every_screen_in_light_and_dark(
    browser: Browser, service: Service, texts: dict[str, str], size: tuple[int, int], scheme: str
) -> None:
    with browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
    ) as context:
        page = context.new_page()
        enter(page, service, texts["operator"])
        for view in VIEWS:
            page.goto(f"{service.url}/operate#/{view}")
            expect(page.locator("#content table").first).to_be_attached()
            page.evaluate("document.activeElement.blur()")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size[0], view
            shoot(page, f"operate-{view}-{size[0]}-{scheme}")
            assert axe(page) == [], view


def test_each_text_is_there_in_every_language(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/operate")
    words = page.evaluate(
        """async () => {
            const source = await (await fetch("/static/operate-texts.js")).text();
            const blocks = [...source.matchAll(/^const ([A-Z]{2}) = \\{([\\s\\S]*?)^\\};/gm)];
            return blocks.map(([, name, body]) =>
                [...body.matchAll(/(?:^|[ ,])(\\w+): "/gm)].map(([, key]) => key));
        }"""
    )
    assert len(words) == 2
    assert len(words[0]) > 80
    assert words[0] == words[1]
