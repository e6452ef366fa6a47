"""predict.py as somebody runs it who has downloaded a model: in its folder, with nothing else of this project."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from support import CLASSES, environment, make_data, run_well

import predict
import shipped


class Predicting(unittest.TestCase):
    """One training for all tests; each starts predict.py in a folder of its own."""

    folder: tempfile.TemporaryDirectory[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.data, cls.model = make_data(Path(cls.folder.name) / "data"), Path(cls.folder.name) / "model"
        run_well("train.py", cls.data, cls.model, EPOCHS=3, WARMUP_EPOCHS=1, LR=0.001)
        run_well("test.py", cls.data, cls.model)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.here = Path(folder.name)

    def run_predict(self, *arguments: object, model: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str((model or self.model) / "predict.py"), *map(str, arguments)],
            cwd=self.here,
            env=environment(self.data, self.here, {}),
            capture_output=True,
            text=True,
        )

    def table(self, *arguments: object, model: Path | None = None) -> list[dict[str, str]]:
        done = self.run_predict(*arguments, model=model)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.here / "predicted.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def copy_of_model(self) -> Path:
        return Path(shutil.copytree(self.model, self.here / "model"))

    def test_answers_as_the_test_did(self) -> None:
        rows = {row["file"]: row for row in self.table(self.data / "test")}
        with open(self.model / "predictions.csv", encoding="utf-8", newline="") as file:
            tested = list(csv.DictReader(file))
        self.assertEqual(sorted(f"test/{name}" for name in rows), sorted(row["path"] for row in tested))
        for row in tested:
            mine = rows[row["path"].removeprefix("test/")]
            self.assertEqual(mine["class"], row["predicted"])
            self.assertAlmostEqual(float(mine["probability"]), float(row["confidence"]), places=4)
            second = sorted((float(row[f"probability[{name}]"]), name) for name in CLASSES)[-2]
            self.assertAlmostEqual(float(mine["second_probability"]), second[0], places=4)

    def test_without_the_onnx_file_pytorch_gives_the_same(self) -> None:
        with_onnx = self.table(self.data / "test")
        model = self.copy_of_model()
        (model / "model.onnx").unlink(missing_ok=True)
        shutil.copy(Path(predict.__file__).with_name("common.py"), model)
        for mine, other in zip(self.table(self.data / "test", model=model), with_onnx):
            self.assertEqual((mine["file"], mine["class"]), (other["file"], other["class"]))
            self.assertAlmostEqual(float(mine["probability"]), float(other["probability"]), places=4)

    def test_what_is_less_probable_than_the_threshold_is_unknown(self) -> None:
        model = self.copy_of_model()
        known = json.loads((model / "calibration.json").read_text())
        (model / "calibration.json").write_text(json.dumps({**known, "threshold": 0.4}))
        for arguments, threshold in (((), 0.4), (("--threshold", 0.6), 0.6)):
            for row in self.table(self.data / "test", *arguments, model=model):
                self.assertEqual(row["unknown"], str(float(row["probability"]) < threshold).lower())
        (model / "calibration.json").write_text(json.dumps({**known, "threshold": None}))
        self.assertEqual({row["unknown"] for row in self.table(self.data / "test", model=model)}, {"true"})

    def test_a_file_that_is_no_picture_has_a_line_that_says_so(self) -> None:
        pictures = self.here / "pictures"
        pictures.mkdir()
        (pictures / "a.png").write_bytes(b"no picture")
        Image.new("RGB", (300, 1)).save(pictures / "b.png")
        shutil.copy(next((self.data / "test" / "cymbella").iterdir()), pictures / "c.png")
        rows = self.table(pictures)
        self.assertEqual([row["file"] for row in rows], ["a.png", "b.png", "c.png"])
        self.assertEqual([row["class"] == "" for row in rows], [True, True, False])
        self.assertIn("too narrow", rows[1]["error"])

    def test_when_no_picture_can_be_read_the_program_fails(self) -> None:
        (self.here / "a.png").write_bytes(b"")
        self.assertEqual(self.run_predict(self.here).returncode, 2)

    def test_only_a_table_of_its_own_is_written_over(self) -> None:
        picture = next((self.data / "test" / "cymbella").iterdir())
        self.assertEqual(len(self.table(picture)), 1)
        self.assertEqual(len(self.table(self.data / "test")), 16)
        (self.here / "notes.csv").write_text("mine\n")
        done = self.run_predict(picture, "--output", "notes.csv")
        self.assertEqual((done.returncode, (self.here / "notes.csv").read_text()), (2, "mine\n"))
        self.assertIn("notes.csv is there already", done.stderr)

    def test_a_missing_folder_and_one_without_a_model_are_named(self) -> None:
        self.assertIn("no file and no folder nowhere", self.run_predict("nowhere").stderr)
        done = self.run_predict(self.data, "--model", self.here)
        self.assertEqual(done.returncode, 2)
        self.assertIn("classes.json can't be read", done.stderr)

    def test_counts_are_told_and_corrected_where_that_helped_with_the_test_images(self) -> None:
        model = self.copy_of_model()
        metrics = json.loads((model / "metrics.json").read_text())
        for corrected in (0.1, 0.3):
            metrics["counts"].update({"error": 0.2, "error_corrected": corrected})
            (model / "metrics.json").write_text(json.dumps(metrics))
            told = self.run_predict(self.data / "test", model=model).stderr
            self.assertEqual("Corrected" in told, corrected < 0.2)
            for name in CLASSES:
                self.assertIn(name, told)


class Shipping(unittest.TestCase):
    def test_the_page_gets_the_model_and_no_class_can_end_its_element(self) -> None:
        made = shipped.page(f"<body>{shipped.PLACE}</body>", {"classes": ["</script>", "Épithemia"]})
        self.assertEqual(made.count("</script>"), 1)
        text = made.split('id="model">')[1].split("</script>")[0]
        self.assertEqual(json.loads(text), {"classes": ["</script>", "Épithemia"]})

    def test_the_page_has_the_place_that_training_fills(self) -> None:
        template = shipped.HERE / shipped.PAGE
        self.assertEqual(template.read_text(encoding="utf-8").count(shipped.PLACE), 1)

    def test_the_programs_need_no_pytorch(self) -> None:
        source = "import sys; sys.modules['torch'] = None; import predict; print(predict.counts.FOLDS)"
        done = subprocess.run([sys.executable, "-c", source], cwd=shipped.HERE, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_normalised_numbers_are_those_of_training(self) -> None:
        pixels = np.random.default_rng(2).integers(0, 256, (224, 224, 3), dtype=np.uint8)
        from common import prepare

        expected = torch.from_numpy(predict.normalise(pixels))
        torch.testing.assert_close(prepare(Image.fromarray(pixels)), expected, rtol=0, atol=0)


if __name__ == "__main__":
    unittest.main()
