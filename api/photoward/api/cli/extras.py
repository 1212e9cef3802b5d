"""Optional libraries: which extra of the distribution a command needs."""

from __future__ import annotations

import importlib.util
import sys

from photoward.core.errors import Unavailable

CONFINEMENT = ("landlockpy", "seccompy") if sys.platform == "linux" else ()
EXTRAS = {
    "api": ("fastapi", "python_multipart", "uvicorn"),
    "worker": ("torch", "safetensors", "PIL", *CONFINEMENT),
    "fidelity": ("pytorch_msssim", "simplejpeg", "skimage"),
}
"""Extra of the distribution → the modules that show that it is installed."""


def require_extra(extra: str) -> None:
    """Refuse a command whose libraries are not installed.

    Raises:
        Unavailable: the sentence says what to install.
    """
    missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(
            f"Not installed: {', '.join(missing)}. Install them with "
            f"pip install 'photoward[{extra}]'."
        )
