"""The API's description against the service: what a stranger's tests make of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.http.service import serving, working
from tests.support import strangers

ROOT = Path(__file__).parents[3]

CONFIG = """
[checks.negative_data_rejection]
expected-statuses = ["4xx", "5xx"]  # 412, too: another tus than ours
"""

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance", "unsupported_method",
    "allow_header_conformance", "use_after_free", "ensure_resource_availability",
)  # fmt: skip
"""All but those of credentials, which ``test_access`` asks of every operation, and but
``positive_data_acceptance``: no schema says what a picture is."""

STRICT = (*CHECKS, "negative_data_rejection")
"""Not where fields are made up at random: in a form all are text, and a number is a good label."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("phases", "checks"),
    [(("Examples", "Coverage"), STRICT), (("Fuzzing", "Stateful"), CHECKS)],
    ids=["written out", "made up"],
)
def test_nothing_that_a_schema_allows_or_forbids_breaks_the_service(
    tmp_path: Path, phases: tuple[str, ...], checks: tuple[str, ...]
) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    options = {
        "--phases": ",".join(phases).lower(), "--checks": ",".join(checks),
        "--max-examples": "20", "--seed": "1",
        "--exclude-operation-id": "uploadBatchArchive",  # no schema makes a zip
    }  # fmt: skip
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    # Long enough for one thread to protect what is queued: a 503 counts as a fault here.
    with serving(tmp_path, http_max_wait_seconds=2) as service, working(service):
        given = [part for option in options.items() for part in option]
        done = subprocess.run(
            [program, "run", f"{service.url}/openapi.json", "--no-color", *given],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env=os.environ | {"SCHEMATHESIS_HOOKS": strangers.__name__, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:]
    assert [phase for phase in phases if f"✅ {phase}" not in done.stdout] == []
