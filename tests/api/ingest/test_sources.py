"""What a manifest names leads nowhere inside, when it is checked and when it is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from photoward.api.ingest.sources import SOURCE_FIELDS, UrlSource, open_sources
from photoward.core.errors import BadInput, Unavailable
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from photoward.core.storage.inboxes import MAX_KEY, Inboxes
from tests.core.test_safe_http import DISGUISED, PRIVATE
from tests.support.sites import forbid_connections

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = [*DISGUISED, *(f"https://{f'[{one}]' if ':' in one else one}/x" for one in PRIVATE)]


@pytest.mark.parametrize("url", INSIDE)
def test_no_url_leads_inside(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_connections(monkeypatch, url)
    web = UrlSource(Settings(data_dir=tmp_path, fetch_allow_urls=True))
    with pytest.raises((BadInput, Unavailable)) as refused, web.opened("alice", url):
        pass
    assert refused.value.code in {"source_blocked", "source_unreachable"}


def test_every_kind_is_described(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    ledger = open_ledger(settings)
    assert open_sources(settings, ledger, open_store(settings)).keys() == SOURCE_FIELDS.keys()
    ledger.close()


def test_a_file_is_called_what_its_url_ends_with(tmp_path: Path) -> None:
    web = UrlSource(Settings(data_dir=tmp_path, fetch_allow_urls=True))
    assert web.name("alice", "https://a.example/b/c%20d.jpg?e=f#g") == "c d.jpg"
    assert not web.name("alice", "https://a.example")


@pytest.mark.parametrize(
    ("tenant", "key", "name"),
    [("alice", "inbox/a.jpg", "a.jpg"), ("alice", "inbox/b/../a.jpg", None),
     ("alice", "shared/alice/b/a.jpg", "b/a.jpg"), ("alice", "shared/bob/a.jpg", None),
     ("alice/b", "shared/alice/b/a.jpg", None), ("..", "shared/../a.jpg", None),
     ("alice", "s3://inbox/a.jpg", None), ("alice", "inbox//a.jpg", None), ("alice", "", None),
     ("alice", "inbox/" + "x" * MAX_KEY, None), ("alice", "inbox/a\n.jpg", None),
     ("alice", "in/box/a.jpg", None), ("{tenant}", "shared/{tenant}/a.jpg", None)],
)  # fmt: skip
def test_a_key_lies_in_an_opened_place_or_nowhere(
    tenant: str, key: str, name: str | None, tmp_path: Path
) -> None:
    places = ("s3://inbox", "s3://shared/{tenant}/")
    inboxes = Inboxes(Settings(data_dir=tmp_path, fetch_buckets=places))
    if name is not None:
        assert inboxes.name(tenant, key) == name
        return
    with pytest.raises(BadInput) as refused, inboxes.opened(tenant, key):
        pass
    assert refused.value.code == "source_blocked"
