"""Another site's page, in a real browser, against a service that asks for no key."""

from __future__ import annotations

import http.server
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.http.service import Service, serving
from tests.support import sites

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

POSTS = """async (service) => {
    const canvas = document.createElement('canvas');
    canvas.getContext('2d').fillRect(0, 0, 40, 40);
    const photo = await new Promise(done => canvas.toBlob(done, 'image/png'));
    const told = [];
    const ask = async (path, init) => {
        try { const answer = await fetch(service + path, init); told.push(answer.type); }
        catch (error) { told.push('refused'); }
    };
    const form = new FormData();
    form.append('file', photo, 'x.png');
    await ask('/v1/images', {method: 'POST', body: form, mode: 'no-cors'});
    await ask('/v1/images', {method: 'POST', body: photo, mode: 'no-cors'});
    await ask('/v1/batches', {method: 'POST', body: '{}', mode: 'no-cors'});
    const json = {'Content-Type': 'application/json'};
    await ask('/v1/keys', {method: 'POST', body: '{"name": "x"}', headers: json});
    await ask('/v1/audit');
    return told;
}"""
"""The browser shows none of the answers, but the first three are asked without a preflight."""

SUBMITS = """(service) => {
    const form = document.createElement('form');
    form.action = service + '/v1/images';
    form.method = 'POST';
    form.enctype = 'multipart/form-data';
    const field = document.createElement('input');
    field.name = 'label';
    form.append(field);
    document.body.append(form);
    form.submit();
}"""

ASKS = """async () => {
    const json = {'Content-Type': 'application/json'};
    const key = {method: 'POST', headers: json, body: '{"name": "x", "scopes": ["admin"]}'};
    const hook = {method: 'POST', headers: json, body: '{"url": "https://evil.example/h"}'};
    const told = {};
    for (const [path, init] of [['/v1/keys', key], ['/v1/webhooks', hook], ['/v1/audit', {}],
                                ['/v1/usage', {}], ['/metrics', {}]])
        told[path] = (await fetch(path, init)).status;
    return told;
}"""


class Evil(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = b"<!doctype html><title>evil</title><a href='/'>evil</a>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page)


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as made:
        yield made


@pytest.fixture
def evil(browser: Browser) -> Iterator[Page]:
    """A page of another site that runs on this machine, too."""
    with sites.serving(Evil) as url:
        page = browser.new_page()
        page.goto(url.replace("127.0.0.1", "evil.example"))
        yield page
        page.close()


def left(service: Service) -> dict[str, Any]:
    """What somebody has made there."""
    return {
        "photos": service.ledger.items.count_by_state(),
        "objects": service.kept(),
        "keys": service.ledger.api_keys.list_all("default"),
        "webhooks": service.ledger.webhooks.list_all("default"),
    }


NOTHING: dict[str, Any] = {"photos": {}, "objects": [], "keys": [], "webhooks": []}


def test_another_sites_page_hands_nothing_in(evil: Page, service: Service) -> None:
    assert len(evil.evaluate(POSTS, service.url)) == 5
    assert left(service) == NOTHING


def test_another_sites_form_is_refused(evil: Page, service: Service) -> None:
    with evil.expect_response(f"{service.url}/v1/images") as answer:
        evil.evaluate(SUBMITS, service.url)
    assert answer.value.status == 403
    assert left(service) == NOTHING


def test_a_rebound_name_opens_nothing(browser: Browser, service: Service) -> None:
    """Its page comes from the other site; what the page asks then, from here."""
    page = browser.new_page()
    there = service.url.replace("127.0.0.1", "rebound.example")
    page.route(f"{there}/evil", lambda route: route.fulfill(body="<title>evil</title>"))
    page.goto(f"{there}/evil")
    assert set(page.evaluate(ASKS).values()) == {421}
    page.close()
    assert left(service) == NOTHING


def test_a_link_on_another_sites_page_leads_to_the_services_own(
    evil: Page, service: Service
) -> None:
    evil.evaluate("service => { document.querySelector('a').href = service; }", service.url)
    evil.get_by_role("link").click()
    evil.wait_for_url(f"{service.url}/")
    assert evil.evaluate("async () => (await fetch('/v1/usage')).status") == 200
