"""The edge where options and environment variables become the one ``Settings`` object.

Also refuses what no command should start with: a door open to strangers, a missing extra.
"""

from __future__ import annotations

import importlib.util
import os
import sys

from pydantic import ValidationError
from pydantic_settings import SettingsError

from photoward.core.errors import BadInput, Unavailable
from photoward.core.settings import Settings

FENCES = ("landlockpy", "seccompy") if sys.platform == "linux" else ()
EXTRAS = {
    "api": ("fastapi", "python_multipart", "uvicorn"),
    "worker": ("torch", "safetensors", "PIL", *FENCES),
    "fidelity": ("pytorch_msssim", "simplejpeg", "skimage"),
}
"""Extra of the distribution → the modules that show it is installed."""


def settings_from(**options: object) -> Settings:
    """Settings in which the given options (None: not given) go before the environment.

    Options are written into the environment, so that child processes and applications that a
    server loads by name see the same settings.

    Raises:
        BadInput: a value is not valid; the sentence names the variable, never the value.
    """
    for name, value in options.items():
        if value is not None:
            os.environ[f"PHOTOWARD_{name.upper()}"] = str(value)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        variable = str(first["loc"][0]).upper()
        if variable in os.environ:
            raise BadInput("invalid_option", f"{variable}: {first['msg']}.") from None
        raise BadInput("invalid_option", f"PHOTOWARD_{variable}: {first['msg']}.") from None
    except SettingsError as error:
        raise BadInput("invalid_option", f"{error}.") from None


def require_closed_door(settings: Settings) -> None:
    """Refuse to listen beyond this machine while there is no API key.

    Raises:
        BadInput: keys are required and there is none.
        Unavailable: the ledger, which knows, cannot be opened.
    """
    if settings.keys_required:
        from photoward.core.ledger import open_ledger, require_keys  # noqa: PLC0415  # heavy

        ledger = open_ledger(settings)
        try:
            require_keys(settings, ledger)
        finally:
            ledger.close()


def require_extra(extra: str) -> None:
    """Refuse a command whose libraries are not installed.

    Raises:
        Unavailable: the sentence says what to install.
    """
    missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(
            f"Not installed: {', '.join(missing)}. Add the part that shall run here: "
            f"pip install 'photoward[{extra}]'."
        )
