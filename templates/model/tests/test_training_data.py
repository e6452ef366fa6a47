"""Which images are held back, and in which order the others come."""

from __future__ import annotations

import tempfile
import unittest
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from support import make_data

from common import Example, Scan, UserError, scan_split
from training_data import augment, epoch_order, split


def examples(label: str, count: int, group_of: object = None) -> list[Example]:
    group = group_of if callable(group_of) else lambda number: ""
    return [Example(f"train/{label}/{number}.png", label, f"{label}{number}", group(number)) for number in range(count)]


def scan_of(*parts: list[Example]) -> Scan:
    found = [example for part in parts for example in part]
    return Scan(sorted({example.label for example in found}), found, [])


class Splitting(unittest.TestCase):
    def test_takes_the_same_share_of_each_class_at_least_one_never_all(self) -> None:
        scan = scan_of(examples("a", 500), examples("b", 10), examples("c", 3), examples("d", 2))
        training, validation = split(scan, 0.2, 1)
        self.assertEqual(Counter(item.label for item in validation), {"a": 100, "b": 2, "c": 1, "d": 1})
        self.assertEqual(sorted(item.path for item in (*training, *validation)), sorted(i.path for i in scan.examples))

    def test_keeps_a_single_image_for_training(self) -> None:
        training, validation = split(scan_of(examples("a", 10), examples("b", 1)), 0.2, 1)
        self.assertIn("b", {item.label for item in training})
        self.assertNotIn("b", {item.label for item in validation})

    def test_follows_from_the_seed(self) -> None:
        scan = scan_of(examples("a", 50))
        self.assertEqual(split(scan, 0.2, 1), split(scan, 0.2, 1))
        self.assertNotEqual(split(scan, 0.2, 1), split(scan, 0.2, 2))

    def test_keeps_groups_together(self) -> None:
        scan = scan_of(examples("a", 60, lambda number: f"a/{number // 5}"), examples("b", 20))
        for seed in range(20):
            training, validation = split(scan, 0.2, seed)
            shared = {item.group for item in training} & {item.group for item in validation} - {""}
            self.assertEqual(shared, set())
            self.assertTrue(5 <= sum(item.label == "a" for item in validation) <= 15)

    def test_takes_a_large_group_when_a_class_has_no_smaller_one(self) -> None:
        scan = scan_of(examples("a", 10, lambda number: f"a/{number // 5}"), examples("b", 20))
        validation = split(scan, 0.2, 1)[1]
        self.assertEqual(sum(item.label == "a" for item in validation), 5)

    def test_keeps_identical_images_together_also_through_a_group(self) -> None:
        twins = [Example("train/a/x.png", "a", "same", "a/1"), Example("train/a/y.png", "a", "same", "")]
        mate = [Example("train/a/z.png", "a", "other", "a/1")]
        for seed in range(20):
            validation = {item.path for item in split(scan_of(examples("a", 12), twins, mate), 0.3, seed)[1]}
            self.assertIn(len(validation & {"train/a/x.png", "train/a/y.png", "train/a/z.png"}), (0, 3))

    def test_says_when_no_class_can_spare_an_image(self) -> None:
        with self.assertRaisesRegex(UserError, "needs two"):
            split(scan_of(examples("a", 1), examples("b", 4, lambda number: "b/1")), 0.2, 1)

    def test_reads_groups_from_the_manifest(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            data = make_data(Path(name), train=2, test=1)
            (data / "manifest.csv").write_text(
                "path,label,group\n"
                'train/cymbella/000.png,cymbella,"cymbella/slide, 1"\n'
                "train/cymbella/001.png,cymbella,\n"
            )
            groups = {item.path: item.group for item in scan_split(data, "train", 0).examples}
        self.assertEqual(groups["train/cymbella/000.png"], "cymbella/slide, 1")
        self.assertEqual(groups["train/cymbella/001.png"], "")


class Order(unittest.TestCase):
    def test_has_every_image_once_and_differs_from_epoch_to_epoch(self) -> None:
        first, second = (epoch_order([0] * 10, "none", 1, epoch, 4, 0, 1) for epoch in (1, 2))
        self.assertEqual(sorted(index for index, _ in first), list(range(10)))
        self.assertNotEqual([index for index, _ in first], [index for index, _ in second])
        self.assertEqual(first, epoch_order([0] * 10, "none", 1, 1, 4, 0, 1))

    def test_gives_all_processes_equally_many_images_and_together_all(self) -> None:
        parts = [epoch_order([0] * 11, "none", 1, 1, 4, rank, 3) for rank in range(3)]
        self.assertEqual([len(part) for part in parts], [4, 4, 4])
        self.assertEqual({index for part in parts for index, _ in part}, set(range(11)))

    def test_never_ends_in_a_batch_of_one(self) -> None:
        self.assertEqual(len(epoch_order([0] * 9, "none", 1, 1, 4, 0, 1)), 8)

    def test_sampler_draws_all_classes_equally_often(self) -> None:
        targets = [0] * 500 + [1] * 10
        drawn = Counter(
            targets[index] for epoch in range(20) for index, _ in epoch_order(targets, "sampler", 1, epoch, 32, 0, 1)
        )
        self.assertAlmostEqual(drawn[1] / sum(drawn.values()), 0.5, delta=0.03)

    def test_seeds_of_augmentation_never_repeat(self) -> None:
        seeds = [seed for epoch in (1, 2) for _, seed in epoch_order([0, 0, 1, 1], "sampler", 1, epoch, 2, 0, 1)]
        self.assertEqual(len(set(seeds)), 8)


class Augmenting(unittest.TestCase):
    def test_follows_from_its_seed_and_keeps_even_a_single_pixel(self) -> None:
        image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 140, 3), dtype=np.uint8))
        results = [augment(image, np.random.default_rng(seed)).tobytes() for seed in (1, 1, 2)]
        self.assertEqual(results[0], results[1])
        self.assertNotEqual(results[0], results[2])
        for seed in range(50):
            self.assertGreaterEqual(min(augment(Image.new("RGB", (1, 1)), np.random.default_rng(seed)).size), 1)


if __name__ == "__main__":
    unittest.main()
