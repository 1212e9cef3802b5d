"""Alerts and dashboard ask for what is really exported, and each alert is explained."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml
from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from photoward.api.http.routes.operations import QueueCollector
from photoward.core import telemetry
from photoward.core.jobs import State
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from tests.support.loopback.composition import FILE

if TYPE_CHECKING:
    from pathlib import Path

DOCKER = FILE.parent / "docker"
ALERTS = yaml.safe_load((DOCKER / "alerts.yml").read_text())["groups"][0]["rules"]
BOARD = json.loads((DOCKER / "grafana/photoward.json").read_text())
JOBS = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
SERVICES = yaml.safe_load(FILE.read_text())["services"]

EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [
    target["expr"] for panel in BOARD["panels"] for target in panel["targets"]
]
METRIC = re.compile(r"\b((?:photoward|process)_\w+|up)(?:\{([^}]*)\}|\b(?!\"))")
OF_PROMETHEUS = {"job", "instance", "le"}

Labels = dict[str, set[str]]


@pytest.fixture
def exported(tmp_path: Path) -> Labels:
    """Sample name → labels."""
    found: Labels = {"up": set()}
    for metric in vars(telemetry).values():
        if isinstance(metric, Counter):
            found[f"{metric._name}_total"] = set(metric._labelnames)
        elif isinstance(metric, Histogram):
            for end in ("bucket", "sum", "count"):
                found[f"{metric._name}_{end}"] = set(metric._labelnames)
        elif isinstance(metric, Gauge):
            found[metric._name] = set(metric._labelnames)
    ledger = open_ledger(Settings(data_dir=tmp_path, database_url=None))
    for family in (*QueueCollector(ledger).collect(), *REGISTRY.collect()):
        if family.name.startswith("process_") or family.type == "gauge":
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    ledger.close()
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_asked_for_is_exported(expression: str, exported: Labels) -> None:
    asked = METRIC.findall(expression)
    assert asked
    labels: set[str] = set()
    for name, selectors in asked:
        assert name in exported
        labels |= exported[name] | OF_PROMETHEUS
        assert set(re.findall(r"(\w+)[=!]~?\"", selectors)) <= exported[name] | OF_PROMETHEUS
    for group in re.findall(r"by \(([^)]*)\)", expression):
        assert set(group.split(", ")) <= labels


def test_states_and_jobs_are_spelt_as_they_are() -> None:
    everything = "\n".join(EXPRESSIONS)
    states = {
        one for found in re.findall(r"state=~?\"([^\"]*)\"", everything) for one in found.split("|")
    }
    assert states
    assert states <= set(State)
    jobs = {job["job_name"] for job in JOBS}
    assert set(re.findall(r"job=\"([^\"]*)\"", everything)) == jobs


def test_a_name_that_nobody_exports_is_found_out(exported: Labels) -> None:
    with pytest.raises(AssertionError):
        test_what_is_asked_for_is_exported("rate(photoward_http_request_total[5m])", exported)
    with pytest.raises(AssertionError):
        test_what_is_asked_for_is_exported('up * photoward_items{code="x"}', exported)


def test_every_service_that_tells_metrics_is_asked() -> None:
    asked = {
        (name, where["port"])
        for job in JOBS
        for where in job["dns_sd_configs"]
        for name in where["names"]
    }
    port = "PHOTOWARD_METRICS_PORT"
    telling = {
        (name, int(said["environment"][port]))
        for name, said in SERVICES.items()
        if port in said.get("environment", ())
    }
    assert asked == telling


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_the_runbook_says_what_to_do(alert: str) -> None:
    runbook = (FILE.parent / "docs/runbook.md").read_text()
    part = re.search(rf"^## {alert}\n(.*?)(?=^## |\Z)", runbook, re.DOTALL | re.MULTILINE)
    assert part, f"docs/runbook.md has no part on {alert}"
    assert len(part[1].split()) > 20
