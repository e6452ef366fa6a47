"""Reading and preparing images."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from support import CLASSES, make_data
from torchvision.transforms import functional

from common import UserError, decode, prepare, scan_split
from preparation import TooNarrow, scaled, square

RGB = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 140, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


RECORDED = json.loads((Path(__file__).parent / "serving_code.json").read_text(encoding="utf-8"))


def picture(width: int, height: int) -> Image.Image:
    """The picture that the serving code was shown: stripes and steps, by whole numbers alone."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    values = x * x * 3 + y * y * 7 + x * y * 5 + c * 83 + (x // 7 + y // 5) % 2 * 90
    return Image.fromarray((values % 256).astype(np.uint8))


class Preparing(unittest.TestCase):
    def test_scales_to_the_sides_that_the_serving_code_came_to(self) -> None:
        rounded = 0
        for width, height, *sides in RECORDED["sides"]:
            self.assertEqual(scaled(width, height), tuple(sides), f"{width} × {height}")
            rounded += [max(1, round(side * 224 / max(width, height))) for side in (width, height)] != sides
        self.assertGreater(rounded, 90, "too few of the sizes tell rounding from cutting off")
        self.assertTrue(any(max(sides) == 223 for _, _, *sides in RECORDED["sides"]))

    def test_gives_the_pixels_that_the_serving_code_gave(self) -> None:
        for item in RECORDED["pictures"]:
            pixels = square(picture(item["width"], item["height"]))
            self.assertEqual(pixels.shape, (224, 224, 3))
            self.assertEqual(hashlib.sha256(pixels.tobytes()).hexdigest(), item["sha256"], item)

    def test_refuses_what_the_serving_code_refuses(self) -> None:
        for width, height in RECORDED["refused"]:
            with self.assertRaisesRegex(TooNarrow, f"{width} × {height} pixels are too narrow"):
                prepare(picture(width, height))

    def test_is_torchvisions_normalisation_with_imagenets_figures(self) -> None:
        image = picture(140, 30)
        expected = functional.normalize(
            functional.to_tensor(Image.fromarray(square(image))), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        )
        torch.testing.assert_close(prepare(image), expected, rtol=0, atol=1e-6)

    def test_fills_with_the_edge_and_not_with_black(self) -> None:
        tensor = prepare(Image.new("RGB", (140, 30), (200, 100, 50)), 64)
        for channel in tensor:
            self.assertAlmostEqual(float(channel.max()), float(channel.min()), places=5)


class Decoding(unittest.TestCase):
    def test_grey_becomes_three_equal_channels(self) -> None:
        for mode in ("L", "LA", "1"):
            pixels = np.asarray(decode(encoded(RGB.convert("L").convert(mode))))
            self.assertEqual(pixels.shape, (30, 140, 3))
            self.assertTrue((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())

    def test_transparency_is_dropped_and_colours_stay(self) -> None:
        image = RGB.convert("RGBA")
        image.putalpha(0)
        np.testing.assert_array_equal(np.asarray(decode(encoded(image))), np.asarray(RGB))

    def test_a_palette_becomes_its_colours_also_with_transparency(self) -> None:
        palette = RGB.quantize(16)
        expected = np.asarray(palette.convert("RGB"))
        for options in ({}, {"transparency": 3}, {"transparency": bytes(range(16))}):
            np.testing.assert_array_equal(np.asarray(decode(encoded(palette, **options))), expected)

    def test_cmyk_jpeg_is_read(self) -> None:
        self.assertEqual(decode(encoded(RGB.convert("CMYK"), "jpeg")).mode, "RGB")

    def test_16_bits_are_stretched_and_not_cut_off(self) -> None:
        # A 12-bit camera in a 16-bit file.
        values = np.linspace(300, 4095, 140 * 30).reshape(30, 140).astype(np.uint16)
        for kind in ("png", "tiff"):
            pixels = np.asarray(decode(encoded(Image.fromarray(values), kind)))
            self.assertEqual((pixels.min(), pixels.max()), (0, 255))
            self.assertGreater(len(np.unique(pixels)), 200)

    def test_floating_point_is_stretched_and_what_is_no_number_does_no_harm(self) -> None:
        values = np.linspace(0, 1, 140 * 30, dtype=np.float32).reshape(30, 140)
        values[0, 0] = np.nan
        pixels = np.asarray(decode(encoded(Image.fromarray(values), "tiff")))
        self.assertEqual((pixels.min(), pixels.max()), (0, 255))

    def test_an_even_16_bit_image_is_read(self) -> None:
        pixels = np.asarray(decode(encoded(Image.fromarray(np.full((4, 4), 1000, np.uint16)))))
        self.assertEqual(len(np.unique(pixels)), 1)

    def test_a_truncated_or_foreign_file_is_an_error(self) -> None:
        whole = encoded(RGB)
        for content in (b"", b"no image", whole[: len(whole) // 2]):
            with self.assertRaises(Exception):  # noqa: B017 - Pillow raises several kinds
                decode(content)


class Scanning(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = make_data(Path(folder.name))

    def test_classes_are_in_code_point_order(self) -> None:
        self.assertEqual(scan_split(self.data, "train", 0).classes, CLASSES)

    def test_a_broken_image_is_named_and_left_out(self) -> None:
        broken = self.data / "train" / "cymbella" / "000.png"
        broken.write_bytes(broken.read_bytes()[:60])
        scan = scan_split(self.data, "train", 0.1)
        self.assertEqual([name for name, _ in scan.broken], ["train/cymbella/000.png"])
        self.assertEqual(len(scan.examples), 31)

    def test_an_image_too_narrow_for_the_serving_code_is_named_and_left_out(self) -> None:
        Image.new("RGB", (300, 1)).save(self.data / "train" / "cymbella" / "000.png")
        scan = scan_split(self.data, "train", 0.1)
        self.assertEqual([name for name, _ in scan.broken], ["train/cymbella/000.png"])
        self.assertRegex(scan.broken[0][1], "300 × 1 pixels are too narrow")

    def test_the_kind_of_an_images_pixels_is_known(self) -> None:
        RGB.convert("L").save(self.data / "train" / "cymbella" / "000.png")
        modes = {item.path: item.mode for item in scan_split(self.data, "train", 0).examples}
        self.assertEqual(modes["train/cymbella/000.png"], "L")
        self.assertEqual(sorted(modes.values()), ["L"] + ["RGB"] * 31)

    def test_too_many_broken_images_are_an_error_that_counts_them(self) -> None:
        for number in range(4):
            (self.data / "train" / "cymbella" / f"00{number}.png").write_bytes(b"")
        with self.assertRaisesRegex(UserError, "4 of 32 images"):
            scan_split(self.data, "train", 0.1)

    def test_a_class_whose_images_are_all_broken_is_an_error(self) -> None:
        for path in (self.data / "train" / "cymbella").iterdir():
            path.write_bytes(b"")
        with self.assertRaisesRegex(UserError, "cymbella"):
            scan_split(self.data, "train", 1)

    def test_an_empty_class_is_an_error_that_names_it(self) -> None:
        (self.data / "train" / "melosira").mkdir()
        with self.assertRaisesRegex(UserError, "melosira"):
            scan_split(self.data, "train", 0.1)

    def test_other_files_and_hidden_folders_are_no_images_and_no_classes(self) -> None:
        (self.data / "train" / ".cache").mkdir()
        (self.data / "train" / "cymbella" / "Thumbs.db").write_bytes(b"")
        scan = scan_split(self.data, "train", 0)
        self.assertEqual((scan.classes, len(scan.examples)), (CLASSES, 32))

    def test_images_have_the_endings_that_the_data_set_was_made_with(self) -> None:
        RGB.save(self.data / "train" / "cymbella" / "a.jfif", "jpeg")
        self.assertEqual(len(scan_split(self.data, "train", 0).examples), 32)
        description = {"options": {"image_extensions": ["jfif"]}}
        (self.data / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
        self.assertEqual(len(scan_split(self.data, "train", 0).examples), 33)

    def test_images_in_folders_below_a_class_belong_to_it(self) -> None:
        below = self.data / "train" / "cymbella" / "slide 2"
        below.mkdir()
        RGB.save(below / "a.JPG", "jpeg")
        examples = scan_split(self.data, "train", 0).examples
        self.assertIn(("train/cymbella/slide 2/a.JPG", "cymbella"), [(item.path, item.label) for item in examples])


if __name__ == "__main__":
    unittest.main()
