"""One evaluation as data: what was compared, how, on what, and what came out."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.models.evaluation.victims import Verdict


def assemble(
    *, command: str, control: Verdict, protected: Verdict, data: dict[str, Any]
) -> dict[str, Any]:
    """The JSON-able result of a clean and a protected training run.

    Args:
        command: what was typed.
        control: the victim of the unprotected files.
        protected: the victim of the protected files, same recipe and seed.
        data: digests and counts of the three sets.
    """
    return {
        **about(command),
        "data": data,
        "recipe": control.recipe,
        "seeds": 1,
        "control": _figures(control),
        "protected": _figures(protected),
    }


def about(command: str) -> dict[str, Any]:
    """What every result says of itself: when, by which command, on what, with which versions."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def write(result: dict[str, Any], path: Path) -> None:
    """Write a result whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(result, indent=2) + "\n")
    draft.replace(path)


def _figures(verdict: Verdict) -> dict[str, float]:
    return {
        "test_accuracy": verdict.test_accuracy,
        "train_accuracy": verdict.train_accuracy,
        "seconds": verdict.seconds,
    }
