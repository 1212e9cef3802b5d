"""``manage.py fill N``: N Wagtail images and four renditions of each."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from django.core.files.images import ImageFile
from django.core.management.base import BaseCommand
from PIL import Image as Pillow
from wagtail.images import get_image_model

if TYPE_CHECKING:
    from argparse import ArgumentParser

FILTERS = ("width-120", "fill-64x48", "max-96x96|format-webp", "original")


class Command(BaseCommand):
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("count", type=int)

    def handle(self, count: int, **_: object) -> None:
        self.stdout.write("begun")
        self.stdout.flush()
        for at in range(count):
            file = io.BytesIO()
            picture = Pillow.effect_noise((16, 12), 60).convert("RGB").resize((160, 120))
            picture.save(file, "JPEG", quality=85)
            image = get_image_model()(title=f"{at}", file=ImageFile(file, f"photo{at}.jpg"))
            image.save()
            for spec in FILTERS:
                image.get_rendition(spec)
