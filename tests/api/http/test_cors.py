"""What pages of other sites may read, as browsers ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.settings import Settings
from tests.api.http.test_refusals import assert_problem

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.api.http.conftest import ServiceFactory
    from tests.api.http.service import Service

SITE, OTHER = "https://photos.example", "https://evil.example"


def preflight(service: Service, origin: str, path: str = "/v1/uploads") -> httpx.Response:
    wanted = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,tus-resumable,upload-offset",
    }
    return service.client.options(path, headers=wanted)


@pytest.mark.parametrize("keys", [False, True])
def test_an_allowed_site_may_send_and_read(keys: bool, make_service: ServiceFactory) -> None:  # noqa: FBT001
    service = make_service(http_cors_origins=(SITE,), http_require_keys=keys)
    asked = preflight(service, SITE)
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == SITE
    assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
    assert "upload-offset" in asked.headers["Access-Control-Allow-Headers"]
    fetched = {"Origin": SITE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    answer = service.client.get("/v1/limits", headers=fetched)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert "Upload-Offset" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_page_can_read_why_it_is_refused(make_service: ServiceFactory) -> None:
    service = make_service(http_cors_origins=(SITE,), http_require_keys=True)
    answer = service.client.post("/v1/images", content=b"x", headers={"Origin": SITE})
    assert_problem(answer, "unauthenticated")
    assert answer.headers["Access-Control-Allow-Origin"] == SITE


def test_another_site_may_not(make_service: ServiceFactory) -> None:
    service = make_service(http_cors_origins=(SITE,))
    for origin in (OTHER, f"{SITE}:444", "http://photos.example", f"{SITE}.evil.example"):
        assert "Access-Control-Allow-Origin" not in preflight(service, origin).headers
        answer = service.client.get("/v1/limits", headers={"Origin": origin})
        assert_problem(answer, "foreign_origin")
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_without_the_setting_no_site_may(make_service: ServiceFactory) -> None:
    service = make_service(http_require_keys=True)
    assert "Access-Control-Allow-Origin" not in preflight(service, SITE).headers
    answer = service.client.get("/v1/limits", headers={"Origin": SITE})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_all_sites_may_where_keys_are_required(make_service: ServiceFactory) -> None:
    service = make_service(http_cors_origins=("*",), http_require_keys=True)
    assert preflight(service, OTHER).headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "wrong",
    [{"http_cors_origins": "*"}, {"http_cors_origins": "photos.example"},
     {"http_cors_origins": f"{SITE}/"}, {"http_cors_origins": f"{SITE}/a,{SITE}"}],
)  # fmt: skip
def test_what_is_no_origin_is_no_setting(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="origin"):
        Settings(data_dir=tmp_path, **wrong)


def test_several_are_separated_by_commas(tmp_path: Path) -> None:
    text: Any = f"{SITE}, http://localhost:3000"
    found = Settings(data_dir=tmp_path, http_cors_origins=text).http_cors_origins
    assert found == (SITE, "http://localhost:3000")
