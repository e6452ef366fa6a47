"""The probe: its folds, its regression, and as a model of its own."""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from support import CLASSES, make_data, run, run_well, train_until

import backbones
import probe
from common import Example, build_network, scan_split
from features import features_of

# With random weights: what these tests prove does not depend on what the network sees.
RANDOM = {"METHOD": "probe", "FOLDS": 3}


def cloud(count: int, features: int, classes: int = 3) -> probe.Examples:
    """Overlapping clouds of points, a class each."""
    generator = np.random.default_rng(3)
    targets = np.arange(count) % classes
    centres = generator.normal(size=(classes, features))
    rows = (centres[targets] + generator.normal(size=(count, features))).astype(np.float32)
    return probe.Examples(rows, targets, np.arange(count), classes, "loss")


class Folds(unittest.TestCase):
    def test_identical_images_and_groups_stay_in_one_fold(self) -> None:
        # Pairs of identical images, and groups of two such pairs.
        examples = [
            Example(f"train/a/{number}.png", "ab"[number % 2], f"sum {number // 2}", f"a/{number // 4}")
            for number in range(60)
        ]
        units = probe.unit_numbers(examples)
        fold = probe.deal_folds(np.arange(60) % 2, units, 5, 1)
        for key in ("sha256", "group"):
            placed: dict[str, set[int]] = {}
            for example, number in zip(examples, fold):
                placed.setdefault(getattr(example, key), set()).add(int(number))
            self.assertEqual([numbers for numbers in placed.values() if len(numbers) > 1], [])

    def test_each_class_is_spread_evenly(self) -> None:
        targets = np.repeat([0, 1, 2], [50, 10, 5])
        fold = probe.deal_folds(targets, np.arange(65), 5, 1)
        counts = [[int(((targets == label) & (fold == number)).sum()) for number in range(5)] for label in range(3)]
        self.assertEqual(counts, [[10] * 5, [2] * 5, [1] * 5])

    def test_the_same_seed_deals_the_same_folds(self) -> None:
        targets, units = np.arange(30) % 3, np.arange(30)
        first, again, other = (probe.deal_folds(targets, units, 5, seed).tolist() for seed in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)


class Regression(unittest.TestCase):
    def test_finds_the_minimum_with_more_features_than_images_and_with_fewer(self) -> None:
        for count, features in ((30, 80), (81, 30)):
            examples = cloud(count, features)
            head = list(probe.fit(examples, probe.PENALTIES[:3]))[-1]
            # The gradient of what is minimised, written down once more.
            rows = examples.features.astype(np.float64)
            scale = np.sqrt(features) * np.maximum(rows.std(0), 1e-6)
            standard = torch.from_numpy((rows - rows.mean(0)) / scale)
            weight = torch.from_numpy(head.weight * scale).requires_grad_()
            bias = torch.from_numpy(head.bias + head.weight @ rows.mean(0)).requires_grad_()
            targets = torch.from_numpy(examples.targets)
            loss = torch.nn.functional.cross_entropy(standard @ weight.T + bias, targets)
            (loss + probe.PENALTIES[2] / 2 * weight.square().sum()).backward()
            self.assertLess(float(weight.grad.abs().max()), 1e-4)  # type: ignore[union-attr]
            self.assertLess(float(bias.grad.abs().max()), 1e-4)  # type: ignore[union-attr]

    def test_the_penalty_is_chosen_without_the_fold_that_is_scored(self) -> None:
        """With labels that mean nothing, a choice that had seen them would score better than chance."""
        generator = np.random.default_rng(5)
        examples = probe.Examples(
            generator.normal(size=(120, 60)).astype(np.float32),
            generator.integers(0, 2, 120),
            np.arange(120),
            2,
            "loss",
        )
        found = probe.train_probe(examples, probe.deal_folds(examples.targets, examples.units, 5, 1), 1)
        self.assertLess(probe.summary(found.folds)["accuracy"]["mean"], 0.62)

    def test_a_class_that_a_fold_lacks_is_no_error(self) -> None:
        examples = cloud(30, 10)
        alone = probe.Examples(examples.features, np.r_[2, np.arange(29) % 2], examples.units, 3, "loss")
        found = probe.train_probe(alone, probe.deal_folds(alone.targets, alone.units, 5, 1), 1)
        self.assertTrue(np.isfinite(found.head.weight).all())
        self.assertEqual(len(found.folds), 5)


class Networks(unittest.TestCase):
    def test_the_contracts_network_can_be_exactly_a_linear_classifier(self) -> None:
        generator = np.random.default_rng(1)
        network = build_network(5).eval()
        weight, bias = generator.normal(size=(5, 2048)), generator.normal(size=5)
        backbones.set_head(network, weight, bias)
        images = torch.randn(3, 3, 64, 64)
        with torch.no_grad():
            rows = backbones.features(network)(images).double().numpy()
            np.testing.assert_allclose(network(images).numpy(), rows @ weight.T + bias, rtol=1e-3, atol=1e-3)

    def test_an_unknown_network_is_an_error_that_names_those_there_are(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            done = run("train.py", make_data(Path(name) / "data", 2, 1), Path(name) / "output", BACKBONE="resnet51")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "“resnet51” is not one of: resnet50, efficientnet-lite0, convnext")


class KeptFeatures(unittest.TestCase):
    def test_a_training_that_goes_on_has_them_still_and_of_another_network_they_are_made_anew(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = make_data(Path(name) / "data", 2, 1)
            examples = scan_split(folder, "train", 0).examples
            options = argparse.Namespace(image_size=32, batch_size=4, workers=0)

            def means(fingerprint: str) -> np.ndarray:
                kept = (Path(name) / "features.npz", fingerprint)
                return features_of(
                    lambda images: images.mean((2, 3)), examples, folder, options, torch.device("cpu"), kept
                )

            first = means("a")
            for example in examples:
                (folder / example.path).unlink()
            np.testing.assert_array_equal(means("a"), first)
            with self.assertRaises(FileNotFoundError):
                means("b")
            (Path(name) / "features.npz").write_bytes(b"half")
            with self.assertRaises(FileNotFoundError):
                means("a")


class AsModel(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = make_data(self.folder / "data", 6, 3)

    def read(self, name: str) -> dict[str, object]:
        return json.loads((self.folder / "output" / name).read_text(encoding="utf-8"))

    def train_and_test(self, **options: object) -> str:
        return "".join(
            run_well(program, self.data, self.folder / "output", **options) for program in ("train.py", "test.py")
        )

    def test_a_probe_of_the_contracts_network_is_a_model_that_serving_loads(self) -> None:
        log = self.train_and_test(**RANDOM)
        self.assertRegex(log, r"macro-F1 0\.\d+ ± 0\.\d+, accuracy 0\.\d+ ± 0\.\d+ over 3 folds")
        state = torch.load(self.folder / "output" / "model.pth", weights_only=True)
        build_network(len(CLASSES)).load_state_dict(state)
        metrics = self.read("metrics.json")
        self.assertEqual((metrics["method"], metrics["baseline"]), ("probe", None))
        self.assertTrue(metrics["model"]["serving_contract"])  # type: ignore[index]
        self.assertIn("random weights", metrics["warnings"][0])  # type: ignore[index]
        self.assertEqual([path.name for path in (self.folder / "output").glob("c*t")], [])

    def test_a_probe_of_pretrained_features_tells_the_classes_apart(self) -> None:
        self.train_and_test(**RANDOM, BACKBONE="efficientnet-lite0", INITIAL_WEIGHTS="imagenet", IMAGE_SIZE=96)
        metrics = self.read("metrics.json")
        self.assertGreater(metrics["accuracy"], 0.8)  # type: ignore[operator]
        self.assertFalse(metrics["model"]["serving_contract"])  # type: ignore[index]
        card = (self.folder / "output" / "MODEL_CARD.md").read_text(encoding="utf-8")
        self.assertIn("Licence of the weights that it started from: Apache-2.0", card)
        self.assertIn("can't load it", card)

    def test_a_fine_tuned_model_that_does_not_beat_the_probe_says_so(self) -> None:
        log = self.train_and_test(EPOCHS=1, LR=1e-8)
        baseline = self.read("metrics.json")["baseline"]
        self.assertFalse(baseline["beaten"])  # type: ignore[index]
        self.assertIn("does not beat the probe", log)
        card = (self.folder / "output" / "MODEL_CARD.md").read_text(encoding="utf-8")
        self.assertIn(f"**{baseline['sentence']}**", card)  # type: ignore[index]
        self.assertIn("expect little", card)
        self.assertIn("expect little", log)

    def test_auto_takes_what_wins_in_cross_validation(self) -> None:
        log = self.train_and_test(METHOD="auto", FOLDS=2, EPOCHS=1, LR=1e-8)
        chosen = self.read("training.json")["auto"]
        self.assertEqual(len(chosen["folds"]), 2)  # type: ignore[index]
        self.assertEqual(chosen["method"], "probe")  # type: ignore[index]
        self.assertIn("METHOD=auto takes probe", log)
        self.assertFalse((self.folder / "output" / "checkpoint").exists())

    def test_a_probe_twice_in_a_row_gives_the_same_weights(self) -> None:
        states = []
        for _ in range(2):
            run_well("train.py", self.data, self.folder / "output", **RANDOM)
            states.append(torch.load(self.folder / "output" / "model.pth", weights_only=True))
        self.assertEqual([name for name in states[0] if not torch.equal(states[0][name], states[1][name])], [])

    def test_a_stopped_auto_goes_on_with_the_folds_it_has(self) -> None:
        options = {"METHOD": "auto", "FOLDS": 2, "EPOCHS": 1, "LR": 1e-8}
        output = self.folder / "output"
        exit_code, log = train_until("Fine-tuning without fold 2", signal.SIGKILL, self.data, output, **options)
        self.assertEqual(exit_code, -signal.SIGKILL, log)
        again = run_well("train.py", self.data, output, **options)
        self.assertNotIn("Fine-tuning without fold 1", again)
        self.assertIn("Fine-tuning without fold 2", again)
        self.assertTrue((output / "model.pth").exists())


if __name__ == "__main__":
    unittest.main()
