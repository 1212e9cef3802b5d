"""The compose file is well-formed, and what it runs is locked up."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose
from sqlalchemy import QueuePool

from photoward.api.cli.serve import DRAIN_HTTP_S
from photoward.core.ledger.engine import make_engine
from photoward.core.settings import Settings
from photoward.worker.celery_app import LEAVE_S
from tests.support.loopback.composition import FILE, Service, filled, services

SAID = yaml.safe_load(filled(FILE.read_text(), {}))
SERVICES = {name: Service(name, said) for name, said in SAID["services"].items()}
LASTING = {name: service for name, service in SERVICES.items() if not service.ends}
OURS = ("api", "worker", "worker-gpu")

RESERVED = 3
"""Connections that PostgreSQL keeps for its superuser."""
WORKER_MIB, DEAREST_MIB = 1024, 1463
"""Memory of a worker itself, and of a decoder with lossless WebP of 52 megapixels."""


def of_each(chosen: dict[str, Service]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("service", chosen.values(), ids=chosen)


def test_it_follows_the_specification() -> None:
    # Merged by PyYAML: the checker knows no `<<`.
    assert set(PyCompose.from_yaml(yaml.safe_dump(SAID)).service_names()) == set(SERVICES)
    with pytest.raises(ValueError, match="restart"):
        PyCompose.from_yaml("services: {a: {image: b, restart: sometimes}}")


@of_each(SERVICES)
def test_each_service_is_locked_up(service: Service) -> None:
    said = service.spec
    assert said["user"].partition(":")[0] not in ("", "0", "root")
    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert said.get("privileged", False) is False
    assert "docker.sock" not in str(said)
    assert {"cpus", "memory", "pids"} <= said["deploy"]["resources"]["limits"].keys()


@of_each(SERVICES)
def test_logs_do_not_fill_the_disk(service: Service) -> None:
    assert {"max-size", "max-file"} <= service.spec["logging"]["options"].keys()


@of_each(SERVICES)
def test_each_image_has_a_version_or_is_built_here(service: Service) -> None:
    assert "build" in service.spec or re.search(r":v?\d+(\.\d+)*(-\w+)?$", service.spec["image"])


@of_each(LASTING)
def test_each_service_says_whether_it_is_well_and_has_time_to_leave(service: Service) -> None:
    assert service.spec["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service.seconds("stop_grace_period", default=0) >= 10
    assert service.spec["restart"] == "unless-stopped"


def test_who_leaves_has_time_for_what_is_under_way() -> None:
    grace = {name: one.seconds("stop_grace_period", default=0) for name, one in LASTING.items()}
    assert min(grace["worker"], grace["worker-gpu"]) > LEAVE_S
    assert grace["api"] > DRAIN_HTTP_S
    assert SERVICES["nginx"].spec["stop_signal"] == "SIGQUIT", "SIGTERM breaks answers off"


def test_the_ledger_has_connections_for_everybody() -> None:
    pool = make_engine("postgresql://nowhere/").pool
    assert isinstance(pool, QueuePool)
    most = pool.size() + pool._max_overflow
    (said,) = re.findall(r"max_connections=(\d+)", str(SERVICES["postgres"].spec["command"]))
    processes = sum(SERVICES[name].replicas for name in OURS)
    assert processes * most + RESERVED <= int(said)


@pytest.mark.parametrize("name", ["worker", "worker-gpu"])
def test_decoders_have_room_for_the_dearest_picture(name: str) -> None:
    children = int(SERVICES[name].spec["environment"].get("PHOTOWARD_IMAGING_PROCESSES", 4))
    room = SERVICES[name].spec["deploy"]["resources"]["limits"]["memory"]
    assert int(room.removesuffix("G")) * 1024 >= WORKER_MIB + children * DEAREST_MIB


@of_each(SERVICES)
def test_ports_are_published_on_loopback_only(service: Service) -> None:
    for entry in service.spec.get("ports", ()):
        address, _, inside = entry.split(":")
        assert ipaddress.ip_address(address).is_loopback
        assert int(inside) >= 1024, "who is not root cannot listen there"


@of_each(SERVICES)
def test_only_the_proxy_and_the_dashboards_are_seen_from_outside(service: Service) -> None:
    if service.name in ("nginx", "media", "grafana"):
        assert service.published
    else:
        assert "edge" not in service.spec.get("networks", ())
        assert not service.published
    if "network_mode" in service.spec:
        assert service.home in SERVICES


def test_data_have_no_way_out() -> None:
    assert SAID["networks"]["inner"]["internal"] is True
    for name in ("postgres", "valkey", "seaweedfs", "api", "gateway"):
        assert SERVICES[name].spec["networks"] == ["inner"]


@of_each(SERVICES)
def test_secrets_are_files(service: Service) -> None:
    for name, value in service.spec.get("environment", {}).items():
        secret = re.search(r"PASSWORD|SECRET|TOKEN|REDIS_URL|DATABASE_URL", name)
        assert not secret or str(value).startswith("/run/secrets"), name
    assert "://:" not in str(service.spec), "no URL with a password"
    for name in re.findall(r"/run/secrets/(\w+)", str(service.spec)):
        assert name in service.spec["secrets"]


@pytest.mark.parametrize("name", OURS)
def test_the_door_is_locked_to_keys(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SERVICES[name].spec["environment"]
    for variable, value in environment.items():
        monkeypatch.setenv(variable, str(value))
    monkeypatch.delenv("PHOTOWARD_SECRETS_DIR")
    assert Settings().keys_required
    assert environment["PHOTOWARD_SECRETS_DIR"] == "/run/secrets"
    known = {f"PHOTOWARD_{field.upper()}" for field in Settings.model_fields}
    assert {one for one in environment if one.startswith("PHOTOWARD_")} <= known | {
        "PHOTOWARD_SECRETS_DIR"
    }


def test_the_api_image_has_no_tensors_and_the_workers_do() -> None:
    stages = Path(FILE.parent / "docker/Dockerfile").read_text().split("\nFROM ")
    (api,) = (stage for stage in stages if stage.startswith("wheel AS api-venv"))
    assert "[api,heif,otel]" in api
    assert SERVICES["api"].spec["build"]["target"] == "api"
    for name in ("worker", "worker-gpu"):
        assert SERVICES[name].spec["build"]["target"] == "worker"


def test_workers_run_with_their_profile_alone() -> None:
    def names(*profiles: str) -> set[str]:
        return {service.name for service in services({}, profiles)}

    assert names("cpu") - names() == {"worker"}
    assert names("gpu") - names() == {"worker-gpu"}
    assert names("observe") - names() == {"prometheus", "grafana"}


def test_variables_are_filled_in() -> None:
    assert filled("a ${B:-c} $$d", {}) == "a c $d"
    assert filled("a ${B:-c} $$d", {"B": "e"}) == "a e $d"
    assert SERVICES["nginx"].published == {8080: 8080}
