"""One image file: its size, and its pixels as RGB; no torch."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from fairdarts.errors import DataError


def open_image(data: bytes, where: str) -> Image.Image:
    """Decode one image file to RGB.

    Palettes, grey, CMYK and other colours become RGB; transparency is dropped; of 16 bits a channel
    in colour the upper 8 are kept; of an animation the first picture is taken. Pixels stay where
    they are stored, whatever EXIF says of how the camera was held: torchvision and timm, with which
    published accuracies were measured, read them so too.

    Raises:
        DataError: If `data` is not a whole image, has more than 8 bits a channel in grey, or is too
            large; the sentence says which, and `where` names the image.
    """
    with _opened(data, where) as image:
        if image.mode.startswith(("I", "F")):  # Pillow would clip these to 0..255.
            raise DataError(
                f"{where} has more than 8 bits a channel (Pillow's mode {image.mode}): convert "
                "it to 8-bit grey or RGB, with the range of values that you want to be seen."
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
    """An image for the length of the block, in which it may be decoded."""
    try:
        # Pillow warns of what does no harm here, such as damaged EXIF data; the rest it raises.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            yield image
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(
            f"{where} has more than {most:,} pixels, the most that are decoded: make it smaller."
        ) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise many kinds on damaged bytes.
        raise DataError(
            f"{where} is not a readable image ({_reason(data, error)}): replace it or leave it out."
        ) from error


def _reason(data: bytes, error: Exception) -> str:
    if not data:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):  # Its own text names a Python object.
        return "its format is not known"
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
