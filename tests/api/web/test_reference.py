"""The API reference at /docs in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.api.http.service import serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.mark.parametrize("require_keys", [False, True])
def test_the_reference_shows_all_operations_and_asks_no_other_host(
    browser: Browser,
    tmp_path: Path,
    require_keys: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    with serving(tmp_path, http_require_keys=require_keys) as service:
        described = service.client.get("/openapi.json").json()["paths"]
        page = browser.new_page()
        requests: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(f"{service.url}/docs")
        operations = page.locator(".opblock")
        expect(operations).to_have_count(sum(map(len, described.values())))
        upload = page.locator("#operations-images-createImage")
        expect(upload).to_contain_text("/v1/images")
        upload.locator(".opblock-summary-control").click()
        expect(upload.get_by_text("multipart/form-data").first).to_be_visible()
        page.close()
    assert errors == []
    assert all(url.startswith((service.url, "data:")) for url in requests)


def test_only_the_services_own_scripts_and_styles_may_run(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        policy = service.client.get("/docs").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
