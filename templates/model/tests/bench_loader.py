"""
How fast the images of a training come, as a ratio to the plain loop of torchvision on the same images: the first epoch,
and later ones. Run it alone on a machine: python tests/bench_loader.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import support  # noqa: F401  # finds the programs
import torch
from PIL import Image, ImageFilter
from torchvision import datasets, transforms

from common import Example
from picture_cache import PictureCache
from preparation import IMAGE_SIZE, MEAN, STD
from training_data import Data, TrainingFiles, kept_side

KINDS = ((2048, 1536, "jpg", 48), (600, 400, "jpg", 240), (120, 60, "png", 480))


def make_images(folder: Path, width: int, height: int, kind: str, count: int) -> list[Example]:
    """Blobs with the noise of a camera, as compressible as a micrograph."""
    generator = np.random.default_rng(1)
    examples = []
    for number in range(count):
        coarse = generator.integers(0, 256, (max(2, height // 32), max(2, width // 32), 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).filter(ImageFilter.SHARPEN)
        noise = generator.normal(0, 4, (height, width, 1))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
        path = f"train/{'ab'[number % 2]}/{number}.{kind}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / path, quality=90)
        examples.append(Example(path, "ab"[number % 2], str(number), ""))
    return examples


def plain_loop(folder: Path, workers: int) -> Callable[[], Iterable[object]]:
    steps = transforms.Compose(
        [
            transforms.ColorJitter(0.2, 0.2),
            transforms.RandomHorizontalFlip(),
            transforms.RandomVerticalFlip(),
            transforms.RandomResizedCrop(IMAGE_SIZE, (0.8, 1)),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    images = datasets.ImageFolder(str(folder / "train"), steps)
    loader = torch.utils.data.DataLoader(images, 32, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    return lambda: loader


def ours(folder: Path, examples: list[Example], workers: int) -> Callable[[], Iterable[object]]:
    options = argparse.Namespace(image_size=IMAGE_SIZE, augment="standard")
    cache = PictureCache(len(examples), kept_side(IMAGE_SIZE), folder)
    images = TrainingFiles(Data(folder, ["a", "b"], examples, [], []), options, cache)
    order = [(index, (1, 1, index)) for index in range(len(examples))]
    loader = torch.utils.data.DataLoader(images, 32, sampler=order, num_workers=workers, persistent_workers=workers > 0)
    return lambda: loader


def seconds(epoch: Callable[[], Iterable[object]]) -> float:
    # In seconds of the processor, if it is this one process that loads: other programs then change little.
    began = time.process_time() if WORKERS == 0 else time.perf_counter()
    for _ in epoch():
        pass
    return (time.process_time() if WORKERS == 0 else time.perf_counter()) - began


WORKERS = int(os.environ.get("WORKERS", "0"))


def main() -> None:
    torch.set_num_threads(1)
    print(f"Images a second of {WORKERS or 'one'} process(es), medians of 3, and how many times the plain loop's:")
    for width, height, kind, count in KINDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            examples = make_images(folder, width, height, kind, count)
            plain, first, later = [], [], []
            theirs = plain_loop(folder, WORKERS)
            seconds(theirs)  # starts processes, and reads the files for the first time
            for _ in range(3):
                mine = ours(folder, examples, WORKERS)
                plain.append(seconds(theirs))
                first.append(seconds(mine))
                later.append(seconds(mine))
        base, begin, then = (statistics.median(each) for each in (plain, first, later))
        print(
            f"{width} × {height} {kind}: plain {count / base:.0f}, first epoch {count / begin:.0f} "
            f"({base / begin:.1f} ×), later {count / then:.0f} ({base / then:.1f} ×)",
            flush=True,
        )


if __name__ == "__main__":
    main()
