"""A photo, of which thumbnails are made by three libraries."""

from django.core.files.storage import storages
from django.db import models
from imagekit.models import ImageSpecField
from imagekit.processors import ResizeToFill


class Photo(models.Model):
    """``image`` is private; ``shown`` is published as it comes, so that it is protected."""

    image = models.ImageField(upload_to="photos")
    shown = models.ImageField(upload_to="shown", storage=lambda: storages["photoward"], blank=True)
    small = ImageSpecField(source="image", processors=[ResizeToFill(120, 90)], format="JPEG")

    def __str__(self) -> str:
        return str(self.image)
