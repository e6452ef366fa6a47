"""The images to learn from: which of them are held back, in which order the others come, and how they are varied."""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance

from common import Example, ImageFiles, Scan, UserError, find_data_dir, load_image, names, prepare, scan_split, warn


@dataclass(frozen=True)
class Data:
    folder: Path
    classes: list[str]
    training: list[Example]
    validation: list[Example]
    broken: list[tuple[str, str]]


def read_data(options: argparse.Namespace) -> Data:
    folder = find_data_dir(options.data_dir)
    scan = scan_split(folder, "train", options.max_broken)
    if len(scan.classes) < 2:
        raise UserError(f"{folder}/train has only the class {names(scan.classes)}: at least two are needed.")
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


class TrainingFiles(ImageFiles):
    """Prepared and augmented images. A key holds the seed of the augmentation, so that nothing else decides it."""

    def __init__(self, data: Data, options: argparse.Namespace) -> None:
        super().__init__(data.folder, data.training, data.classes, options.image_size)
        self.augments = options.augment == "standard"

    def __getitem__(self, item: Any) -> tuple[torch.Tensor, int]:
        index, seed = item
        image = load_image(self.paths[index])
        if self.augments:
            image = augment(image, np.random.default_rng(seed))
        return prepare(image, self.size), self.targets[index]


def augment(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """What changes a picture but not the species: how the cell lies, how closely it was cut out, how bright it is."""
    width, height = image.size
    left, top, right, bottom = generator.uniform(0, 0.05, 4) * (width, height, width, height)
    # At most 5 % go on each side, so that even a side of one pixel stays.
    image = image.crop((round(left), round(top), width - round(right), height - round(bottom)))
    if generator.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if generator.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if generator.random() < 0.5:
        image = image.transpose(Image.Transpose.ROTATE_90)
    image = ImageEnhance.Brightness(image).enhance(generator.uniform(0.8, 1.2))
    return ImageEnhance.Contrast(image).enhance(generator.uniform(0.8, 1.2))


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
