"""The Helm chart renders into what Kubernetes takes, locked up, and scales by Celery's lists."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kombu.transport.redis import Channel

from loopback.composition import FILE
from photoward.core.queue import QUEUE, celery_settings
from photoward.core.settings import Settings

CHART = FILE.parent / "docker/helm/photoward"
EVERYTHING = {
    "keda": {"enabled": True}, "ingress": {"enabled": True, "tlsSecret": "tls"},
    "worker": {"gpu": True}, "store": {"endpoint": "http://s3:8333"},
}  # fmt: skip
RENDER = """\
import helm_python, json, sys
values = json.load(sys.stdin)
found = helm_python.lint(sys.argv[1], values, strict=True)
with helm_python.Chart.load(sys.argv[1]) as chart:
    chart.validate_schema(values)
    print(json.dumps({"lint": found, "files": chart.render(values, name="demo", namespace="here")}))
"""
"""In a process of its own: Helm brings the run time of another language."""

KUBERNETES = ("1.27", "1.33")


def ran(values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RENDER, CHART], input=json.dumps(values), text=True,
        capture_output=True, check=False,
    )  # fmt: skip


def rendered(values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    done = ran(values)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["lint"]["errors"], found["lint"]
    every = [one for text in found["files"].values() for one in yaml.safe_load_all(text) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in every}


@pytest.fixture(scope="module", params=["as it comes", "with everything"])
def manifests(request: pytest.FixtureRequest) -> dict[tuple[str, str], dict[str, Any]]:
    return rendered({} if request.param == "as it comes" else EVERYTHING)


def pods(manifests: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for (kind, _), one in manifests.items()
            if kind == "Deployment"]  # fmt: skip


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_it(
    manifests: dict[tuple[str, str], dict[str, Any]], version: str
) -> None:
    checked = [one for one in manifests.values() if "keda" not in one["apiVersion"]]
    assert len(checked) >= 6
    for one in checked:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_mistake_would_be_found(manifests: dict[tuple[str, str], dict[str, Any]]) -> None:
    broken = manifests["Deployment", "demo-api"] | {"spec": {"replicas": "two"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES[-1], strict=True)
    assert ran({"store": {"url": "file:///data"}}).returncode != 0


def test_pods_are_restricted(manifests: dict[tuple[str, str], dict[str, Any]]) -> None:
    """What the pod security standard of that name asks for, and a read-only root."""
    assert len(pods(manifests)) == 2
    for pod in pods(manifests):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert {tuple(volume.keys() - {"name"}) for volume in pod["volumes"]} <= {
            ("secret",), ("emptyDir",)
        }  # fmt: skip
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert "memory" in container["resources"]["limits"]
            assert container["livenessProbe"]


def test_keys_are_asked_for_and_secrets_are_files(
    manifests: dict[tuple[str, str], dict[str, Any]],
) -> None:
    compose = yaml.safe_load(FILE.read_text())["x-photoward"]
    its_own = {"AWS_ENDPOINT_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"}
    for pod in pods(manifests):
        given = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
        shared = compose.keys() & given.keys() - its_own
        assert {name: given[name] for name in shared} == {name: compose[name] for name in shared}
        assert given["PHOTOWARD_REQUIRE_KEYS"] == "1"
        assert shared >= compose.keys() - its_own


def test_a_graphics_card_is_asked_for_by_who_uses_one() -> None:
    _, worker = pods(rendered({"worker": {"gpu": True}}))
    assert worker["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    _, worker = pods(rendered({}))
    assert "nvidia.com/gpu" not in worker["containers"][0]["resources"]["limits"]


def test_the_autoscaler_looks_at_the_lists_that_celery_uses() -> None:
    options = celery_settings(Settings())["broker_transport_options"]
    channel = Channel.__new__(Channel)  # it never connects
    channel.sep, channel.priority_steps = options["sep"], options["priority_steps"]
    used = {channel._q_for_pri(QUEUE, step) for step in channel.priority_steps}
    scaled = rendered({"keda": {"enabled": True}})["ScaledObject", "demo-worker"]
    assert {one["metadata"]["listName"] for one in scaled["spec"]["triggers"]} == used
    assert scaled["spec"]["scaleTargetRef"]["name"] == "demo-worker"


def test_without_an_ingress_nothing_comes_in_but_from_the_cluster() -> None:
    found = rendered({})
    assert not [kind for kind, _ in found if kind == "Ingress"]
    assert "type" not in found["Service", "demo"]["spec"], "within the cluster"
    policy = found["NetworkPolicy", "demo-worker"]["spec"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [9100]
