"""A tenant is forgotten: a minute later nothing of it is to be found anywhere."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import closing
from typing import TYPE_CHECKING

import httpx

from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES
from photoward.core.key_derivation import pepper
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from tests.support.audit import written
from tests.support.faults import free_of_cost, until
from tests.support.findings import note
from tests.support.scale import FULL
from tests.support.stack import fresh_stack

if TYPE_CHECKING:
    from tests.support.stack import Stack

GONE_S = 60
LABEL, FILE, BATCH = "unmistakable-label", "unmistakable-file.png", "unmistakable-batch"
HOOK = "https://unmistakable-host.example/hook"
PLACE = "https://unmistakable-place.invalid/photo"


def test_an_erased_tenant_leaves_no_trace() -> None:
    every = {} if FULL else {"PHOTOWARD_WORKER_RECONCILE_INTERVAL_SECONDS": "1"}
    with fresh_stack(PHOTOWARD_FETCH_ALLOW_URLS="1", **every) as service:
        settings = Settings(data_dir=service.folder)
        key, other = minted(settings, "erased"), minted(settings, "staying")
        ledger = open_ledger(settings)
        salt = ledger.tenants.salt("erased")
        ledger.close()
        photos = [one.data for one in free_of_cost(6)]
        results = used(service, key, photos)
        traces = [
            *(text.encode() for text in (LABEL, FILE, BATCH, HOOK, PLACE)),
            b64encode(FILE.encode()),
            *(hashlib.sha256(data).hexdigest().encode() for data in (*photos, *results)),
            salt, *photos, *results,
        ]  # fmt: skip
        assert len(found(settings, traces)) > len(photos), "so that it is seen what is looked for"
        command = ["tenants", "erase", "erased", "--yes", "--data-dir", str(service.folder)]
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "photoward.api.cli", *command], check=True)
        until(lambda: not found(settings, traces), GONE_S, str(found(settings, traces)))
        took = time.monotonic() - began
        note(
            "a tenant is erased", f"0 traces after {GONE_S} s", f"0 traces after {took:.1f} s",
            "default" if FULL else "reconciling every second",
        )  # fmt: skip
        assert httpx.get(f"{service.url}/v1/usage", headers={"X-API-Key": key}).status_code == 401
        assert httpx.get(f"{service.url}/v1/usage", headers={"X-API-Key": other}).is_success


def minted(settings: Settings, tenant: str) -> str:
    """A key of a tenant."""
    fresh = api_keys.generate(pepper(settings.master_secret.read_bytes()))
    ledger = open_ledger(settings)
    ledger.api_keys.add(fresh, tenant, "test", TENANT_SCOPES, None)
    ledger.close()
    return fresh.text


def used(service: Stack, key: str, photos: list[bytes]) -> list[bytes]:
    """Everything that a tenant may leave its words in; the protected files."""
    with httpx.Client(base_url=service.url, headers={"X-API-Key": key}, timeout=60) as client:
        client.post("/v1/webhooks", json={"url": HOOK}).raise_for_status()
        made = client.post("/v1/batches", json={"name": BATCH, "options": {"label": LABEL}})
        place = f"{made.json()['links']['self']}/manifest"
        client.post(place, json=[{"url": PLACE}]).raise_for_status()  # nobody is there
        headers = {
            "Content-Type": "image/png", "Prefer": "wait=30",
            "Content-Disposition": f'attachment; filename="{FILE}"',
        }  # fmt: skip
        told = f"filename {b64encode(FILE.encode()).decode()}"
        unused = {"Tus-Resumable": "1.0.0", "Upload-Length": "9999", "Upload-Metadata": told}
        part = {**unused, "Content-Type": "application/offset+octet-stream"}
        client.post("/v1/uploads", content=photos[0], headers=part).raise_for_status()
        results = []
        for photo in photos:
            answer = client.post(
                "/v1/images", params={"batch": made.json()["id"]}, content=photo, headers=headers
            )
            assert answer.json()["state"] == "succeeded", answer.text
            results.append(client.get(answer.json()["links"]["content"]).content)
        return results


def found(settings: Settings, traces: list[bytes]) -> set[str]:
    """Where which trace is."""
    objects = settings.data_dir / "objects"
    places = [(path.name, path.read_bytes()) for path in objects.rglob("*") if path.is_file()]
    with closing(written(settings)) as more:
        places += list(more)
    return {
        f"{where}: trace {number}"
        for where, data in places for number, trace in enumerate(traces) if trace in data
    }  # fmt: skip
