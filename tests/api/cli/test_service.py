"""What ``up``, ``serve`` and ``worker`` refuse before anything starts, and the stack's parts."""

from __future__ import annotations

import os
import re
import shlex
import socket
import stat
import threading
from pathlib import Path

import pytest

from photoward.api.cli import configuration, extras, main
from photoward.api.cli.service import programs
from photoward.core.errors import BadInput, Unavailable
from photoward.core.settings import Settings


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code, capsys.readouterr().err


def test_a_folder_belongs_to_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with programs.only_one(tmp_path, "photoward up", "--data-dir"):
        code, said = refusal(capsys, "up", "--data-dir", str(tmp_path), "--port", "0")
    assert code == 1
    assert f"Another `photoward up` runs on {tmp_path}" in said
    with programs.only_one(tmp_path, "photoward up", "--data-dir"):
        """Free again."""


def test_a_new_folder_is_nobody_elses(tmp_path: Path) -> None:
    with programs.only_one(tmp_path / "deep" / "data", "photoward up", "--data-dir"):
        mode = (tmp_path / "deep" / "data").stat().st_mode
    assert stat.S_IMODE(mode) == 0o700


def test_a_taken_port_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = refusal(capsys, "up", "--data-dir", str(tmp_path), "--port", port)
    assert code == 1
    assert f"port {port}: another program listens there" in said


def test_port_zero_becomes_a_free_one() -> None:
    port = programs.free_port(Settings(http_port=0))
    with socket.create_server(("127.0.0.1", port)):
        """It was free."""


@pytest.mark.parametrize("command", ["up", "serve"])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_strangers_are_kept_out(
    command: str, host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = refusal(capsys, command, "--host", host, "--data-dir", str(tmp_path))
    assert code == 2
    assert "photoward keys add" in said


def test_the_way_to_a_key_leads_to_the_same_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my photos"
    code, said = refusal(capsys, "serve", "--host", "0.0.0.0", "--data-dir", str(folder))
    assert code == 2
    command = re.search("`photoward (keys add NAME.*)`", said)
    assert command
    code, said = refusal(capsys, *shlex.split(command[1]))
    assert code == 0
    configuration.require_api_key(Settings(http_host="0.0.0.0", data_dir=folder))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str, tmp_path: Path) -> None:
    configuration.require_api_key(Settings(http_host=host, data_dir=tmp_path))
    with pytest.raises(BadInput):
        configuration.require_api_key(
            Settings(http_host=host, data_dir=tmp_path, http_require_keys=True)
        )


def test_an_open_door_can_be_asked_for(tmp_path: Path) -> None:
    everybody = Settings(http_host="0.0.0.0", http_allow_unauthenticated=True, data_dir=tmp_path)
    configuration.require_api_key(everybody)


def test_an_option_precedes_the_environment_which_stays_as_it_is() -> None:
    os.environ["PHOTOWARD_HTTP_PORT"] = "1111"
    assert configuration.settings_from(http_port=None).http_port == 1111
    assert configuration.settings_from(http_port=2222).http_port == 2222
    assert os.environ["PHOTOWARD_HTTP_PORT"] == "1111"


def test_options_reach_the_programs_of_the_embedded_service(tmp_path: Path) -> None:
    os.environ |= {"PHOTOWARD_HTTP_PORT": "1111", "PHOTOWARD_METRICS_PORT": "9", "OTHER": "kept"}
    settings = configuration.settings_from(http_port=2222, data_dir=tmp_path)
    found = programs.environment(settings, tmp_path / "metrics")
    assert found["PHOTOWARD_HTTP_PORT"] == "2222"
    assert found["PHOTOWARD_DATA_DIR"] == str(tmp_path)
    assert found["OTHER"] == "kept"
    assert "PHOTOWARD_METRICS_PORT" not in found
    assert found["PHOTOWARD_WORKER_NICENESS"] == "10"
    os.environ["PHOTOWARD_WORKER_NICENESS"] = "0"
    assert programs.environment(settings, tmp_path)["PHOTOWARD_WORKER_NICENESS"] == "0"


def test_the_embedded_service_keeps_images_for_a_week_unless_told_otherwise(tmp_path: Path) -> None:
    settings = configuration.settings_from(data_dir=tmp_path)
    name = "PHOTOWARD_RETENTION_IMAGE_DAYS"
    assert settings.retention_image_seconds is None
    assert programs.environment(settings, tmp_path)[name] == "7"
    os.environ[name] = "0"
    assert programs.environment(settings, tmp_path)[name] == "0"
    assert configuration.settings_from(data_dir=tmp_path).retention_image_seconds is None


def test_a_rule_over_several_settings_is_said_too() -> None:
    os.environ |= {"PHOTOWARD_FETCH_BUCKETS": "s3://own", "PHOTOWARD_STORAGE_URL": "s3://own"}
    with pytest.raises(BadInput, match="own is the service's own bucket"):
        configuration.settings_from()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PHOTOWARD_HTTP_PORT", "hunter2"), ("PHOTOWARD_ENGINE_SURROGATE_DIRS", '["hunter2')],
)
def test_a_bad_setting_is_named_without_its_value(variable: str, value: str) -> None:
    os.environ[variable] = value
    with pytest.raises(BadInput) as caught:
        configuration.settings_from()
    assert variable.removeprefix("PHOTOWARD_").lower() in str(caught.value).lower()
    assert value not in str(caught.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.EXTRAS, "worker", ("no_such_module",))
    with pytest.raises(Unavailable, match=r"pip install 'photoward\[worker\]'"):
        extras.require_extra("worker")


def test_logs_of_earlier_runs_are_kept_for_a_while(tmp_path: Path) -> None:
    for run in range(6):
        (programs.fresh_logs(tmp_path) / "api.log").write_text(f"run {run}")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {
        "api.log": "run 5",
        "api.log.1": "run 4",
        "api.log.2": "run 3",
        "api.log.3": "run 2",
    }


def test_the_private_queue_is_left_out_where_another_is_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url="redis://127.0.0.1:1/0")
    names = [[program.name for program in stage] for stage in programs.program_stages(settings, 2)]
    assert names == [[], ["worker-1", "worker-2"], ["api"]]


def test_a_worker_is_ready_when_its_heart_beats(tmp_path: Path) -> None:
    workers = programs.program_stages(Settings(data_dir=tmp_path), 2, tmp_path)[1]
    beats = [Path(program.environment["PHOTOWARD_WORKER_HEARTBEAT_FILE"]) for program in workers]
    assert len(set(beats)) == 2
    assert [program.ready and program.ready() for program in workers] == [False, False]
    beats[1].touch()
    assert [program.ready and program.ready() for program in workers] == [False, True]


def test_everything_can_be_gone_within_forty_seconds(tmp_path: Path) -> None:
    program_stages = programs.program_stages(Settings(data_dir=tmp_path), 2)
    assert [stage[0].name for stage in program_stages] == ["queue", "worker-1", "api"]
    assert sum(max(program.grace_s for program in stage) for stage in program_stages) <= 40


def test_a_folder_too_deep_for_a_socket_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="too long to hold a socket"):
        programs.program_stages(Settings(data_dir=tmp_path / ("x" * 100)), 1)


@pytest.mark.parametrize(
    ("reply", "ready"), [(b"+PONG\r\n", True), (b"-LOADING later\r\n", False), (b"", False)]
)
def test_a_queue_server_is_ready_when_it_answers(
    tmp_path: Path, reply: bytes, *, ready: bool
) -> None:
    path = tmp_path / "s"
    assert not programs.answers_ping(path)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()

        def answer() -> None:
            caller, _ = door.accept()
            with caller:
                caller.recv(64)
                caller.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        assert programs.answers_ping(path) is ready
        thread.join()
