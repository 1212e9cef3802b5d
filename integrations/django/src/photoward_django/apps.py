"""The app: it registers the system check."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class PhotowardConfig(AppConfig):
    """``INSTALLED_APPS = ["photoward_django", …]``."""

    name = "photoward_django"
    verbose_name = "Photoward"

    def ready(self) -> None:
        """Register the check."""
        from photoward_django.checks import check  # noqa: PLC0415  # it needs the settings

        register(check, Tags.files)
