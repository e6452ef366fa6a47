"""SIZE_INPUT: the size of the picture as an input of the network, in pixels and in µm."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import shutil
import sys
import tempfile
import unittest
import unittest.mock
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from support import environment, run
from torch import nn

import backbones
import checkpoints
import export
import methods
import predict
import probe
import shipped
import sizes
import test
import train
from common import Example, ImageFiles, UserError, build_network, load_weights, outputs_of, scan_split
from outcome import write_results
from size_input import Sized, image_weights, log_sides, set_size_head, with_size
from team import StopSignal, Team
from training_data import read_data

# ONNX_PACKAGES is a folder with onnxruntime where it is not installed.
sys.path.append(os.environ.get("ONNX_PACKAGES", ""))

SIDES = {"large": 60, "small": 30}
"""Long sides in µm, of pictures that are one and the same when they are scaled."""


def make_twins(data: Path, um_per_pixel: dict[str, tuple[float, ...]]) -> Path:
    """
    Two classes of the same pictures, twice as large in the one as in the other. Each class has pictures of each of its
    scales, which came by an entry of the file list for each.
    """
    sources, rows = [], []
    for label, scales in um_per_pixel.items():
        for scale in scales:
            sources.append({"file_name": "a.zip", "folder": f"{scale}", "label": label, "um_per_pixel": scale})
            for split, count in (("train", 8), ("test", 4)):
                (data / split / label).mkdir(parents=True, exist_ok=True)
                for number in range(count):
                    path = f"{split}/{label}/{scale}-{number}.png"
                    side = round(SIDES[label] / scale)
                    shade = 20 * number + (10 if split == "test" else 0)
                    Image.new("RGB", (side, side // 2), (shade, 200, 90)).save(data / path)
                    rows.append((path, label, "a.zip", f"{scale}/{number}.png", ""))
    describe(data, sources, rows)
    return data


def describe(data: Path, sources: list[dict[str, object]], rows: list[tuple[str, ...]]) -> None:
    (data / "dataset.json").write_text(json.dumps({"sources": sources}), encoding="utf-8")
    with open(data / "manifest.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label", "source_zip", "source_path", "group"), *rows])


ALONE = Team(0, 1, torch.device("cpu"))


@contextlib.contextmanager
def options_for(data: Path, output: Path, **options: object) -> Iterator[argparse.Namespace]:
    """Of train.py, in this very process, as starting another takes longer than what these tests do in it."""
    given = {"BACKBONE": "efficientnet-lite0", "FOLDS": 2, "EPOCHS": 4, "WARMUP_EPOCHS": 0, "LR": 0.003, **options}
    with (
        unittest.mock.patch.dict(os.environ, environment(data, output, given), clear=True),
        unittest.mock.patch.object(sys, "argv", [""]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield train.parse_options()


def train_and_test(data: Path, output: Path, **options: object) -> None:
    with options_for(data, output, **options) as parsed:
        write_results(parsed, train.train(parsed, ALONE, StopSignal()))
        test.main()


def read(folder: Path, name: str) -> dict[str, object]:
    return json.loads((folder / name).read_text(encoding="utf-8"))


class InAFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class Trained(unittest.TestCase):
    """With µm, of pictures whose pixels tell nothing: a network fine-tuned and tested once, beside its probe."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory()
        folder = Path(cls.temporary.name)
        # 120 pixels are a large one of 0.5 µm each, and a small one of 0.25 µm.
        cls.data = make_twins(folder / "data", {"large": (0.5, 0.25), "small": (0.5, 0.25)})
        cls.output = folder / "output"
        train_and_test(cls.data, cls.output, SIZE_INPUT="um", LABEL_CHECK="on")
        cls.facts, cls.metrics = read(cls.output, "training.json"), read(cls.output, "metrics.json")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def test_what_differs_in_micrometres_alone_is_told_apart_by_fine_tuning_and_probe(self) -> None:
        self.assertEqual(self.facts["probe"]["accuracy"]["mean"], 1)
        self.assertEqual((self.metrics["accuracy"], self.metrics["baseline"]["accuracy"]), (1, 1))
        with options_for(self.data, self.output / "folds", SIZE_INPUT="um") as options:
            folds = methods.cross_validate(options, ALONE, StopSignal(), read_data(options))
        self.assertEqual([fold["accuracy"] for fold in folds], [1, 1])

    def test_fine_tuning_learns_from_the_size_in_a_few_steps(self) -> None:
        network, _ = backbones.restored(self.output / "model.pth", load_weights(self.output / "model.pth"))
        with torch.no_grad():
            large, small = network(torch.zeros(2, 3, 32, 32), torch.tensor([[60.0, 30], [30, 15]]))
        moved = (large - small).tolist()
        self.assertGreater(moved[0] - moved[1], 2)

    def test_equal_sizes_in_micrometres_are_equal_whatever_a_pixel_is(self) -> None:
        with open(self.output / "predictions.csv", encoding="utf-8", newline="") as file:
            said = {row["path"]: float(row["probability[large]"]) for row in csv.DictReader(file)}
        for label in SIDES:
            for number in range(4):
                fine, coarse = (said[f"test/{label}/{scale}-{number}.png"] for scale in (0.25, 0.5))
                self.assertAlmostEqual(fine, coarse, places=5)

    def test_no_label_is_suspected_that_the_size_explains(self) -> None:
        self.assertEqual(self.metrics["label_issues"], {"images": 48, "judged": 48, "suspected": 0})

    def test_the_model_says_that_serving_cannot_load_it_and_what_it_takes(self) -> None:
        self.assertFalse(self.metrics["model"]["serving_contract"])
        self.assertFalse(self.facts["network"]["serving_contract"])
        self.assertEqual(self.facts["size_input"]["unit"], "um")
        # Half-way between both classes, on the logarithmic scale.
        self.assertEqual(self.facts["size_input"]["mean"], [42.43, 21.21])
        card = (self.output / "MODEL_CARD.md").read_text(encoding="utf-8")
        self.assertIn("stand for 42.43 × 21.21 µm", card)
        self.assertIn("gives a network the image alone", card)
        self.assertNotIn("not the size", card)

    def test_predict_wants_the_width_of_a_pixel_and_answers_by_it(self) -> None:
        picture = self.data / "test" / "small" / "0.25-0.png"
        self.assertRegex(self.predict(picture, expected=2), "takes the size of the pictures in µm. Give --um-per-pixel")
        self.assertRegex(self.predict(picture, "--um-per-pixel", "0", expected=2), "“0” is no number above 0")
        for scale, label in (("0.25", "small"), ("0.5", "large")):
            self.predict(picture, "--um-per-pixel", scale, expected=0)
            with open(self.output / "predicted.csv", encoding="utf-8", newline="") as file:
                self.assertEqual([row["class"] for row in csv.DictReader(file)], [label])

    def test_without_its_description_the_model_is_not_used(self) -> None:
        model = Path(shutil.copytree(self.output, Path(self.temporary.name) / "moved"))
        (model / "training.json").unlink()
        picture = self.data / "test" / "small" / "0.25-0.png"
        self.assertIn("Keep the files of a model together", self.predict(picture, "--model", str(model), expected=2))
        with self.assertRaisesRegex(UserError, "Keep the files of a model together"):
            test.load_model(model / "model.pth", self.data)

    def predict(self, picture: Path, *arguments: str, expected: int) -> str:
        given = [str(picture), "--model", str(self.output), "--output", str(self.output / "predicted.csv"), *arguments]
        code, said = 0, io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                predict.main(given)
            except SystemExit as ended:
                code = ended.code
        self.assertEqual(code, expected, said.getvalue())
        return said.getvalue()


class Pixels(InAFolder):
    def accuracies(self, size_input: str) -> tuple[float, float]:
        """Of the probe in cross-validation, and of the network that is made of it, on the test images."""
        with options_for(self.folder, self.folder / size_input, METHOD="probe", SIZE_INPUT=size_input) as options:
            data = read_data(options)
            measured = methods.measure_probe(options, ALONE, data)
            network = backbones.trained(options, methods.probe_weights(options, data, measured), 2)
            images = ImageFiles(self.folder, scan_split(self.folder, "test", 0).examples, data.classes, 32)
            right = outputs_of(network, images, options).argmax(1) == np.array(images.targets)
        return probe.summary(measured.probe.folds)["accuracy"]["mean"], right.mean()

    def test_what_is_the_same_without_the_size_is_told_apart_by_pixels(self) -> None:
        make_twins(self.folder, {"large": (1,), "small": (1,)})
        self.assertEqual(self.accuracies("pixels"), (1, 1))
        in_folds, in_test = self.accuracies("none")
        self.assertLessEqual(in_folds, 0.5)
        self.assertEqual(in_test, 0.5)


class Networks(unittest.TestCase):
    def network(self) -> Sized:
        torch.manual_seed(1)
        seeing = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        sized = with_size(seeing, 3, log_sides(np.array([[120, 30], [60, 40], [35, 70]])))
        set_size_head(sized, np.array([[1.0, 0.5], [-1, 0], [0, 2]]))
        return sized.eval()

    def test_a_linear_layer_on_the_logarithms_of_both_sides_is_what_it_adds(self) -> None:
        sized, weight = self.network(), np.array([[3.0, -1], [0, 2], [1, 1]])
        constant = set_size_head(sized, weight)
        images, given = torch.randn(4, 3, 8, 8), np.array([[120, 30], [30, 120], [8.5, 8.5], [1000, 2]])
        with torch.no_grad():
            added = (sized(images, torch.tensor(given).float()) - sized.network(images)).numpy()
        expected = np.log2([[120, 30], [120, 30], [8.5, 8.5], [1000, 2]]) @ weight.T - constant
        np.testing.assert_allclose(added, expected, rtol=1e-4, atol=1e-4)

    def test_it_begins_as_the_network_without_the_size(self) -> None:
        sized = with_size(nn.Flatten(), 12, log_sides(np.ones((3, 2))))
        images = torch.randn(2, 3, 2, 2)
        torch.testing.assert_close(sized(images, torch.tensor([[9.0, 3], [1, 1]])), images.flatten(1))

    def test_onnx_takes_plain_numbers_and_gives_pytorchs_answers(self) -> None:
        import onnxruntime

        network, given = self.network(), np.array([[120, 30], [20, 40], [7.25, 3.5]], dtype=np.float32)
        sample = (torch.randn(3, 3, 32, 32), torch.from_numpy(given))
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "model.onnx"
            self.assertIn("gives PyTorch's outputs for 3 images", export.onnx(path, network, sample))
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            self.assertEqual([(one.name, one.shape) for one in session.get_inputs()][1], ("size", ["n", 2]))
            said = session.run(["logits"], {"images": sample[0].numpy(), "size": given})[0]
            takes_size, answer = predict.onnx_network(path)
            self.assertTrue(takes_size)
            np.testing.assert_array_equal(answer(sample[0].numpy(), given), said)
        np.testing.assert_allclose(said, export.run(network, sample), atol=1e-4)

    def test_a_model_of_before_is_exported_with_the_image_alone(self) -> None:
        import onnxruntime

        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "model.onnx"
            export.onnx(path, self.network().network, (torch.randn(2, 3, 32, 32),))
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            self.assertEqual([one.name for one in session.get_inputs()], ["images"])
            takes_size, answer = predict.onnx_network(path)
            self.assertFalse(takes_size)
            self.assertEqual(answer(np.zeros((1, 3, 32, 32), np.float32), np.ones((1, 2), np.float32)).shape, (1, 3))

    def test_with_the_contracts_network_it_is_read_back_and_is_no_network_of_the_contract(self) -> None:
        sized = Sized(build_network(2), 2).eval()
        restored, count = backbones.restored(Path("model.pth"), sized.state_dict())
        self.assertEqual(count, 2)
        given = torch.randn(1, 3, 32, 32), torch.ones(1, 2)
        torch.testing.assert_close(restored(*given), sized(*given))
        with self.assertRaises(RuntimeError):
            build_network(2).load_state_dict(sized.state_dict())

    def test_another_training_can_begin_with_what_it_has_learned_to_see(self) -> None:
        sized = self.network()
        self.assertEqual(list(image_weights(sized.state_dict())), list(sized.network.state_dict()))
        plain = sized.network.state_dict()
        self.assertEqual(list(image_weights(plain)), list(plain))

    def test_the_probe_learns_from_two_sizes_among_thousands_of_features(self) -> None:
        generator = np.random.default_rng(1)
        targets = np.arange(60) % 2
        noise = generator.normal(size=(60, 2000))
        sides = 5 + targets[:, None] + generator.normal(0, 0.2, (60, 2))
        examples = probe.Examples(np.hstack([noise, sides]), targets, np.arange(60), 2, "loss", seen=2000)
        found = probe.train_probe(examples, probe.deal_folds(targets, examples.units, 3, 1), 1)
        self.assertGreater(probe.summary(found.folds)["accuracy"]["mean"], 0.95)


class Micrometres(InAFolder):
    def test_entries_without_a_width_are_named_before_the_first_epoch_of_training_and_test_images(self) -> None:
        data = make_twins(self.folder / "data", {"large": (0.5, 0.25), "small": (0.5,)})
        description = read(data, "dataset.json")
        for place in (0, 2):
            del description["sources"][place]["um_per_pixel"]  # type: ignore[attr-defined]
        (data / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
        done = run("train.py", data, self.folder / "output", SIZE_INPUT="um")
        self.assertEqual(done.returncode, 2)
        self.assertIn("SIZE_INPUT=um breaks the contract", done.stderr)
        for named in ("a.zip (label “large”, folder “0.5”)", "a.zip (label “small”, folder “0.5”)", "um_per_pixel"):
            self.assertIn(named, done.stderr)
        self.assertNotIn("0.25", done.stderr)
        self.assertNotIn("Epoch", done.stdout)
        with self.assertRaisesRegex(UserError, "these have none: a.zip"):
            sizes.in_unit(data, scan_split(data, "test", 0).examples, "um")

    def test_a_data_set_that_does_not_say_where_its_images_came_from_is_named(self) -> None:
        data = make_twins(self.folder / "data", {"large": (0.5,), "small": (0.5,)})
        examples = scan_split(data, "train", 0).examples
        (data / "manifest.csv").unlink()
        with self.assertRaisesRegex(UserError, "manifest.csv in .* don't say it of train/large/0.5-0.png"):
            sizes.in_unit(data, examples, "um")
        self.assertEqual(sizes.in_unit(data, examples, "pixels"), examples)

    def test_sizes_are_those_of_the_files_times_the_width_of_a_pixel(self) -> None:
        data = make_twins(self.folder / "data", {"large": (0.25,), "small": (0.5,)})
        examples = scan_split(data, "train", 0).examples
        self.assertEqual({(item.label, item.size) for item in examples}, {("large", (240, 120)), ("small", (60, 30))})
        found = sizes.in_unit(data, examples, "um")
        self.assertEqual({(item.label, item.size) for item in found}, {("large", (60, 30)), ("small", (30, 15))})


class Checkpoints(unittest.TestCase):
    def test_one_of_another_size_input_is_not_gone_on_with(self) -> None:
        def fingerprint(size_input: str, scale: float = 1) -> dict[str, object]:
            example = replace(Example("train/a/1.png", "a", "sum", ""), size=(scale, scale))
            trainer = unittest.mock.Mock(options=train.parse_options(["--size-input", size_input]))
            trainer.data.training, trainer.data.validation, trainer.team.size = [example], [], 1
            return checkpoints.fingerprint(trainer)  # type: ignore[return-value]

        def problem(before: dict[str, object], now: dict[str, object]) -> str | None:
            return checkpoints.checkpoint_problem({"fingerprint": before}, now)  # type: ignore[arg-type]

        older = {name: value for name, value in fingerprint("none").items() if name != "SIZE_INPUT"}
        self.assertIsNone(problem(older, fingerprint("none")))
        self.assertIsNone(problem(fingerprint("um", 2), fingerprint("um", 2)))
        self.assertIsNone(problem(fingerprint("none", 1), fingerprint("none", 2)))
        self.assertIn("SIZE_INPUT", problem(older, fingerprint("pixels")) or "")
        self.assertIn("SIZE_INPUT", problem(fingerprint("pixels"), fingerprint("none")) or "")
        self.assertIn("images", problem(fingerprint("um", 1), fingerprint("um", 2)) or "")


class Described(InAFolder):
    def test_the_page_is_told_the_unit_and_of_a_model_without_it_nothing_new(self) -> None:
        (self.folder / "model.onnx").write_bytes(b"")
        with_unit, without = (shipped.facts(self.folder, "x", ["a"], 224, unit) for unit in ("um", "none"))
        self.assertEqual(with_unit.pop("sizeInput"), "um")
        self.assertEqual(with_unit, without)


if __name__ == "__main__":
    unittest.main()
