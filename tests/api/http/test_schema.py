"""The API's description against the service: what a stranger's tests make of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.http.service import serving, working

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
    "unsupported_method", "allow_header_conformance", "use_after_free",
    "ensure_resource_availability",
)  # fmt: skip
"""All but those of credentials, which ``test_access`` asks of every operation, and but
``positive_data_acceptance``: no schema says what a picture is."""

# uploadBatchArchive: nobody can make a zip from a schema; test_batches does.
PHASES = "examples,coverage,fuzzing,stateful"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_that_a_schema_allows_or_forbids_breaks_the_service(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    with serving(tmp_path, max_wait_s=0.1) as service, working(service):
        done = subprocess.run(
            [program, "run", f"{service.url}/openapi.json", "--phases", PHASES,
             "--checks", ",".join(CHECKS), "--max-examples", "20", "--seed", "1", "--no-color",
             "--continue-on-failure", "--exclude-operation-id", "uploadBatchArchive"],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:]
    assert [phase for phase in PHASES.split(",") if f"✅ {phase.title()}" not in done.stdout] == []
