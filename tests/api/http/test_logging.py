from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

LINES = """
import logging, structlog
from photoward.core.telemetry import configure_logging
configure_logging(json={json})
configure_logging(json={json})
with structlog.contextvars.bound_contextvars(request_id="r1"):
    structlog.get_logger("a").info("done", item="42", label="my cat", filename="cat.jpg")
    logging.getLogger("uvicorn").warning("from %s", "elsewhere")
try:
    hidden = "hunter2"
    raise ValueError("broken")
except ValueError:
    structlog.get_logger("a").exception("failed")
"""


def run(*, json_lines: bool) -> str:
    return subprocess.run(
        [sys.executable, "-c", LINES.format(json=json_lines)],
        env=os.environ, check=True, capture_output=True, text=True,
    ).stderr  # fmt: skip


def test_every_line_is_one_json_object() -> None:
    done, elsewhere, failed = map(json.loads, run(json_lines=True).splitlines())
    assert (done["event"], done["item"], done["request_id"]) == ("done", "42", "r1")
    assert (elsewhere["event"], elsewhere["level"]) == ("from elsewhere", "warning")
    assert elsewhere["request_id"] == "r1"
    assert "ValueError: broken" in failed["exception"]


@pytest.mark.parametrize("json_lines", [True, False])
def test_labels_names_and_variables_stay_out(json_lines: bool) -> None:  # noqa: FBT001
    told = run(json_lines=json_lines)
    assert "failed" in told
    for secret in ("my cat", "cat.jpg", "hunter2"):
        assert secret not in told
