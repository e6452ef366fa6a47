"""train.py and test.py as they are run: as programs, on a small data set, on the CPU."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch
import torchvision
from PIL import Image
from support import CLASSES, PROGRAMS, environment, make_data, run, run_well, train_until

from common import EXIT_OUT_OF_MEMORY, explain, prepare


def contract_network(classes: int) -> torch.nn.Module:
    """The network as the serving code builds it, written down once more."""
    network = torchvision.models.resnet50()
    network.fc = torch.nn.Sequential(
        torch.nn.Dropout(0.5),
        torch.nn.Linear(2048, 512),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.3),
        torch.nn.Linear(512, classes),
    )
    return network.eval()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "model.pth", map_location="cpu", weights_only=True)


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Trained(unittest.TestCase):
    """What a training and an evaluation leave behind. Both run once, for all tests of this class."""

    folder: tempfile.TemporaryDirectory[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.data, cls.output = make_data(Path(cls.folder.name) / "data"), Path(cls.folder.name) / "output"
        source = {"file_name": "a.zip", "sha256": "0" * 64, "folder": "A", "label": "cymbella", "n_test": "4"}
        (cls.data / "dataset.json").write_text(json.dumps({"format": 1, "seed": "seed-1", "sources": [source]}))
        (cls.data / "manifest.csv").write_text("path,group\ntrain/cymbella/000.png,cymbella/slide 1\n")
        options = {"EPOCHS": 6, "WARMUP_EPOCHS": 1, "LR": 0.001, "LABEL_CHECK": "auto"}
        cls.train_log = run_well("train.py", cls.data, cls.output, **options)
        cls.test_log = run_well("test.py", cls.data, cls.output)
        cls.metrics = json.loads((cls.output / "metrics.json").read_text(encoding="utf-8"))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_weights_fit_the_contract_and_give_the_accuracy_of_the_metrics(self) -> None:
        state = weights(self.output)
        self.assertFalse(any(name.startswith("module.") for name in state))
        self.assertTrue(all(type(value) is torch.Tensor and value.is_contiguous() for value in state.values()))
        network = contract_network(len(CLASSES))
        network.load_state_dict(state)
        right = []
        with torch.no_grad():
            for number, name in enumerate(CLASSES):
                for path in sorted((self.data / "test" / name).iterdir()):
                    logits = network(prepare(Image.open(path).convert("RGB"), 32)[None])
                    right.append(int(logits.argmax()) == number)
        self.assertEqual(self.metrics["accuracy"], sum(right) / len(right))

    def test_classes_are_in_code_point_order(self) -> None:
        self.assertEqual(json.loads((self.output / "classes.json").read_text(encoding="utf-8")), CLASSES)
        self.assertEqual(self.metrics["classes"], CLASSES)

    def test_metrics_have_all_that_the_schema_names(self) -> None:
        schema = json.loads((PROGRAMS / "metrics.schema.json").read_text(encoding="utf-8"))
        self.assertEqual(list(self.metrics), list(schema["properties"]))
        self.assertEqual(list(self.metrics["per_class"]), CLASSES)
        self.assertEqual(self.metrics["images"], 16)
        self.assertEqual([sum(row) for row in self.metrics["confusion_matrix"]], [4] * 4)
        self.assertEqual(
            self.metrics["model"]["sha256"], hashlib.sha256((self.output / "model.pth").read_bytes()).hexdigest()
        )

    def test_metrics_name_the_data_set(self) -> None:
        dataset = self.metrics["dataset"]
        content = (self.data / "dataset.json").read_bytes()
        self.assertEqual(dataset["seed"], "seed-1")
        self.assertEqual(dataset["dataset_json_sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual(dataset["sources"], [{"file_name": "a.zip", "sha256": "0" * 64, "label": "cymbella"}])

    def test_predictions_agree_with_the_metrics(self) -> None:
        rows = read_csv(self.output / "predictions.csv")
        self.assertEqual(sum(row["correct"] == "true" for row in rows) / len(rows), self.metrics["accuracy"])
        for row in rows:
            self.assertEqual(row["correct"] == "true", row["label"] == row["predicted"])
            self.assertEqual(row["sha256"], hashlib.sha256((self.data / row["path"]).read_bytes()).hexdigest())
            self.assertEqual(row["seen_in_training"], "false")

    def test_predictions_have_the_columns_and_paths_of_the_contract(self) -> None:
        rows = read_csv(self.output / "predictions.csv")
        expected = sorted(path.relative_to(self.data).as_posix() for path in self.data.glob("test/*/*"))
        self.assertEqual(sorted(row["path"] for row in rows), expected)
        classes = json.loads((self.output / "classes.json").read_text(encoding="utf-8"))
        for row in rows:
            self.assertEqual(row["path"].split("/")[:2], ["test", row["label"]])
            self.assertIn(row["predicted"], classes)

    def test_predictions_have_the_probability_of_each_class(self) -> None:
        for row in read_csv(self.output / "predictions.csv"):
            chances = {name: float(row[f"probability[{name}]"]) for name in CLASSES}
            self.assertAlmostEqual(sum(chances.values()), 1, places=4)
            self.assertEqual(f"{chances[row['predicted']]:.6f}", row["confidence"])
            self.assertEqual(max(chances.values()), chances[row["predicted"]])

    def test_temperature_and_threshold_are_those_of_the_validation_images(self) -> None:
        beside = json.loads((self.output / "calibration.json").read_text(encoding="utf-8"))
        measured = self.metrics["calibration"]
        self.assertEqual(measured["temperature"], beside["temperature"])
        self.assertEqual(measured["threshold"], beside["threshold"])
        self.assertLessEqual(beside["validation"]["nll_after"], beside["validation"]["nll_before"] + 1e-9)
        rows = read_csv(self.output / "predictions.csv")
        sure = [row for row in rows if float(row["confidence"]) >= 0.5]
        self.assertEqual(measured["risk_coverage"][0]["threshold"], 0.5)
        self.assertEqual(measured["risk_coverage"][0]["coverage"], len(sure) / len(rows))

    def test_counts_are_those_of_the_confusion_matrix(self) -> None:
        for index, name in enumerate(CLASSES):
            counted = self.metrics["counts"]["per_class"][name]
            matrix = self.metrics["confusion_matrix"]
            self.assertEqual(counted["true"], sum(matrix[index]))
            self.assertEqual(counted["predicted"], sum(row[index] for row in matrix))

    def test_training_images_are_listed_with_those_of_the_validation(self) -> None:
        expected = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in self.data.glob("train/*/*"))
        rows = read_csv(self.output / "training-images.csv")
        self.assertEqual([row["sha256"] for row in rows], expected)
        self.assertEqual([row["group"] for row in rows if row["group"]], ["cymbella/slide 1"])

    def test_the_weights_are_those_of_the_epoch_with_the_best_macro_f1(self) -> None:
        history = read_csv(self.output / "history.csv")
        facts = json.loads((self.output / "training.json").read_text(encoding="utf-8"))
        self.assertEqual([int(row["epoch"]) for row in history], [1, 2, 3, 4, 5, 6])
        best = max(float(row["validation_macro_f1"]) for row in history)
        self.assertEqual(facts["best"]["validation_macro_f1"], best)

    def test_the_learning_rate_rises_then_falls(self) -> None:
        rates = [float(row["learning_rate"]) for row in read_csv(self.output / "history.csv")]
        self.assertEqual(rates[0], 0.001)
        self.assertEqual(sorted(rates, reverse=True), rates)
        self.assertLess(rates[-1], 0.0002)

    def test_the_card_has_training_and_evaluation_and_an_evaluation_is_replaced(self) -> None:
        before = (self.output / "MODEL_CARD.md").read_text(encoding="utf-8")
        self.assertIn("| Épithemia |", before)
        self.assertIn("seed-1", before)
        for part in ("## Intended use", "## Hardware, time and energy\n\n1 × CPU", "pixels in the middle"):
            self.assertIn(part, before)
        self.assertIn(f"| Accuracy | {self.metrics['accuracy']:.3f} |", before)
        run_well("test.py", self.data, self.output)
        self.assertEqual((self.output / "MODEL_CARD.md").read_text(encoding="utf-8"), before)

    def test_no_checkpoint_and_no_half_file_is_left(self) -> None:
        self.assertFalse((self.output / "checkpoint").exists())
        self.assertEqual([path.name for path in self.output.iterdir() if path.name.startswith(".")], [])

    def test_pictures_are_drawn_or_a_sentence_says_why_not(self) -> None:
        for name, log in (
            ("learning_curve.png", self.train_log),
            ("confusion_matrix.png", self.test_log),
            ("worst_errors.png", self.test_log),
        ):
            path = self.output / name
            self.assertIn(f"{name} drawn" if path.exists() else f"No {name}: the Python package", log)
            if path.exists():
                with Image.open(path) as picture:
                    self.assertGreater(min(picture.size), 200)

    def test_the_labels_of_all_images_are_checked_beside_a_fine_tuned_network(self) -> None:
        self.assertIn("labels should be looked at again", self.train_log)
        rows = read_csv(self.output / "label-issues.csv")
        self.assertEqual(
            sorted(row["path"] for row in rows),
            sorted(path.relative_to(self.data).as_posix() for path in self.data.glob("*/*/*")),
        )
        self.assertEqual(self.metrics["label_issues"]["images"], len(rows))
        self.assertIn("surest about, and wrong", (self.output / "label-issues.html").read_text(encoding="utf-8"))

    def test_other_formats_are_written_or_a_sentence_says_why_not(self) -> None:
        for name in ("model.safetensors", "model.onnx"):
            written = (self.output / name).exists()
            self.assertIn(
                f"{name} gives PyTorch's outputs" if written else f"No {name}: the Python package", self.train_log
            )

    def test_without_matplotlib_and_the_other_packages_all_else_is_there(self) -> None:
        # A folder of packages that can't be loaded, before those that can.
        hidden, output = Path(self.folder.name) / "hidden", Path(self.folder.name) / "without"
        for name in ("matplotlib", "safetensors", "onnxruntime"):
            (hidden / name).mkdir(parents=True)
            (hidden / name / "__init__.py").write_text("raise ModuleNotFoundError('hidden')")
        for program in ("train.py", "test.py"):
            log = run_well(program, self.data, output, EPOCHS=1, PYTHONPATH=hidden)
            self.assertIn("matplotlib is not installed", log)
        self.assertTrue((output / "model.pth").exists() and (output / "metrics.json").exists())
        self.assertEqual([path.name for path in output.glob("*.png")], [])

    def test_images_seen_in_training_are_counted(self) -> None:
        data, output = Path(self.folder.name) / "leaky", Path(self.folder.name) / "leaky-output"
        shutil.copytree(self.data, data)
        shutil.copy(data / "train" / "cymbella" / "003.png", data / "test" / "cymbella" / "leak.png")
        log = run_well("test.py", data, output, WEIGHTS=self.output / "model.pth")
        metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
        self.assertEqual(metrics["images_seen_in_training"], 1)
        self.assertIn("1 of the test images", log)

    def test_test_images_that_are_not_rgb_are_counted_and_told(self) -> None:
        self.assertEqual(self.metrics["images_not_rgb"], 0)
        data, output = Path(self.folder.name) / "grey", Path(self.folder.name) / "grey-output"
        shutil.copytree(self.data, data)
        for name in ("000.png", "001.png"):
            path = data / "test" / "navicula" / name
            Image.open(path).convert("L").save(path)
        log = run_well("test.py", data, output, WEIGHTS=self.output / "model.pth")
        self.assertEqual(json.loads((output / "metrics.json").read_text(encoding="utf-8"))["images_not_rgb"], 2)
        self.assertIn("2 of 16 test images are not RGB (L: 2)", log)
        self.assertIn("2 test images are not RGB", (output / "MODEL_CARD.md").read_text(encoding="utf-8"))

    def test_a_broken_test_image_is_named_and_left_out_of_the_figures(self) -> None:
        data, output = Path(self.folder.name) / "broken", Path(self.folder.name) / "broken-output"
        shutil.copytree(self.data, data)
        (data / "test" / "navicula" / "000.png").write_bytes(b"half")
        run_well("test.py", data, output, WEIGHTS=self.output / "model.pth")
        metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
        self.assertEqual(metrics["unreadable_images"], ["test/navicula/000.png"])
        self.assertEqual(metrics["images"], 15)

    def test_a_class_without_test_images_has_no_figures_and_is_told(self) -> None:
        data, output = Path(self.folder.name) / "partial", Path(self.folder.name) / "partial-output"
        shutil.copytree(self.data, data)
        shutil.rmtree(data / "test" / "navicula")
        log = run_well("test.py", data, output, WEIGHTS=self.output / "model.pth")
        metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
        nothing = dict.fromkeys(("precision", "recall", "f1", "recall_ci", "precision_ci"))
        figures = {**nothing, "support": 0}
        self.assertEqual(metrics["per_class"]["navicula"], figures)
        self.assertIn("No test images of the class(es) navicula", log)

    def test_a_test_class_that_the_model_does_not_know_is_an_error(self) -> None:
        data = Path(self.folder.name) / "unknown"
        shutil.copytree(self.data, data)
        (data / "test" / "navicula").rename(data / "test" / "Navicula")
        done = run("test.py", data, Path(self.folder.name) / "none", WEIGHTS=self.output / "model.pth")
        self.assertEqual(done.returncode, 2)
        self.assertIn("does not know: Navicula", done.stderr)

    def test_weights_of_other_classes_are_an_error(self) -> None:
        other = Path(self.folder.name) / "other"
        other.mkdir()
        shutil.copy(self.output / "model.pth", other)
        (other / "classes.json").write_text('["a", "b"]')
        done = run("test.py", self.data, Path(self.folder.name) / "none", WEIGHTS=other / "model.pth")
        self.assertEqual(done.returncode, 2)
        self.assertIn("tell 4 classes apart", done.stderr)
        self.assertIn("names 2", done.stderr)

    def test_training_can_start_from_these_weights(self) -> None:
        output = Path(self.folder.name) / "further"
        run_well("train.py", self.data, output, EPOCHS=1, LR=1e-8, INITIAL_WEIGHTS=self.output / "model.pth")
        for name, value in weights(output).items():
            if name.endswith("weight"):
                torch.testing.assert_close(value, weights(self.output)[name], rtol=0, atol=1e-6)


class Stopping(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = make_data(self.folder / "data")

    def stop_after_the_first_epoch(self, output: Path, **options: object) -> tuple[int, str]:
        return train_until("Epoch   1/", signal.SIGTERM, self.data, output, **options)

    def test_a_stopped_training_goes_on_to_the_same_weights_as_one_that_was_not_stopped(self) -> None:
        stopped, whole = self.folder / "stopped", self.folder / "whole"
        # With processes that load images and without: neither how many there are nor a stop changes anything.
        options = {"EPOCHS": 3, "BALANCE": "sampler", "WORKERS": 2}
        code, log = self.stop_after_the_first_epoch(stopped, **options)
        self.assertEqual(code, 143, log)
        self.assertIn("Stopped as asked", log)
        self.assertTrue((stopped / "checkpoint" / "checkpoint.pt").exists())
        self.assertFalse((stopped / "model.pth").exists())
        self.assertIn("Going on from", run_well("train.py", self.data, stopped, **options))
        run_well("train.py", self.data, whole, **{**options, "WORKERS": 0})
        ours, theirs = weights(stopped), weights(whole)
        self.assertEqual(list(ours), list(theirs))
        self.assertEqual([name for name in ours if not torch.equal(ours[name], theirs[name])], [])
        without_time = [
            [{**row, "seconds": ""} for row in read_csv(folder / "history.csv")] for folder in (stopped, whole)
        ]
        self.assertEqual(*without_time)

    def test_a_checkpoint_of_other_data_is_not_gone_on_with(self) -> None:
        output = self.folder / "output"
        self.stop_after_the_first_epoch(output, EPOCHS=3)
        checkpoint = output / "checkpoint" / "checkpoint.pt"
        (self.data / "train" / "cymbella" / "000.png").unlink()
        done = run("train.py", self.data, output, EPOCHS=3, RESUME=checkpoint)
        self.assertEqual(done.returncode, 2)
        self.assertIn("other training and validation images", done.stderr)
        log = run_well("train.py", self.data, output, EPOCHS=1)
        self.assertIn("starts from the beginning", log)
        self.assertNotIn("Going on", log)

    def test_stops_early_when_nothing_gets_better(self) -> None:
        output = self.folder / "output"
        # With a learning rate that changes nothing, no later epoch is better by more than chance.
        log = run_well("train.py", self.data, output, EPOCHS=40, PATIENCE=1, LR=1e-8)
        self.assertIn("stopped early", log)
        self.assertLess(len(read_csv(output / "history.csv")), 40)


class Starting(unittest.TestCase):
    def test_takes_the_imagenet_weights_that_the_image_was_built_with(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            data, output, file = make_data(Path(name) / "data"), Path(name) / "output", Path(name) / "imagenet.pth"
            state = torchvision.models.resnet50().state_dict()
            torch.save(state, file)
            run_well("train.py", data, output, EPOCHS=1, LR=1e-8, INITIAL_WEIGHTS="imagenet", IMAGENET_WEIGHTS=file)
            for part in ("conv1.weight", "layer4.2.conv3.weight"):
                torch.testing.assert_close(weights(output)[part], state[part], rtol=0, atol=1e-6)


class SeveralProcesses(unittest.TestCase):
    def run_two(self, data: Path, output: Path, **options: object) -> list[str]:
        """Starts two processes as torchrun does, which itself does not work with each version of Python."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        processes = [
            subprocess.Popen(
                [sys.executable, str(PROGRAMS / "train.py")],
                env=environment(
                    data,
                    output,
                    {
                        "MASTER_ADDR": "127.0.0.1",
                        "MASTER_PORT": port,
                        "WORLD_SIZE": 2,
                        "RANK": rank,
                        "LOCAL_RANK": rank,
                        **options,
                    },
                ),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in (0, 1)
        ]
        logs = [process.communicate()[0] for process in processes]
        self.assertEqual([process.returncode for process in processes], [0, 0], "\n".join(logs))
        return logs

    def test_two_train_one_model_together(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            data, output = make_data(Path(name) / "data"), Path(name) / "output"
            logs = self.run_two(data, output, EPOCHS=2)
            self.assertEqual([log.count("Epoch   2/2") for log in logs], [1, 0])
            contract_network(len(CLASSES)).load_state_dict(weights(output))
            run_well("test.py", data, output)


class Messages(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def assert_error(self, program: str, expected: str, data: Path, *arguments: str, **options: object) -> None:
        done = run(program, data, self.folder / "output", *arguments, **options)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, expected)
        self.assertNotIn("Traceback", done.stderr)

    def test_a_missing_data_folder_is_named(self) -> None:
        self.assert_error("train.py", "nowhere.*does not exist.*DATA_DIR", self.folder / "nowhere")

    def test_missing_weights_are_named(self) -> None:
        self.assert_error("test.py", "no weights file .*model.pth", make_data(self.folder / "data", 2, 1))

    def test_a_single_class_is_an_error(self) -> None:
        self.assert_error("train.py", "only the class only", make_data(self.folder / "data", classes=["only"]))

    def test_an_option_of_the_environment_is_checked_and_named(self) -> None:
        data = make_data(self.folder / "data", 2, 1)
        self.assert_error("train.py", "--epochs: “many” is not a whole number", data, EPOCHS="many")
        self.assert_error("train.py", "--balance: “losses” is not one of: none, loss, sampler", data, BALANCE="losses")

    def test_a_spoilt_checkpoint_is_named_with_what_to_do(self) -> None:
        data = make_data(self.folder / "data", 3, 1)
        checkpoint = self.folder / "output" / "checkpoint" / "checkpoint.pt"
        checkpoint.parent.mkdir(parents=True)
        checkpoint.write_bytes(b"half")
        self.assert_error("train.py", "no checkpoint, or it is incomplete.*RESUME=none", data)

    def test_weights_that_are_no_resnet50_are_an_error(self) -> None:
        other = self.folder / "other.pth"
        torch.save({"layer.weight": torch.zeros(2, 2)}, other)
        data = make_data(self.folder / "data", 3, 1)
        self.assert_error("train.py", "not a ResNet50's", data, "--weights", str(other))

    def test_demanding_a_gpu_where_there_is_none_is_an_error(self) -> None:
        if torch.cuda.is_available():
            self.assertIsNotNone(torch.cuda.get_device_name(0))
        else:
            self.assert_error("train.py", "No GPU can be used", make_data(self.folder / "data", 2, 1), DEVICE="cuda")

    def test_what_fills_a_gpus_memory_is_explained(self) -> None:
        code, text = explain(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")) or (0, "")
        self.assertEqual(code, EXIT_OUT_OF_MEMORY)
        self.assertIn("Lower BATCH_SIZE", text)
        code, text = explain(RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error.")) or (0, "")
        self.assertIn("--shm-size", text)
        self.assertIsNone(explain(RuntimeError("shapes do not match")))


if __name__ == "__main__":
    unittest.main()
