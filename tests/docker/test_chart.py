"""The Helm chart renders into what Kubernetes takes, locked up, and scales by what waits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import kubernetes_validate
import pytest
import yaml

from photoward.api.cli.serve import DRAIN_HTTP_S
from photoward.api.http.routes.operations import QueueCollector
from photoward.core.ledger import open_ledger
from photoward.core.ledger.fair_queue import FIXED_COST_MEGAPIXELS
from photoward.core.settings import Settings
from photoward.worker.celery_app import LEAVE_S
from tests.docker.chart import CHART, EVERYTHING, Manifests, pods, ran, rendered
from tests.docker.test_composition import DEAREST_MIB, WORKER_MIB
from tests.support.loopback.composition import FILE

if TYPE_CHECKING:
    from pathlib import Path

KUBERNETES = ("1.27", "1.33")


@pytest.fixture(scope="module", params=["as it comes", "with everything"])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return rendered({} if request.param == "as it comes" else EVERYTHING)


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_it(manifests: Manifests, version: str) -> None:
    checked = [one for one in manifests.values() if "keda" not in one["apiVersion"]]
    assert len(checked) >= 6
    for one in checked:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_mistake_would_be_found(manifests: Manifests) -> None:
    broken = manifests["Deployment", "demo-api"] | {"spec": {"replicas": "two"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES[-1], strict=True)
    assert ran({"store": {"url": "file:///data"}}).returncode != 0
    assert ran({"worker": {"replica": 4}}).returncode != 0, "a value of no such name"


def test_pods_are_restricted(manifests: Manifests) -> None:
    """What the pod security standard of that name asks for, and a read-only root."""
    assert len(pods(manifests)) == 2
    for pod in pods(manifests):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert {tuple(volume.keys() - {"name"}) for volume in pod["volumes"]} <= {
            ("secret",),
            ("emptyDir",),
        }
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
            assert container["livenessProbe"]
            assert container["startupProbe"]


def test_every_object_lies_where_the_release_does(manifests: Manifests) -> None:
    assert {one["metadata"]["namespace"] for one in manifests.values()} == {"here"}


def test_what_selects_pods_finds_the_right_ones(manifests: Manifests) -> None:
    labels = {
        name: one["spec"]["template"]["metadata"]["labels"].items()
        for (kind, name), one in manifests.items()
        if kind == "Deployment"
    }

    def found(wanted: dict[str, str]) -> list[str]:
        return [name for name, own in labels.items() if wanted.items() <= own]

    spec = {key: one["spec"] for key, one in manifests.items()}
    for name in labels:
        assert found(spec["Deployment", name]["selector"]["matchLabels"]) == [name]
        assert found(spec["NetworkPolicy", name]["podSelector"]["matchLabels"]) == [name]
    assert found(spec["Service", "demo"]["selector"]) == ["demo-api"]
    budget = spec["PodDisruptionBudget", "demo-api"]
    assert found(budget["selector"]["matchLabels"]) == ["demo-api"]
    assert budget["maxUnavailable"] < spec["Deployment", "demo-api"]["replicas"]


def test_pods_have_time_to_leave_and_are_replaced_without_a_gap(manifests: Manifests) -> None:
    face, worker = pods(manifests)
    (container,) = face["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/livez"
    _, until_unknown_s = container["lifecycle"]["preStop"]["exec"]["command"]
    assert face["terminationGracePeriodSeconds"] > int(until_unknown_s) + DRAIN_HTTP_S
    assert worker["terminationGracePeriodSeconds"] > LEAVE_S
    # A new worker may need the card of the old one.
    assert manifests["Deployment", "demo-worker"]["spec"]["strategy"] == {
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}
    }


def test_decoders_have_room_for_the_dearest_picture() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())["worker"]
    room = values["resources"]["limits"]["memory"]
    assert (
        int(room.removesuffix("Gi")) * 1024 >= WORKER_MIB + values["imagingProcesses"] * DEAREST_MIB
    )


def test_what_an_operator_adds_arrives() -> None:
    mine = {"PHOTOWARD_QUEUE_MAX_MEGAPIXELS": "50000"}
    card = {"key": "nvidia.com/gpu", "operator": "Exists"}
    face, worker = pods(
        rendered(
            {
                "environment": mine,
                "image": {"pullSecrets": [{"name": "mine"}]},
                "worker": {"tolerations": [card], "nodeSelector": {"card": "yes"}},
            }
        )
    )
    for pod in (face, worker):
        assert {"name": "mine"} in pod["imagePullSecrets"]
        given = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
        assert mine.items() <= given.items()
    assert (worker["tolerations"], worker["nodeSelector"]) == ([card], {"card": "yes"})
    assert not {"tolerations", "nodeSelector"} & face.keys()


def test_keys_are_asked_for_and_secrets_are_files(
    manifests: Manifests,
) -> None:
    compose = yaml.safe_load(FILE.read_text())["x-photoward"]
    its_own = {"AWS_ENDPOINT_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"}
    for pod in pods(manifests):
        given = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
        shared = compose.keys() & given.keys() - its_own
        assert {name: given[name] for name in shared} == {name: compose[name] for name in shared}
        assert given["PHOTOWARD_HTTP_REQUIRE_KEYS"] == "1"
        assert shared >= compose.keys() - its_own


def test_a_graphics_card_is_asked_for_by_who_uses_one() -> None:
    _, worker = pods(rendered({"worker": {"gpu": True}}))
    assert worker["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    _, worker = pods(rendered({}))
    assert "nvidia.com/gpu" not in worker["containers"][0]["resources"]["limits"]


def test_the_autoscaler_looks_at_the_work_that_waits(tmp_path: Path) -> None:
    """At all of it, as turns count it; wake-ups do not grow with it."""
    scaled = rendered({"keda": {"enabled": True}})["ScaledObject", "demo-worker"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == "demo-worker"
    (trigger,) = scaled["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    ledger = open_ledger(Settings(data_dir=tmp_path))
    told = {metric.name for metric in QueueCollector(ledger).collect()}
    ledger.close()
    assert set(re.findall(r"photoward_\w+", query)) <= told
    assert f"{FIXED_COST_MEGAPIXELS} * sum(max by (priority) (photoward_queued_items))" in query
    assert float(trigger["metadata"]["threshold"]) > 0


def test_uploads_are_passed_on_as_they_come() -> None:
    name = "nginx.ingress.kubernetes.io/proxy-request-buffering"
    found = {
        one["spec"]["rules"][0]["http"]["paths"][0]["path"]: one["metadata"]["annotations"]
        for (kind, _), one in rendered(EVERYTHING).items()
        if kind == "Ingress"
    }
    assert {path: own[name] for path, own in found.items()} == {"/": "on", "/v1/uploads": "off"}
    assert found["/"] | {name: "off"} == found["/v1/uploads"]


def test_without_an_ingress_nothing_comes_in_but_from_the_cluster() -> None:
    found = rendered({})
    assert not [kind for kind, _ in found if kind == "Ingress"]
    assert "type" not in found["Service", "demo"]["spec"], "within the cluster"
    policy = found["NetworkPolicy", "demo-worker"]["spec"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [9100]


def test_webhooks_go_out_from_workers_alone() -> None:
    data = [5432, 6379, 8333]
    found = rendered({"networkPolicy": {"dataPorts": data}})
    for name, more in (("demo-api", set()), ("demo-worker", {443})):
        egress = found["NetworkPolicy", name]["spec"]["egress"]
        ports = {port["port"] for rule in egress for port in rule["ports"]}
        assert ports == {53, *data, *more}


def test_the_gateway_comes_when_it_is_asked_for_and_holds_no_secret_of_the_service() -> None:
    assert ("Deployment", "demo-gateway") not in rendered({})
    found = rendered(
        {"gateway": {"enabled": True, "existingSecret": "media", "options": "epsilon=4"}}
    )
    (container,) = found["Deployment", "demo-gateway"]["spec"]["template"]["spec"]["containers"]
    given = {one["name"]: one["value"] for one in container["env"]}
    assert given["PHOTOWARD_GATEWAY_SERVICE_URL"] == "http://demo"
    assert given["PHOTOWARD_GATEWAY_OPTIONS"] == "epsilon=4"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    secret = str(found["Deployment", "demo-gateway"]["spec"]["template"]["spec"]["volumes"])
    assert "master" not in secret
    assert "database" not in secret
    policy = found["NetworkPolicy", "demo-api"]["spec"]["ingress"]
    assert any("podSelector" in one["from"][0] for one in policy)
    assert found["Service", "demo-gateway"]["spec"]["selector"].items() <= (
        found["Deployment", "demo-gateway"]["spec"]["template"]["metadata"]["labels"].items()
    )
