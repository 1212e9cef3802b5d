"""From a container's view to this machine's."""

from __future__ import annotations

import re
import shutil
import socket
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from photoward.core.errors import Unavailable
from tests.support.loopback import configuration, programs
from tests.support.loopback.composition import Service, services, stages
from tests.support.loopback.instance import Instance
from tests.support.loopback.layout import Layout
from tests.support.servers import free_ports, missing

if TYPE_CHECKING:
    from pathlib import Path

CHOSEN = services({}, ("cpu", "gateway", "observe"))


def named(name: str) -> Service:
    return next(service for service in CHOSEN if service.name == name)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, CHOSEN, 0)


def test_nothing_starts_before_what_it_needs() -> None:
    order = [{service.name for service in stage} for stage in stages(CHOSEN)]
    at = {name: number for number, stage in enumerate(order) for name in stage}
    assert at["postgres"] < at["api"] < at["nginx"]
    assert at["seaweedfs"] < at["bucket"] < at["worker"]
    assert sum(map(len, order)) == len(CHOSEN)


def test_no_two_listen_on_one_port(layout: Layout) -> None:
    api, worker = named("api"), named("worker")
    every = [
        here
        for service in CHOSEN
        if not service.ends
        for number in range(1, service.replicas + 1)
        for here in layout.ports(service, number).values()
    ]
    assert len(set(every)) == len(every) > 15
    assert api.replicas == worker.replicas == 2


def test_the_published_port_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    assert Layout(tmp_path, [named("nginx")], port).ports(named("nginx")) == {8080: port}
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="in use"):
        Layout(tmp_path, [named("nginx")], port)


def test_names_ports_and_paths_become_this_machines(layout: Layout) -> None:
    weed = named("seaweedfs")
    here = layout.ports(weed)
    text = "-ip=0.0.0.0 -s3.port=8333 -m=127.0.0.1:9333.19333 -dir=/data postgres:5432 /database"
    postgres = layout.ports(named("postgres"))[5432]
    assert layout.rewritten(text, weed, 1) == (
        f"-ip=127.0.0.1 -s3.port={here[8333]} -m=127.0.0.1:{here[9333]}.{here[19333]} "
        f"-dir={layout.state}/volumes/objects 127.0.0.1:{postgres} /database"
    )


def test_a_password_that_looks_like_a_port_stays(layout: Layout, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "url").write_text("redis://:a8080b:8080@valkey:6379/0")
    (made / "master").write_bytes(bytes(range(256)))
    configuration.rename_secrets(layout, made)
    kept = tmp_path / "run/secrets"
    port = layout.ports(named("valkey"))[6379]
    assert (kept / "url").read_text() == f"redis://:a8080b:8080@127.0.0.1:{port}/0"
    assert (kept / "master").read_bytes() == bytes(range(256))
    assert stat.S_IMODE((kept / "url").stat().st_mode) == 0o600


def test_a_process_sees_the_files_environment_and_not_the_callers(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOWARD_HTTP_ALLOW_UNAUTHENTICATED", "1")
    second = Instance(named("api"), 2, layout)
    found = second.environment
    assert "PHOTOWARD_HTTP_ALLOW_UNAUTHENTICATED" not in found
    assert found["PHOTOWARD_HTTP_REQUIRE_KEYS"] == "1"
    assert found["PHOTOWARD_HTTP_HOST"] == "127.0.0.1"
    assert found["PHOTOWARD_HTTP_PORT"] == str(layout.ports(named("api"), 2)[8080])
    assert found["PHOTOWARD_SECRETS_DIR"] == str(layout.state / "run/secrets")
    assert second.command(["photoward", "serve"])[-2:] == ["photoward", "serve"]


def test_each_instance_is_named_where_the_engine_would_resolve(layout: Layout) -> None:
    faces = layout.addresses("api", 8080)
    assert len(set(faces)) == 2
    Instance(named("nginx"), 1, layout).prepare()
    conf = (layout.state / "config/nginx-1/nginx.conf").read_text()
    for face in faces:
        assert f"server {face} max_fails" in conf
    assert not re.search(r"\bresolve\b", conf)
    Instance(named("prometheus"), 1, layout).prepare()
    said = yaml.safe_load((layout.state / "config/prometheus-1/prometheus.yml").read_text())
    asked = [one["targets"] for job in said["scrape_configs"] for one in job["static_configs"]]
    assert asked[0] == layout.addresses("api", 9100)
    assert asked[1] == layout.addresses("worker", 9100)


@pytest.mark.parametrize("name", ["nginx", "media"])
def test_nginx_takes_the_configuration(name: str, layout: Layout) -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if nginx is None:
        missing("nginx (Debian package nginx-light)")
    instance = Instance(named(name), 1, layout)
    instance.prepare()
    done = subprocess.run(
        [nginx, "-t", "-c", layout.state / f"config/{name}-1/nginx.conf"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "test is successful" in done.stderr


def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_where", lambda name: None if name == "nginx" else "/bin/true")
    with pytest.raises(Unavailable, match="no nginx here: install the Debian package nginx-light"):
        programs.gather(["nginxinc/nginx-unprivileged"], tmp_path / "bin")
    assert not programs.installed("nginxinc/nginx-unprivileged")
    assert programs.installed("prom/prometheus")
