"""``photoward config``: which settings are in force, and where each comes from."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from photoward.api.cli import main
from photoward.core.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["config", *arguments])
    assert caught.value.code == 0
    return capsys.readouterr().out


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    return {row["setting"]: row for row in json.loads(run(capsys, "--json", *arguments))}


def test_each_value_is_printed_with_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "photoward_storage_url").write_text("memory://")
    os.environ |= {
        "PHOTOWARD_SECRETS_DIR": str(secrets),
        "PHOTOWARD_UPLOAD_MAX_BYTES": "10MiB",
        "PHOTOWARD_HTTP_PORT": "1",
    }
    found = shown(capsys, "--port", "2")
    assert set(found) == set(Settings.model_fields)
    values = {name: (row["value"], row["source"]) for name, row in found.items()}
    assert values["http_port"] == (2, "option")
    assert values["upload_max_bytes"] == (
        10 * 2**20,
        "environment variable PHOTOWARD_UPLOAD_MAX_BYTES",
    )
    assert values["storage_url"] == (
        "memory://",
        f"secret file {secrets / 'photoward_storage_url'}",
    )
    assert values["queue_lease_seconds"] == (60.0, "default")


def test_secrets_are_masked_and_say_whether_they_are_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    os.environ |= {
        "REDIS_URL": "redis://:hunter2@there/0",
        "PHOTOWARD_DATABASE_URL": "postgresql+psycopg://a:hunter2@there/db",
        "PHOTOWARD_API_KEY": "pw_hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
    }
    for arguments in ([], ["--json"]):
        assert "hunter2" not in run(capsys, *arguments)
    found = shown(capsys)
    assert found["redis_url"]["value"] == found["database_url"]["value"] == "********"
    assert found["redis_url"]["source"] == "environment variable REDIS_URL"
    assert found["s3_access_key_id"]["value"] is None


def test_the_table_names_the_variables(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys).splitlines()
    (line,) = (one for one in lines if one.startswith("PHOTOWARD_HTTP_HOST"))
    assert line.split() == ["PHOTOWARD_HTTP_HOST", "127.0.0.1", "default"]


def test_a_bad_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["PHOTOWARD_HTTP_PORT"] = "many"
    with pytest.raises(SystemExit) as caught:
        main(["config"])
    assert caught.value.code == 2
    assert "PHOTOWARD_HTTP_PORT" in capsys.readouterr().err
