"""One image file: its size, and its pixels as RGB; no torch."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from fairdarts.errors import DataError


def open_image(data: bytes, where: str) -> Image.Image:
    """Decode one image file to RGB.

    Palettes, grey, CMYK and other colours become RGB. Transparency is dropped. Colours of 16 bits a
    channel keep their upper 8 bits. The first picture of an animation is used. The image is not
    rotated, whatever its EXIF data say: torchvision and timm do not rotate it either, and published
    accuracies were measured with them.

    Args:
        data: The content of the file.
        where: Names the image in an error.
    Raises:
        DataError: If `data` is not a whole image, has more than 8 bits a channel in grey, or is too
            large; the sentence says which.
    """
    with _opened(data, where) as image:
        if image.mode.startswith(("I", "F")):  # Pillow would clip these to 0..255.
            raise DataError(
                f"{where} has more than 8 bits a channel (Pillow's mode {image.mode}): convert "
                "it to 8-bit grey or RGB, with the range of values that you want to show."
            )
        return image.convert("RGB")


def image_size(data: bytes, where: str) -> tuple[int, int]:
    """Height and width in pixels, from the header of an image file.

    Raises:
        DataError: If `data` is not an image, or is too large.
    """
    with _opened(data, where) as image:
        return image.height, image.width


@contextmanager
def _opened(data: bytes, where: str) -> Iterator[Image.Image]:
    """An image that can be decoded inside the block."""
    try:
        # Pillow warns only of what does no harm here, such as damaged EXIF data; else it raises.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            yield image
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(
            f"{where} has more than {most:,} pixels, the most that are decoded: make it smaller."
        ) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow raises many kinds of errors on damaged bytes.
        raise DataError(
            f"{where} is not a readable image ({_reason(data, error)}): replace it or leave it out."
        ) from error


def _reason(data: bytes, error: Exception) -> str:
    if not data:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):  # Its own text names a Python object.
        return "its format is not known"
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
