"""Where settings come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from photoward.api.cli.configuration import settings_from
from photoward.core.errors import BadInput
from photoward.core.key_derivation import read_or_make_master
from photoward.core.renamed_settings import RENAMED
from photoward.core.settings import PREFIX, SECRETS_DIR, Settings

OLD = f"{PREFIX}MAX_BODY_BYTES"


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PHOTOWARD_DATABASE_URL", "PHOTOWARD_REDIS_URL", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(SECRETS_DIR, str(tmp_path))
    return tmp_path


def test_what_lies_on_this_machine_is_known(tmp_path: Path) -> None:
    own = Settings(data_dir=tmp_path / "a b")
    assert own.folders == (tmp_path / "a b" / "ledger.sqlite", tmp_path / "a b" / "objects")
    far = {"database_url": "postgresql+psycopg://there/db", "storage_url": "s3://bucket"}
    assert Settings(**far).folders == ()  # type: ignore[arg-type]  # as the environment gives them


def test_passwords_come_from_files(secrets: Path) -> None:
    (secrets / "photoward_database_url").write_text("postgresql+psycopg://a:b@c/d\n")
    (secrets / "photoward_redis_url").write_text("redis://:b@c:6379/0")
    (secrets / "aws_secret_access_key").write_text("shh")
    settings = Settings()
    assert settings.database == "postgresql+psycopg://a:b@c/d"
    assert settings.broker == "redis://:b@c:6379/0"
    assert settings.s3_secret_access_key is not None
    assert settings.s3_secret_access_key.get_secret_value() == "shh"
    assert "shh" not in repr(settings)
    assert "b@c" not in repr(settings)


def test_the_environment_goes_before_files(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secrets / "photoward_database_url").write_text("sqlite:///file")
    monkeypatch.setenv("PHOTOWARD_DATABASE_URL", "sqlite:///environment")
    assert Settings().database == "sqlite:///environment"


def test_a_missing_folder_of_secrets_is_refused(secrets: Path) -> None:
    secrets.rmdir()
    with pytest.raises(BadInput, match="there is no folder"):
        settings_from()


def test_a_master_secret_is_read_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "master"
    path.write_bytes(bytes(32))
    monkeypatch.setattr("os.link", lambda *_: pytest.fail("it would write"))
    assert read_or_make_master(path) == bytes(32)


def test_places_to_fetch_from_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().fetch_buckets == ()
    monkeypatch.setenv("PHOTOWARD_FETCH_BUCKETS", "s3://inbox/a,s3://other,")
    assert Settings().fetch_buckets == ("s3://inbox/a", "s3://other")


@pytest.mark.parametrize("place", ["s3://own/inbox", "s3://own", "inbox", "file:///etc", "s3://"])
def test_a_place_that_may_not_be_fetched_from_is_refused_at_the_start(place: str) -> None:
    with pytest.raises(ValidationError, match="fetch_buckets"):
        Settings(storage_url="s3://own/photos", fetch_buckets=("s3://inbox", place))


@pytest.mark.parametrize("text", ["/a,/b c", " /a , /b c,", '["/a", "/b c"]'])
def test_folders_are_named_with_commas_and_as_once(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOWARD_ENGINE_SURROGATE_DIRS", text)
    assert Settings().engine_surrogate_dirs == (Path("/a"), Path("/b c"))


@pytest.mark.parametrize("text", ["26214400", "25MiB", "25 MiB", "0.025GiB"])
def test_sizes_are_in_bytes_or_have_a_unit(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOWARD_UPLOAD_MAX_BYTES", text)
    assert Settings().upload_max_bytes == pytest.approx(25 * 2**20, rel=0.03)


@pytest.mark.parametrize("text", ["0", "-1", "much"])
def test_a_size_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOWARD_UPLOAD_MAX_BYTES", text)
    with pytest.raises(BadInput, match="PHOTOWARD_UPLOAD_MAX_BYTES"):
        settings_from()


def test_an_old_name_is_refused_and_the_new_one_said(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OLD, "1")
    with pytest.raises(BadInput, match="MAX_BODY_BYTES is called PHOTOWARD_UPLOAD_MAX_BYTES now"):
        settings_from()
    monkeypatch.delenv(OLD)
    (secrets / "photoward_c2pa_key").write_text("x")
    with pytest.raises(BadInput, match="is called PHOTOWARD_C2PA_KEY_FILE now"):
        settings_from()


def test_every_new_name_is_a_setting_and_no_old_one_is() -> None:
    names = {name.upper() for name in Settings.model_fields}
    assert set(RENAMED.values()) <= names
    assert not names & set(RENAMED)


def test_every_setting_is_documented_with_its_unit_in_its_name() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        if field.annotation is float:
            assert name.endswith(("_seconds", "_megapixels")), name


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_body_bytes"):
        Settings(**{OLD.removeprefix(PREFIX).lower(): 1})  # type: ignore[arg-type]  # by name
