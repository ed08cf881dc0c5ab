"""Image files of every kind that people bring: each becomes RGB, or is refused by name."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from fairdarts.config import DataConfig
from fairdarts.data.delivery import ordered_batches
from fairdarts.data.image_file import open_image
from fairdarts.data.images import ImageSet
from fairdarts.data.sources import load_train
from fairdarts.data.views import centre_view
from fairdarts.errors import DataError

CHANCE = np.random.default_rng(0)
COLOURS = Image.fromarray(CHANCE.integers(0, 256, (16, 16, 3), dtype=np.uint8))
MANY_BITS = CHANCE.integers(0, 65536, (16, 16), dtype=np.uint16)
PATHS = [{"image_size": 16}, {"image_size": 16, "augmentation": "resized_crop"}]
"""Decoded into memory, and for each batch."""


def saved(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def bare_png(width: int, height: int, bits: int, colour_type: int, rows: bytes) -> bytes:
    """What Pillow does not write: many bits, many pixels; `rows` each begin with their filter."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def colours_of_16_bits() -> bytes:
    pixels = np.asarray(COLOURS).astype(">u2") * 256 + 77
    return bare_png(16, 16, 16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))


def rotated_by_the_camera() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(COLOURS, "JPEG", exif=exif)


def with_a_long_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("history", "x" * 5_000_000, zip=True)
    return saved(COLOURS, pnginfo=text)


def grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def transparent() -> Image.Image:
    image = COLOURS.copy()
    image.putalpha(Image.fromarray(CHANCE.integers(0, 256, (16, 16), dtype=np.uint8)))
    return image


PALETTE = COLOURS.quantize(16)
SECOND = {"save_all": True, "append_images": [COLOURS.rotate(90)]}
READ: dict[str, tuple[Callable[[], bytes], Image.Image]] = {
    "grey": (lambda: saved(COLOURS.convert("L")), grey(COLOURS)),
    "black and white": (lambda: saved(COLOURS.convert("1")), COLOURS.convert("1").convert("RGB")),
    "grey with alpha": (lambda: saved(COLOURS.convert("LA")), grey(COLOURS)),
    "alpha": (lambda: saved(transparent()), COLOURS),
    "palette": (lambda: saved(PALETTE), PALETTE.convert("RGB")),
    "transparent palette": (
        lambda: saved(PALETTE, transparency=bytes(range(16))),
        PALETTE.convert("RGB"),
    ),
    "colours of 16 bits": (colours_of_16_bits, COLOURS),
    "CMYK": (
        lambda: saved(COLOURS.convert("CMYK"), "TIFF"),
        COLOURS.convert("CMYK").convert("RGB"),
    ),
    "animated PNG": (lambda: saved(COLOURS, **SECOND), COLOURS),
    "animated WebP": (lambda: saved(COLOURS, "WEBP", lossless=True, **SECOND), COLOURS),
    "two pages": (lambda: saved(COLOURS, "TIFF", **SECOND), COLOURS),
}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "grey of 16 bits": (
        lambda: saved(Image.fromarray(MANY_BITS)),
        r"has more than 8 bits a channel \(Pillow's mode I;16\): convert it to 8-bit",
    ),
    "grey of 16 bits, big end first": (
        lambda: saved(Image.frombytes("I;16B", (16, 16), MANY_BITS.tobytes()), "TIFF"),
        r"has more than 8 bits a channel \(Pillow's mode I;16B\): convert it to 8-bit",
    ),
    "integers of 32 bits": (
        lambda: saved(Image.fromarray(MANY_BITS.astype(np.int32)), "TIFF"),
        r"has more than 8 bits a channel",
    ),
    "floating-point numbers": (
        lambda: saved(Image.fromarray(MANY_BITS.astype(np.float32)), "TIFF"),
        r"has more than 8 bits a channel \(Pillow's mode F\)",
    ),
    "too many pixels": (
        lambda: bare_png(20_000, 20_000, 1, 0, b""),
        r"has more than 178,956,970 pixels, the most that are decoded: make it smaller\.",
    ),
    "too long a text": (with_a_long_text, r"is not a readable image \(.*too large.*\): replace it"),
    "empty": (lambda: b"", r"is not a readable image \(it is empty\): replace it or leave it out"),
    "not an image": (lambda: b"text", r"is not a readable image \(its format is not known\)"),
    "cut off": (lambda: saved(COLOURS)[:200], r"is not a readable image \(.*[Tt]runcated.*\)"),
}


def folder_with(top: Path, data: bytes) -> str:
    """Source of two classes; the image `train/ant/0.png` has this content."""
    for split in ("train", "test"):
        for name in ("ant", "bee"):
            (top / split / name).mkdir(parents=True)
            for number in range(2):
                (top / split / name / f"{number}.png").write_bytes(saved(COLOURS))
    (top / "train" / "ant" / "0.png").write_bytes(data)
    return f"folder:{top}"


def first_image(source: str, **settings: Any) -> tuple[torch.Tensor, Any]:
    """Pixels of `ant/0.png` in 0..255, and all training images."""
    images = load_train(DataConfig(source=source, **settings))
    if isinstance(images, ImageSet):
        return images.images[0], images
    batches = ordered_batches(images, 4, channels_last=False, device=torch.device("cpu"))
    normal = next(batches)[0][0]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (images.mean, images.std))
    return ((normal * std + mean) * 255).round(), images


@pytest.mark.parametrize("name", READ)
def test_other_kinds_of_images_become_rgb(name: str) -> None:
    data, expected = READ[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = open_image(data(), "image")
    assert found.mode == "RGB"
    assert np.array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("settings", PATHS)
def test_both_ways_of_loading_read_them_alike(tmp_path: Path, settings: dict[str, Any]) -> None:
    data, expected = READ["transparent palette"]
    plain, _ = first_image(folder_with(tmp_path / "plain", saved(expected)), **settings)
    found, _ = first_image(folder_with(tmp_path / "other", data()), **settings)
    assert torch.equal(found, plain)


@pytest.mark.parametrize("settings", PATHS)
@pytest.mark.parametrize("name", REFUSED)
def test_an_image_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, name: str, settings: dict[str, Any]
) -> None:
    data, message = REFUSED[name]
    with pytest.raises(DataError, match=rf"train/ant/0\.png {message}") as caught:
        first_image(folder_with(tmp_path, data()), **settings)
    assert "object at 0x" not in str(caught.value)


@pytest.mark.parametrize("settings", PATHS)
def test_a_rotation_by_the_camera_is_not_applied(tmp_path: Path, settings: dict[str, Any]) -> None:
    plain, _ = first_image(folder_with(tmp_path / "plain", saved(COLOURS, "JPEG")), **settings)
    found, _ = first_image(folder_with(tmp_path / "other", rotated_by_the_camera()), **settings)
    assert torch.equal(found, plain)


@pytest.mark.parametrize("settings", PATHS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_an_image_of_a_pixel_or_a_line_of_them_is_resized(
    tmp_path: Path, size: tuple[int, int], settings: dict[str, Any]
) -> None:
    line = Image.new("RGB", size, (10, 20, 30))
    found, _ = first_image(folder_with(tmp_path, saved(line)), **settings)
    assert found.shape == (3, 16, 16)
    assert found.flatten(1).unique(dim=1).flatten().tolist() == [10, 20, 30]


def test_a_pixel_without_a_size_says_what_to_set(tmp_path: Path) -> None:
    source = folder_with(tmp_path, saved(COLOURS.resize((1, 1))))
    with pytest.raises(DataError, match=r"is 16 x 16 pixels, not 1 x 1: set data\.image_size"):
        load_train(DataConfig(source=source))


@pytest.mark.parametrize("size", [(100_000, 1), (1, 100_000), (30_000, 3)])
def test_the_centre_of_a_long_line_takes_little_memory(size: tuple[int, int]) -> None:
    # As a whole it would be 100,000 times 585 x 585 pixels.
    line = Image.new("RGB", size, (10, 20, 30))
    assert centre_view(512)(line).shape == (3, 512, 512)


def test_a_large_image_is_read_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)  # Pillow warns from here to twice as many.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(saved(COLOURS), "image").size == (16, 16)
    with pytest.raises(DataError, match="image has more than 400 pixels"):
        open_image(saved(COLOURS.resize((20, 21))), "image")
