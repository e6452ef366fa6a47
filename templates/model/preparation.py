"""
From an image file to the network's input, exactly as the serving code does it. Needs NumPy and Pillow, but no PyTorch,
because predict.py takes it along to machines that have none.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

# The contract with the code that serves the model. Changing any of it makes models that the serving code can't read.
IMAGE_SIZE = 224
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

# Of image files, where nobody says which endings count.
IMAGE_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class TooNarrow(ValueError):
    """An image of which nothing would be left of the short side."""


def decode(content: bytes) -> Image.Image:
    """
    An image file as 8-bit RGB. Grey becomes three equal channels, a palette its colours; transparency is dropped, as
    `convert("RGB")` does. More than 8 bits are stretched from the darkest to the brightest pixel, as programs for
    microscopy show them: plain conversion would cut off all above 255. Of several frames it is the first.
    """
    image: Image.Image = Image.open(io.BytesIO(content))
    image.load()
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(stretch(np.asarray(image, dtype=np.float64))).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def mode_of(content: bytes) -> str:
    """What Pillow calls the kind of a file's pixels. The serving code takes “RGB” and fails on all else."""
    return Image.open(io.BytesIO(content)).mode


def stretch(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    return np.round((values - low) / (high - low or 1.0) * 255).astype(np.uint8)


def scaled(width: int, height: int, size: int = IMAGE_SIZE) -> tuple[int, int]:
    """
    The sides after scaling. The serving code cuts off and does not round, so the long side may become one pixel less
    than `size`: 55 × (224 / 55) is less than 224 in floating-point numbers.
    """
    scale = size / max(width, height)
    sides = int(width * scale), int(height * scale)
    if min(sides) == 0:
        raise TooNarrow(
            f"{width} × {height} pixels are too narrow: scaled to {size}, nothing is left of the short side"
        )
    return sides


def square(image: Image.Image, size: int = IMAGE_SIZE) -> np.ndarray:
    """An RGB image with its long side scaled to `size` (bilinear), the rest filled by repeating the edges."""
    return filled(np.asarray(image.resize(scaled(*image.size, size), Image.Resampling.BILINEAR)), size)


def filled(pixels: np.ndarray, size: int) -> np.ndarray:
    """A square with the picture in its middle."""
    height, width, _ = pixels.shape
    left, top = (size - width) // 2, (size - height) // 2
    return np.pad(pixels, ((top, size - height - top), (left, size - width - left), (0, 0)), mode="edge")


def normalise(pixels: np.ndarray) -> np.ndarray:
    """The network's input, of the colours 0–255: (3, size, size)."""
    values = pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    mean, std = (np.array(three, dtype=np.float32).reshape(3, 1, 1) for three in (MEAN, STD))
    return (values - mean) / std
