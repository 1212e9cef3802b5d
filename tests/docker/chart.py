"""The Helm chart as Helm renders it, without its program."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, TypeAlias

import yaml

from tests.support.loopback.composition import FILE

Manifests: TypeAlias = "dict[tuple[str, str], dict[str, Any]]"
"""Kind and name → object."""

CHART = FILE.parent / "docker/helm/photoward"
EVERYTHING = {
    "keda": {"enabled": True},
    "ingress": {"enabled": True, "tlsSecret": "tls"},
    "worker": {"gpu": True},
    "store": {"endpoint": "http://s3:8333", "publicUrl": "https://s3.example"},
}
RENDER = """\
import helm_python, json, sys
values = json.load(sys.stdin)
found = helm_python.lint(sys.argv[1], values, strict=True)
with helm_python.Chart.load(sys.argv[1]) as chart:
    chart.validate_schema(values)
    print(json.dumps({"lint": found, "files": chart.render(values, name="demo", namespace="here")}))
"""
"""In a process of its own: Helm brings the run time of another language."""


def ran(values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RENDER, CHART],
        input=json.dumps(values),
        text=True,
        capture_output=True,
        check=False,
    )


def rendered(values: dict[str, Any]) -> Manifests:
    done = ran(values)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["lint"]["errors"], found["lint"]
    every = [one for text in found["files"].values() for one in yaml.safe_load_all(text) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in every}


def pods(manifests: Manifests) -> list[dict[str, Any]]:
    return [
        one["spec"]["template"]["spec"]
        for (kind, _), one in manifests.items()
        if kind == "Deployment"
    ]
