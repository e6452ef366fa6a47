"""card.py and effort.py: what the card says besides figures."""

from __future__ import annotations

import csv
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from PIL import Image
from support import make_data

import effort
from card import classes_table
from common import Example
from sizes import sizes

HISTORY = [{"seconds": 1800.0}, {"seconds": 1800.5}]


class Effort(unittest.TestCase):
    def test_on_a_cpu_the_energy_is_not_known(self) -> None:
        took = effort.effort(HISTORY, "cpu")
        self.assertEqual((took["seconds"], took["count"], took["kwh_at_most"]), (3600.5, 1, None))
        self.assertRegex(effort.effort_text({"effort": took}), r"^1 × CPU .*, 1 h 0 min .* The energy is not known\.$")

    def test_of_gpus_it_is_what_they_may_draw_at_most(self) -> None:
        # There is no GPU here: what the driver would say is put in its place.
        with (
            mock.patch("effort.torch.cuda.is_available", return_value=True),
            mock.patch("effort.torch.cuda.get_device_name", return_value="NVIDIA L4"),
            mock.patch("effort.power_limit", return_value=72.0),
            mock.patch.dict("os.environ", {"WORLD_SIZE": "2"}),
        ):
            took = effort.effort(HISTORY, "auto")
        self.assertEqual(took["kwh_at_most"], 0.144)
        self.assertIn("2 × NVIDIA L4, 1 h 0 min", effort.effort_text({"effort": took}))

    def test_a_training_that_says_nothing_of_it_has_a_card_all_the_same(self) -> None:
        self.assertEqual(effort.effort_text({}), "Hardware and time are not recorded.")
        self.assertEqual(effort.sizes_text({}), "")

    def test_the_size_of_the_images_is_read_from_them(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            paths = []
            for side in range(100, 201):
                paths.append(Path(name) / f"{side}.png")
                Image.new("L", (10, side)).save(paths[-1])
            (Path(name) / "none.png").write_bytes(b"half")
            sides = effort.long_sides([*paths, Path(name) / "none.png"])
            self.assertEqual(sides, {"5 %": 105, "median": 150, "95 %": 195})
            self.assertIn("has 150 pixels", effort.sizes_text({"long_sides": sides}))
            self.assertIsNone(effort.long_sides([Path(name) / "none.png"]))
            self.assertIsNotNone(effort.long_sides(list(make_data(Path(name) / "data").glob("train/*/*.png"))))


class Sizes(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def entry(self, folder: str, label: str, scale: float | None) -> dict[str, object]:
        told = {} if scale is None else {"um_per_pixel": scale}
        return {"file_name": "a.zip", "folder": folder, "label": label, **told}

    def add(self, name: str, label: str, source_path: str, side: int) -> tuple[Example, list[str]]:
        path = self.folder / "train" / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (side, 5)).save(path)
        return Example(f"train/{label}/{name}", label, "", ""), [f"train/{label}/{name}", label, "a.zip", source_path]

    def table_of(self, entries: list[dict[str, object]], images: list[tuple[Example, list[str]]]) -> str:
        (self.folder / "dataset.json").write_text(json.dumps({"sources": entries}), encoding="utf-8")
        head = ["path", "label", "source_zip", "source_path"]
        with open(self.folder / "manifest.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head, *(row for _, row in images)])
        names = sorted({example.label for example, _ in images})
        found = sizes(self.folder, [example for example, _ in images], names)
        return classes_table({"classes": {name: {"a": 1, "b": 0} for name in names}, "sizes": found})

    def test_each_image_has_the_scale_of_the_entry_that_it_came_by(self) -> None:
        images = [
            self.add("1.png", "A", "export/A/1.png", 100),
            self.add("2.png", "A", "export/A/near/2.png", 100),
            self.add("3.png", "B", "export/B/3.png", 60),
        ]
        entries = [self.entry("export/A", "A", 0.5), self.entry("export/A/near", "A", 0.1), self.entry("", "B", None)]
        lines = self.table_of(entries, images).splitlines()
        self.assertIn("| Long side, pixels | Long side, µm |", lines[0])
        self.assertIn("| A | 1 | 0 | 100 (100 – 100) | 30 (12 – 48) |", lines)
        self.assertIn("| B | 1 | 0 | 60 (60 – 60) | – |", lines)

    def test_without_a_scale_there_are_pixels_alone(self) -> None:
        text = self.table_of([self.entry("", "A", None)], [self.add("1.png", "A", "x/1.png", 80)])
        self.assertIn("| A | 1 | 0 | 80 (80 – 80) |", text)
        self.assertNotIn("µm", text)


if __name__ == "__main__":
    unittest.main()
