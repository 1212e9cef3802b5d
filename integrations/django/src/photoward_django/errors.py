"""What is raised instead of publishing a photo that is not protected."""

from __future__ import annotations

import functools

from django.apps import apps


class NotProtectedError(OSError):
    """A photo could not be protected, and was not published."""

    silent_variable_failure = True
    """A template's variable shows nothing, instead of the page failing."""


@functools.cache
def not_protected() -> type[NotProtectedError]:
    """The class to raise: with Wagtail one for which its pages show "not found"."""
    if not apps.is_installed("wagtail.images"):
        return NotProtectedError
    from wagtail.images.models import SourceImageIOError  # noqa: PLC0415  # needs the models

    return type("NotProtectedError", (NotProtectedError, SourceImageIOError), {})
