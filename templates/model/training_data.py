"""The images to learn from: which of them are held back, in which order the others come, and how they are varied."""

from __future__ import annotations

import argparse
import io
import math
import random
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from common import Example, ImageFiles, Item, Scan, UserError, find_data_dir, load_image, names, scan_split, warn
from picture_cache import PictureCache
from preparation import decode, filled, square
from sizes import in_unit

# At most so much of an image is cut off on each side.
CROPPED = 0.05


@dataclass(frozen=True)
class Data:
    folder: Path
    classes: list[str]
    training: list[Example]
    validation: list[Example]
    broken: list[tuple[str, str]]


def read_data(options: argparse.Namespace) -> Data:
    folder = find_data_dir(options.data_dir)
    scan = scan_split(folder, "train", options.max_broken, options.image_size)
    if len(scan.classes) < 2:
        raise UserError(f"{folder}/train has only the class {names(scan.classes)}: at least two are needed.")
    scan = replace(scan, examples=in_unit(folder, scan.examples, options.size_input))
    training, validation = split(scan, options.validation, options.seed)
    return Data(folder, scan.classes, training, validation, scan.broken)


def split(scan: Scan, share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """
    Holds part of the training images back to choose the epoch by: the same share of each class, at least one image,
    never all. Identical images and those of one group stay together, or the validation would be too optimistic.
    """
    units = inseparable(scan.examples)
    random.Random(seed).shuffle(units)
    total = Counter(example.label for example in scan.examples)
    held: Counter[str] = Counter()
    chosen: set[str] = set()

    def hold(unit: list[Example]) -> None:
        held.update(example.label for example in unit)
        chosen.update(example.path for example in unit)

    for unit in units:
        # Half a unit too many is as near to the share as half a unit too few.
        sizes = Counter(example.label for example in unit)
        if all(
            held[label] + size / 2 <= max(1.0, share * total[label]) and held[label] + size < total[label]
            for label, size in sizes.items()
        ):
            hold(unit)
    for label in scan.classes:
        if not held[label]:  # Its units are large: take the smallest if at least half of the class remains.
            unit = min((unit for unit in units if any(example.label == label for example in unit)), key=len)
            if {example.label for example in unit} == {label} and 2 * len(unit) <= total[label]:
                hold(unit)
    without = [label for label in scan.classes if not held[label]]
    if len(without) == len(scan.classes):
        raise UserError("Too few images for a validation split: at least one class needs two that are independent.")
    if without:
        warn(f"No image can be spared for validation in the class(es) {names(without)}: too few independent images.")
    training = [example for example in scan.examples if example.path not in chosen]
    return training, [example for example in scan.examples if example.path in chosen]


def inseparable(examples: list[Example]) -> list[list[Example]]:
    """Examples joined by equal content or equal group, also through others."""
    parent = list(range(len(examples)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = index = parent[parent[index]]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, example in enumerate(examples):
        for key in (("content", example.sha256), ("group", example.group)):
            if key[1]:
                parent[root(index)] = root(first.setdefault(key, index))
    units: dict[int, list[Example]] = {}
    for index, example in enumerate(examples):
        units.setdefault(root(index), []).append(example)
    return list(units.values())


def balanced_weights(targets: np.ndarray, classes: int, balance: str) -> np.ndarray:
    """
    The weight of an image of each class. Unless `balance` is `none`, every class has the same weight altogether, and
    the mean weight of an image is 1. A class without images, as in a part of them, has none.
    """
    counts = np.bincount(targets, minlength=classes).astype(np.float64)
    present = counts > 0
    if balance == "none":
        return present.astype(np.float64)
    return np.where(present, counts.sum() / (present.sum() * np.maximum(counts, 1)), 0.0)


class PreparedFiles(ImageFiles):
    """Images as the network's input except for the normalisation, as bytes: prepared exactly, and kept for later."""

    def __init__(self, data: Data, examples: list[Example], options: argparse.Namespace, cache: PictureCache) -> None:
        super().__init__(data.folder, examples, data.classes, options.image_size)
        self.cache = cache

    def __getitem__(self, index: int) -> Item:
        pixels = self.cache.get(index)
        if pixels is None:
            pixels = square(load_image(self.paths[index]), self.size)
            self.cache.put(index, pixels)
        return channels_first(pixels), self.targets[index], self.sizes[index]


class TrainingFiles(ImageFiles):
    """
    Augmented images, as above. Kept are small pictures, from which each epoch makes others; the first one, too, so that
    it does not matter which are kept. A key holds the seed of the augmentation, so that nothing else decides it.
    """

    def __init__(self, data: Data, options: argparse.Namespace, cache: PictureCache) -> None:
        super().__init__(data.folder, data.training, data.classes, options.image_size)
        self.augments = options.augment == "standard"
        self.cache = cache

    def __getitem__(self, item: Any) -> Item:
        index, seed = item
        pixels = self.cache.get(index)
        if pixels is None:
            pixels = np.asarray(small_picture(self.paths[index].read_bytes(), self.cache.side))
            self.cache.put(index, pixels)
        image = Image.fromarray(pixels)
        if self.augments:
            varied = augment(image, self.size, np.random.default_rng(seed))
        else:
            image = image.resize(sides_of(*image.size, self.size), Image.Resampling.BILINEAR)
            varied = filled(np.asarray(image), self.size)
        return channels_first(varied), self.targets[index], self.sizes[index]


def kept_side(size: int) -> int:
    """The long side of a kept picture: what is cropped to nine tenths of it still has the network's size."""
    return math.ceil(size / (1 - 2 * CROPPED))


def sides_of(width: float, height: float, size: int) -> tuple[int, int]:
    """As in preparation, but in training a very narrow picture is one pixel wide and no error."""
    scale = size / max(width, height)
    return max(1, int(width * scale)), max(1, int(height * scale))


def channels_first(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def small_picture(content: bytes, side: int) -> Image.Image:
    """An image file as RGB, its long side at most `side`. Of a JPEG, only as much is decoded as that needs."""
    image: Image.Image = Image.open(io.BytesIO(content))
    if image.format == "JPEG" and image.mode in ("RGB", "L"):
        scale = min(1.0, side / max(image.size))
        image.draft(image.mode, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
        image = image.convert("RGB")
    else:
        image = decode(content)
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def augment(image: Image.Image, size: int, generator: np.random.Generator) -> np.ndarray:
    """
    What changes a picture but not the species: how the cell lies, how closely it was cut out, how bright it is. It is
    cut out and scaled in one step, and all else is done to the small picture.
    """
    width, height = image.size
    left, top, right, bottom = generator.uniform(0, CROPPED, 4) * (width, height, width, height)
    box = (left, top, width - right, height - bottom)
    image = image.resize(sides_of(box[2] - box[0], box[3] - box[1], size), Image.Resampling.BILINEAR, box)
    if generator.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if generator.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if generator.random() < 0.5:
        image = image.transpose(Image.Transpose.ROTATE_90)
    return filled(np.asarray(relit(image, generator.uniform(0.8, 1.2), generator.uniform(0.8, 1.2))), size)


def relit(image: Image.Image, brightness: float, contrast: float) -> Image.Image:
    """Brighter or darker, and then with more or less contrast about its mean: one table for all pixels."""
    values = np.minimum(np.arange(256) * brightness, 255)
    mean = float(np.dot(image.convert("L").histogram(), values)) / (image.width * image.height)
    table = np.clip(mean + (values - mean) * contrast, 0, 255).round().astype(int).tolist()
    return image.point(table * 3)


def epoch_order(
    targets: list[int], balance: str, seed: int, epoch: int, batch: int, rank: int, size: int
) -> list[tuple[int, tuple[int, int, int]]]:
    """
    Which images this process sees in an epoch, in order, each with the seed of its augmentation. It follows from seed
    and epoch alone: that makes a resumed training go on exactly where it stopped.
    """
    generator = np.random.default_rng((seed, epoch))
    count = len(targets)
    if balance == "sampler":
        rarity = 1 / np.bincount(targets)[targets]
        order = generator.choice(count, count, p=rarity / rarity.sum())
    else:
        order = generator.permutation(count)
    # All processes take equally many steps: one that stopped early would leave the others waiting.
    order = np.resize(order, math.ceil(count / size) * size)
    mine = [(int(order[place]), (seed, epoch, place)) for place in range(rank, len(order), size)]
    # Batch normalisation can't learn from a single image.
    return mine[:-1] if len(mine) % batch == 1 else mine
