"""Reads the small grey pictures that the test draws, by Python alone."""

import os
import struct
import zlib
from pathlib import Path


def labels(split: str) -> list[str]:
    return sorted(folder.name for folder in data_dir(split).iterdir() if folder.is_dir())


def files(split: str, label: str) -> list[Path]:
    return sorted((data_dir(split) / label).iterdir())


def data_dir(split: str) -> Path:
    return Path(os.environ["DATA_DIR"]) / split


def read_pixels(path: Path) -> list[int]:
    """The pixels of a PNG with 8 bits of grey whose rows have no filter but “Sub”."""
    data = path.read_bytes()
    position, packed, width = 8, b"", 0
    while position < len(data):
        size, kind = struct.unpack(">I4s", data[position : position + 8])
        content = data[position + 8 : position + 8 + size]
        position += size + 12
        if kind == b"IHDR":
            width = struct.unpack(">I", content[:4])[0]
        elif kind == b"IDAT":
            packed += content
    rows = zlib.decompress(packed)
    pixels = []
    for start in range(0, len(rows), width + 1):
        if rows[start] != 1:
            raise ValueError(f"{path} has a row with the filter {rows[start]}.")
        value = 0
        for difference in rows[start + 1 : start + 1 + width]:
            value = (value + difference) & 255
            pixels.append(value)
    return pixels
