"""The check of the labels: what it finds, its list and its page, and where a network has looked."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import shutil
import tempfile
import unittest
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from support import draw_cell, make_data, run_well

import backbones
import class_map
import label_issues
import label_page
from calibration import softmax
from common import Example, build_network
from confident_learning import Findings, can_be_judged, judge
from methods import Measured
from training_data import Data

HOSTILE = "<b onload=\"x\">&'c'"
NAMES = ["Cymbella", HOSTILE, "Navicula", "Tabellaria"]
PROBE = {
    "METHOD": "probe",
    "BACKBONE": "efficientnet-lite0",
    "INITIAL_WEIGHTS": "imagenet",
    "IMAGE_SIZE": 96,
    "LABEL_CHECK": "auto",
}


class Elements(HTMLParser):
    """Names and attributes of a page's elements, and its text; fails on what is closed in another order than opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data


class Forged(unittest.TestCase):
    """A data set with easy classes, of which 5 % of the labels are swapped: trained and tested once, as programs."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory()
        cls.data, cls.output = Path(cls.temporary.name) / "data", Path(cls.temporary.name) / "output"
        make_data(cls.data, 40, 10, NAMES)
        cls.swapped = cls.swap_labels()
        cls.odd = cls.add_odd_formats()
        generator = np.random.default_rng(1)
        for side in ("train", "test"):
            (cls.data / side / "rare").mkdir()
            draw_cell(2, generator).save(cls.data / side / "rare" / "only.png")
        cls.images = sorted(path.relative_to(cls.data).as_posix() for path in cls.data.glob("*/*/*"))
        rows = [("path", "group", "source_zip", "source_path")]
        rows += [(path, "", f"{path.split('/')[1]} & co.zip", f"a/{path.split('/')[2]}") for path in cls.images]
        with open(cls.data / "manifest.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        cls.train_log = run_well("train.py", cls.data, cls.output, **PROBE)
        run_well("test.py", cls.data, cls.output)
        with open(cls.output / label_issues.LIST, encoding="utf-8", newline="") as file:
            cls.rows = list(csv.DictReader(file))
        cls.page = (cls.output / label_page.FILE).read_text(encoding="utf-8")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    @classmethod
    def swap_labels(cls) -> set[str]:
        """One image is twice under the wrong label, in train and test: the one must not vouch for the other."""
        swapped = set()
        for number, name in enumerate(NAMES):
            wrong = NAMES[(number + 1) % len(NAMES)]
            for side, picked in (("train", ("000", "001")), ("test", ("000",))):
                for image in picked:
                    target = cls.data / side / wrong / f"swapped-{number}-{image}.png"
                    shutil.move(cls.data / side / name / f"{image}.png", target)
                    swapped.add(target.relative_to(cls.data).as_posix())
        twin = cls.data / "test" / NAMES[1] / "swapped-0-twin.png"
        shutil.copy(cls.data / "train" / NAMES[1] / "swapped-0-000.png", twin)
        return swapped | {twin.relative_to(cls.data).as_posix()}

    @classmethod
    def add_odd_formats(cls) -> list[str]:
        """Of a class that they surely are not of, so that they are on the page."""
        generator = np.random.default_rng(2)
        folder = cls.data / "train" / NAMES[3]
        cell = draw_cell(0, generator)
        grey = np.asarray(cell.convert("L"), dtype=np.uint16)
        Image.fromarray(grey * 16).save(folder / "sixteen.png")
        Image.fromarray(grey * 16).save(folder / "sixteen.tif")
        draw_cell(0, generator).convert("P").save(folder / "<palette>.png")
        draw_cell(0, generator).convert("CMYK").save(folder / "cmyk.tiff")
        names = ("sixteen.png", "sixteen.tif", "<palette>.png", "cmyk.tiff")
        return [f"train/{NAMES[3]}/{name}" for name in names]

    def test_the_swapped_labels_are_on_top_of_the_list(self) -> None:
        wrong = self.swapped | set(self.odd)
        top = [row["path"] for row in self.rows[: len(wrong)]]
        suspected = {row["path"] for row in self.rows if row["suspected"] == "true"}
        recall, precision = len(wrong & suspected) / len(wrong), len(wrong & suspected) / len(suspected)
        print(
            f"{len(wrong)} wrong labels of {len(self.rows)}: {len(wrong & set(top))} on top, recall {recall:.2f}, "
            f"precision {precision:.2f}"
        )
        self.assertGreaterEqual(len(wrong & set(top)), 0.85 * len(wrong))
        self.assertGreaterEqual(recall, 0.6)
        self.assertGreaterEqual(precision, 0.8)

    def test_the_likelier_label_is_the_one_before_the_swap(self) -> None:
        likelier = {row["path"]: row["likelier_label"] for row in self.rows}
        before = {path: NAMES[int(path.rsplit("swapped-", 1)[1][0])] for path in self.swapped}
        right = sum(likelier[path] == name for path, name in before.items())
        self.assertGreaterEqual(right, 0.8 * len(before))

    def test_no_image_is_missing_and_each_has_its_zip_and_path(self) -> None:
        self.assertEqual(sorted(row["path"] for row in self.rows), self.images)
        for row in self.rows:
            side, label, name = row["path"].split("/")
            self.assertEqual((row["source_zip"], row["source_path"]), (f"{label} & co.zip", f"a/{name}"))
            self.assertEqual(row["label"], label)

    def test_a_class_of_two_images_is_not_judged_and_that_is_told(self) -> None:
        rare = [row for row in self.rows if row["label"] == "rare"]
        self.assertEqual([(row["suspected"], row["score"]) for row in rare], [("", "")] * 2)
        self.assertIn("Not judged: 2 image(s)", Elements(self.page).text)

    def test_the_page_asks_nobody_for_anything_and_shows_names_as_they_are(self) -> None:
        page = Elements(self.page)
        self.assertEqual({tag for tag, _ in page.found} & {"script", "link", "iframe", "object", "form", "svg"}, set())
        self.assertEqual([name for _, attributes in page.found for name in attributes if name.startswith("on")], [])
        sources = [attributes["src"] for tag, attributes in page.found if tag == "img"]
        self.assertGreater(len(sources), 20)
        self.assertTrue(all(source and source.startswith("data:image/jpeg;base64,") for source in sources))
        self.assertIn(HOSTILE, page.text)
        self.assertIn("<palette>.png", page.text)
        self.assertIn(f"{HOSTILE} & co.zip › a/swapped-0-000.png", page.text)
        links = [str(attributes["href"]) for tag, attributes in page.found if tag == "a"]
        self.assertTrue(all(link.startswith(("train/", "test/")) for link in links), links)
        self.assertNotIn("://", self.page)
        self.assertNotIn("can’t be shown", page.text)

    def test_metrics_have_the_counts_of_the_list(self) -> None:
        metrics = json.loads((self.output / "metrics.json").read_text(encoding="utf-8"))
        told = [row["suspected"] for row in self.rows]
        expected = {"images": len(told), "judged": len(told) - 2, "suspected": told.count("true")}
        self.assertEqual(metrics["label_issues"], expected)

    def test_the_errors_of_the_test_are_on_the_page_once_with_where_the_model_looked(self) -> None:
        run_well("test.py", self.data, self.output)
        self.assertEqual((self.output / label_page.FILE).read_text(encoding="utf-8"), self.page)
        title, errors = "Test images that the model is surest about", self.page.split(label_page.START)[1]
        self.assertEqual(self.page.count(title), 1)
        self.assertIn(title, errors)
        self.assertIn('alt="what speaks for', errors)
        self.assertIn("Grad-CAM", errors)

    def test_another_output_folder_leaves_the_page_alone(self) -> None:
        other = Path(self.temporary.name) / "other"
        run_well("test.py", self.data, other, WEIGHTS=self.output / "model.pth")
        self.assertFalse((other / label_page.FILE).exists())


class Bounds(unittest.TestCase):
    def shown(self, folder: Path, images: int, classes: int) -> label_page.Shown:
        generator = np.random.default_rng(4)
        noise = generator.integers(0, 256, (160, 160, 3), dtype=np.uint8)
        (folder / "train").mkdir(parents=True)
        Image.fromarray(noise).save(folder / "train" / "noise.png")
        names = [f"{number:04}-{'ä' * 120}" for number in range(classes)]
        targets = np.arange(images) % classes
        answers = (targets + 1) % classes
        examples = [Example("train/noise.png", names[target], "", "") for target in targets]
        everything = np.ones(images, dtype=bool)
        found = Findings(generator.random(images), answers, generator.random(images), everything, everything)
        sources = {"train/noise.png": ("z" * 250, "p" * 1000)}
        return label_page.Shown(folder, names, examples, targets, answers, found, sources)

    def test_a_page_of_thousands_of_classes_and_mistakes_has_three_megabytes_at_most(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            shown = self.shown(Path(name), 20_000, 3000)
            page = label_page.page(shown)
            (Path(name) / label_page.FILE).write_text(page, encoding="utf-8")
            picture = Image.open(Path(name) / "train" / "noise.png")
            error = label_page.WorstError("test/a/b.png", "a" * 250, "b" * 250, 0.9, picture, picture)
            label_page.add_errors(Path(name) / label_page.FILE, [error] * 12, "", {})
            size = (Path(name) / label_page.FILE).stat().st_size
        self.assertLess(size, 3_000_000)
        self.assertIn("19,900 more are in", page)
        self.assertIn("no room for its picture", page)
        Elements(page)


class Judging(unittest.TestCase):
    def test_an_image_of_a_class_that_looks_like_all_is_suspected_only_above_what_is_usual_there(self) -> None:
        # Class 0 is usually 0.9 sure, class 1 only 0.5: the same 0.6 of the other class counts for 1 and not for 0.
        own = np.array([0.9] * 9 + [0.4] + [0.5] * 9 + [0.4])
        targets = np.repeat([0, 1], 10)
        probabilities = np.where(np.arange(2) == targets[:, None], own[:, None], 1 - own[:, None])
        found = judge(probabilities, targets, np.ones(20, dtype=bool))
        self.assertEqual(np.flatnonzero(found.suspected).tolist(), [9])
        self.assertEqual(found.likelier[[9, 19]].tolist(), [1, 0])
        self.assertEqual(int(found.order[0]), 9)

    def test_of_a_hard_problem_most_wrong_labels_are_found_and_most_that_are_found_are_wrong(self) -> None:
        generator = np.random.default_rng(1)
        true = generator.integers(0, 10, 1000)
        targets = np.where(generator.random(1000) < 0.1, generator.integers(0, 10, 1000), true)
        logits = generator.normal(size=(1000, 10))
        logits[np.arange(1000), true] += generator.choice([1, 3, 5], 1000)
        found = judge(softmax(logits), targets, np.ones(1000, dtype=bool))
        wrong = targets != true
        self.assertGreater((found.suspected & wrong).sum() / wrong.sum(), 0.65)
        self.assertGreater((found.suspected & wrong).sum() / found.suspected.sum(), 0.5)

    def test_a_class_is_judged_when_enough_others_were_learned_from(self) -> None:
        targets = np.array([0] * 10 + [1] * 4 + [2] * 3)
        judged = can_be_judged(targets, np.arange(17) % 5, 3)
        self.assertEqual(judged.tolist(), [True] * 14 + [False] * 3)


class Manners(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.output = Path(folder.name)
        (self.output / label_issues.LIST).write_text("of an earlier training")

    def check(self, label_check: str, seconds: float, write: Callable[..., None], weights: str = "imagenet") -> str:
        options = argparse.Namespace(label_check=label_check, output_dir=self.output)
        # Of four training images and one test image: a quarter of the features again, and five quarters of the rest.
        start = backbones.Start(backbones.LITE, weights, 96, 1)
        measured = mock.Mock(spec=Measured, start=start, feature_seconds=2 * seconds, fit_seconds=0.4 * seconds)
        image = Example("train/a/1.png", "a", "", "")
        data = Data(self.output, ["a"], [image] * 3, [image], [])
        printed = io.StringIO()
        with (
            mock.patch.object(label_issues, "write", write),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            label_issues.check(options, data, [image], measured)
        self.assertEqual(list(self.output.iterdir()), [])
        return printed.getvalue()

    def test_whatever_goes_wrong_is_a_warning(self) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("CUDA out of memory")

        self.assertRegex(self.check("on", 1, fail), "Warning: .*RuntimeError: CUDA out of memory.*The model is whole")

    def test_what_takes_too_long_is_left_out_and_told_unless_it_is_wanted(self) -> None:
        done = mock.Mock()
        self.assertIn("LABEL_CHECK=on", self.check("auto", 601, done))
        self.assertEqual(self.check("off", 1, done), "")
        self.assertEqual(done.call_count, 0)
        self.check("on", 601, done)
        self.check("auto", 599, done)
        self.assertEqual(done.call_count, 2)

    def test_features_of_random_weights_are_not_taken_unless_that_is_wanted(self) -> None:
        done = mock.Mock()
        self.assertIn("random weights", self.check("auto", 1, done, "none"))
        self.check("on", 1, done, "none")
        self.assertEqual(done.call_count, 1)

    def test_what_turns_out_to_take_too_long_ends_between_two_steps(self) -> None:
        def slow(*arguments: object) -> None:
            label_issues.require_time(float(arguments[-1]) - 1200)  # type: ignore[arg-type]

        self.assertIn("LABEL_CHECK=on", self.check("auto", 1, slow))


class Maps(unittest.TestCase):
    def test_where_the_head_is_linear_in_the_features_the_maps_sum_is_the_score_without_the_bias(self) -> None:
        generator = np.random.default_rng(1)
        for network, features in (
            (build_network(3), 2048),
            (backbones.started(backbones.Start(backbones.LITE, "none", 64, 1), 3), 1280),
        ):
            network.eval()
            bias = generator.normal(size=3)
            backbones.set_head(network, generator.normal(size=(3, features)), bias)
            layer = class_map.last_maps(network)
            assert layer
            images = torch.randn(1, 3, 96, 96)
            for number in range(3):
                places = class_map.class_map(network, layer, images, number)
                with torch.no_grad():
                    score = float(network(images)[0, number]) - bias[number]
                self.assertGreater(places.size, 4)
                self.assertAlmostEqual(float(places.sum()), score, delta=1e-3 * max(1, abs(score)))

    def test_the_heat_lies_where_the_picture_lies_in_the_square(self) -> None:
        heat = np.zeros((8, 8))
        heat[4, 6:] = 1
        image = Image.new("RGB", (400, 100), "white")
        heated = np.asarray(class_map.overlaid(image, heat, 224)).astype(int)
        self.assertEqual(heated.shape, (100, 400, 3))
        redness = heated[:, :, 0] - heated[:, :, 1]
        self.assertEqual(int(redness[:, :200].max()), 0)
        self.assertGreater(int(redness[70:80, 370:].min()), 60)

    def test_a_network_without_such_maps_has_none(self) -> None:
        self.assertIsNone(class_map.last_maps(torch.nn.Linear(2, 2)))


if __name__ == "__main__":
    unittest.main()
