"""Scenes in which noise is most visible: drawn here, or from packages with free photos."""

from __future__ import annotations

import importlib.resources
import importlib.util

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from photoward.api.cli.sample_images import encoded, synthetic_photo

PACKAGED = {
    "sky": ("sklearn.datasets", "images/china.jpg"),
    "foliage": ("sklearn.datasets", "images/flower.jpg"),
    "skin": ("skimage", "data/astronaut.png"),
    "night-sky": ("skimage", "data/rocket.jpg"),
    "black-and-white": ("skimage", "data/camera.png"),
    "fur": ("skimage", "data/chelsea.png"),
    "table": ("skimage", "data/coffee.png"),
    "garage": ("skimage", "data/motorcycle_left.png"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
}
"""Scene → package and file in it: public domain, CC0, or CC BY (scikit-learn's two)."""

INK, GREY, LINK, FRAME = (32, 33, 36), (95, 99, 104), (26, 13, 171), (218, 220, 224)
WORDS = (
    "Whoever publishes photos gives them to people, and to programs that were never meant. "
    "A page of text is mostly paper, and on paper every tint is seen. "
)


def scenes() -> list[tuple[str, bytes]]:
    """Name and file of each scene that the installed packages provide."""
    drawn = {"snow": _snow(), "white-page": _page(), "screenshot": _screenshot()}
    kinds = {"snow": "JPEG", "white-page": "PNG", "screenshot": "PNG"}
    found = [(name, encoded(image, kinds[name])) for name, image in drawn.items()]
    for name, (package, file) in PACKAGED.items():
        if importlib.util.find_spec(package.partition(".")[0]) is not None:
            found.append((name, (importlib.resources.files(package) / file).read_bytes()))
    return found


def _snow() -> Image.Image:
    """A slope under a clear winter sky, dark firs between them."""
    width, height, horizon = 1600, 1066, 420
    random = np.random.default_rng(3)
    rows = np.linspace(0, 1, horizon)[:, None, None]
    sky = np.broadcast_to(
        np.array([72, 120, 190]) * (1 - rows) + np.array([196, 214, 235]) * rows,
        (horizon, width, 3),
    )
    drifts = np.asarray(synthetic_photo(width, height - horizon, 5).convert("L"), float) - 128
    grain = random.normal(0, 1.5, drifts.shape)
    shade = (232 + drifts * 0.14 + grain)[..., None] * np.array([0.985, 0.995, 1.03])
    picture = Image.fromarray(np.clip(np.vstack([sky, shade]), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for x in random.integers(0, width, 90):
        tall = int(random.integers(30, 110))
        green = tuple(int(one) for one in random.integers([18, 32, 24], [44, 62, 48]))
        foot = horizon + int(random.integers(-4, 26))
        for layer in range(4):
            top, wide = foot - tall + layer * tall // 5, (layer + 2) * tall // 16
            below = top + tall // 3
            draw.polygon([(x, top), (x - wide, below), (x + wide, below)], green)
    return picture


def _page() -> Image.Image:
    """A page of text with a heading, as a scanner would give it."""
    picture = Image.new("RGB", (1240, 1754), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    draw.text((140, 130), "On being seen", INK, ImageFont.load_default(54))
    words, font = (WORDS * 14).split(), ImageFont.load_default(27)
    line, y = "", 260
    for word in words:
        if draw.textlength(f"{line} {word}", font) > 960:  # noqa: PLR2004  # the text's width
            draw.text((140, y), line, INK, font)
            line, y = word, y + 46
        else:
            line = f"{line} {word}".strip()
    draw.text((140, y), line, INK, font)
    return picture


def _screenshot() -> Image.Image:
    """A browser's window with a page of results: flat areas, thin letters, saturated spots."""
    picture = Image.new("RGB", (1440, 900), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 1440, 84), (241, 243, 244))
    draw.rounded_rectangle((120, 40, 1180, 74), 17, (255, 255, 255))
    for x, colour in ((24, (237, 106, 94)), (48, (245, 191, 79)), (72, (98, 197, 84))):
        draw.ellipse((x, 14, x + 14, 28), colour)
    draw.text((144, 47), "photoward.example/results?q=harbour", GREY, ImageFont.load_default(17))
    for number in range(5):
        top = 130 + 145 * number
        draw.text((150, top), "photoward.example / harbour", GREY, ImageFont.load_default(16))
        title = f"{number + 1}. Boats in the harbour at dawn"
        draw.text((150, top + 24), title, LINK, ImageFont.load_default(25))
        draw.text((150, top + 62), WORDS[:86], GREY, ImageFont.load_default(17))
        draw.line((150, top + 110, 1000, top + 110), FRAME)
    for number in range(4):
        top = 130 + 180 * number
        picture.paste(synthetic_photo(240, 160, 20 + number), (1100, top))
    return picture
