"""Where command line options and environment variables become the one ``Settings`` object."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_settings import SettingsError

from photoward.core.errors import BadInput
from photoward.core.settings import Settings, variables


def settings_from(**options: object) -> Settings:
    """Settings in which the given options (None: not given) precede the environment.

    Raises:
        BadInput: a value is not valid; the sentence names the variable, never the value.
    """
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        subject = variables(name)[0] if name in Settings.model_fields else name
        raise BadInput("invalid_option", f"{subject}: {first['msg']}.".lstrip(": ")) from None
    except SettingsError as error:
        raise BadInput("invalid_option", f"{error}.") from None


def require_api_key(settings: Settings) -> None:
    """Refuse to listen beyond this machine while there is no API key.

    Raises:
        BadInput: keys are required and there is none.
        Unavailable: the ledger, which holds the keys, cannot be opened.
    """
    if settings.keys_required:
        from photoward.core.ledger import open_ledger, require_keys

        ledger = open_ledger(settings)
        try:
            require_keys(settings, ledger)
        finally:
            ledger.close()
