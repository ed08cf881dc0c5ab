"""A contact sheet: small images of both splits, with the names of their classes."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from fairdarts.data.survey import THUMBNAIL, Shown, Survey

ROWS, COLUMNS = 4, 8
"""Half of the rows are training images, the others test images."""
NUM_EXAMPLES = ROWS // 2 * COLUMNS
"""Images of each split on a sheet."""
TILE = THUMBNAIL
"""Height and width in pixels. Smaller images are enlarged by a whole factor, without blurring."""
MARGIN, CAPTION, HEADER = 6, 14, 18
FONT_SIZE = 10


def contact_sheet(survey: Survey) -> bytes:
    """Draw 4 x 8 images, two rows of each split, as a PNG.

    Args:
        survey: With up to `NUM_EXAMPLES` examples of each split.
    """
    width = MARGIN + COLUMNS * (TILE + MARGIN)
    half = HEADER + ROWS // 2 * (TILE + CAPTION + MARGIN)
    sheet = Image.new("RGB", (width, MARGIN + 2 * half), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (name, split) in enumerate(
        (("training images", survey.train), ("test images", survey.test))
    ):
        top = MARGIN + number * half
        draw.text((MARGIN, top), name, "black", ImageFont.load_default(FONT_SIZE + 2))
        _draw_examples(sheet, draw, split.examples, top + HEADER)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _draw_examples(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, examples: Sequence[Shown], top: int
) -> None:
    font = ImageFont.load_default(FONT_SIZE)
    for number, example in enumerate(examples):
        row, column = divmod(number, COLUMNS)
        x = MARGIN + column * (TILE + MARGIN)
        y = top + row * (TILE + CAPTION + MARGIN)
        tile = _fitted(example.image)
        sheet.paste(tile, (x + (TILE - tile.width) // 2, y + (TILE - tile.height) // 2))
        draw.text((x, y + TILE), _shortened(example.class_name, font), "black", font)


def _fitted(image: Image.Image) -> Image.Image:
    """The image, as large as a tile can show it."""
    factor = TILE / max(image.size)
    if factor >= 2:
        factor = int(factor)
    size = [max(1, round(side * factor)) for side in image.size]
    kind = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.BILINEAR
    return image.resize((size[0], size[1]), kind)


def _shortened(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if font.getlength(name) <= TILE:
        return name
    while name and font.getlength(f"{name}…") > TILE:
        name = name[:-1]
    return f"{name}…"
