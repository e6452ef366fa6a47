"""Which images are held back, and in which order the others come."""

from __future__ import annotations

import argparse
import io
import tempfile
import unittest
import unittest.mock
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from support import make_data

from checkpoints import Saves
from common import Example, ImageFiles, Scan, UserError, scan_split
from picture_cache import PictureCache
from preparation import normalise
from training_data import (
    PreparedFiles,
    TrainingFiles,
    augment,
    epoch_order,
    kept_side,
    read_data,
    small_picture,
    split,
)


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
    def test_follows_from_its_seed_and_fills_the_input_even_from_a_single_pixel(self) -> None:
        image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 140, 3), dtype=np.uint8))
        results = [augment(image, 64, np.random.default_rng(seed)).tobytes() for seed in (1, 1, 2)]
        self.assertEqual(results[0], results[1])
        self.assertNotEqual(results[0], results[2])
        for seed in range(50):
            for size in ((1, 1), (300, 1), (1, 300)):
                self.assertEqual(augment(Image.new("RGB", size), 64, np.random.default_rng(seed)).shape, (64, 64, 3))

    def test_a_large_jpeg_is_decoded_small_and_shows_the_same(self) -> None:
        # Smooth, as a difference of single pixels would be noise.
        picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8))
        large, file = picture.resize((2048, 1536), Image.Resampling.BICUBIC), io.BytesIO()
        large.save(file, "JPEG", quality=95)
        small = small_picture(file.getvalue(), 249)
        self.assertEqual(small.size, (249, 187))
        expected = np.asarray(large.resize((249, 187), Image.Resampling.BILINEAR), dtype=float)
        self.assertLess(float(np.abs(np.asarray(small) - expected).mean()), 3)


class Cache(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = read_data(
            argparse.Namespace(
                data_dir=make_data(self.folder / "data", 3, 1),
                max_broken=0,
                image_size=48,
                size_input="none",
                validation=0.3,
                seed=1,
            )
        )
        self.options = argparse.Namespace(image_size=48, augment="standard")

    def files(self, cache: PictureCache) -> TrainingFiles:
        return TrainingFiles(self.data, self.options, cache)

    def test_what_is_kept_gives_the_same_input_as_the_file(self) -> None:
        cache = PictureCache(len(self.data.training), kept_side(48), self.folder)
        files = self.files(cache)
        keys = [(index, (1, 1, index)) for index in range(len(files))]
        first = [files[key][0] for key in keys]
        self.assertTrue(all(cache.get(index) is not None for index in range(len(files))))
        for path in files.paths:
            path.unlink()
        self.assertTrue(all(torch.equal(files[key][0], before) for key, before in zip(keys, first)))

    def test_processes_that_load_share_what_one_of_them_has_kept(self) -> None:
        cache = PictureCache(len(self.data.training), kept_side(48), self.folder)
        order = [(index, (1, 1, index)) for index in range(len(self.data.training))]
        for _ in torch.utils.data.DataLoader(self.files(cache), sampler=order, num_workers=2):
            pass
        self.assertTrue(all(cache.get(index) is not None for index in range(len(order))))

    def test_the_validation_images_are_prepared_exactly(self) -> None:
        data = self.data
        cache = PictureCache(len(data.validation), 48, self.folder)
        kept = PreparedFiles(data, data.validation, self.options, cache)
        exact = ImageFiles(data.folder, data.validation, data.classes, 48)
        for index in range(len(exact)):
            for _ in range(2):  # from the file, and as it was kept
                pixels = kept[index][0].permute(1, 2, 0).numpy()
                np.testing.assert_array_equal(normalise(pixels), exact[index][0].numpy())

    def test_where_memory_is_short_a_file_is_mapped_that_leaves_nothing_behind(self) -> None:
        with unittest.mock.patch("picture_cache.free_memory", lambda: 0):
            cache = PictureCache(2, 8, self.folder / "kept")
        picture = np.arange(8 * 5 * 3, dtype=np.uint8).reshape(8, 5, 3)
        cache.put(1, picture)
        self.assertIsNone(cache.get(0))
        np.testing.assert_array_equal(cache.get(1), picture)
        self.assertEqual(list((self.folder / "kept").iterdir()), [])

    def test_without_room_for_either_all_is_read_anew(self) -> None:
        nothing = unittest.mock.Mock(free=0)
        with (
            unittest.mock.patch("picture_cache.free_memory", lambda: 0),
            unittest.mock.patch("shutil.disk_usage", lambda _: nothing),
        ):
            cache = PictureCache(len(self.data.training), kept_side(48), self.folder)
        files = self.files(cache)
        self.assertEqual(files[0, (1, 1, 0)][0].shape, (3, 48, 48))
        self.assertIsNone(cache.get(0))


class Checkpoints(unittest.TestCase):
    def test_one_is_written_when_it_costs_a_twentieth_of_the_time_and_always_at_the_end(self) -> None:
        now = [0.0]
        written = []

        def write(*_: object) -> None:
            written.append(now[0])
            now[0] += 2

        with (
            unittest.mock.patch("checkpoints.save_checkpoint", write),
            unittest.mock.patch("checkpoints.time.monotonic", lambda: now[0]),
        ):
            saves = Saves()
            for _ in range(20):  # epochs of ten seconds
                now[0] += 10
                saves.save(unittest.mock.Mock(), Path("checkpoint.pt"), wanted=False)
            self.assertEqual(written, [10, 52, 94, 136, 178])
            saves.save(unittest.mock.Mock(), Path("checkpoint.pt"), wanted=True)
            self.assertEqual(len(written), 6)


if __name__ == "__main__":
    unittest.main()
