"""Figures of a confusion matrix."""

from __future__ import annotations

import math
import unittest

import numpy as np
import support  # noqa: F401 - makes the modules beside the tests importable

from scores import confusion_matrix, f1, macro_f1_interval, score, wilson_interval

# Rows are true classes. The third class has no image, the fourth is never predicted.
MATRIX = np.array([[8, 2, 0, 0], [1, 3, 1, 0], [0, 0, 0, 0], [2, 0, 0, 0]])


class Scoring(unittest.TestCase):
    def test_counts_true_classes_in_rows(self) -> None:
        matrix = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
        self.assertEqual(matrix.tolist(), [[1, 1, 0], [0, 1, 0], [0, 0, 0]])

    def test_gives_the_figures_by_their_definition(self) -> None:
        result = score(MATRIX)
        self.assertAlmostEqual(result.accuracy, 11 / 17)
        np.testing.assert_allclose(result.precision, [8 / 11, 3 / 5, np.nan, 0])
        np.testing.assert_allclose(result.recall, [8 / 10, 3 / 5, np.nan, 0])
        np.testing.assert_allclose(result.f1, [16 / 21, 3 / 5, np.nan, 0])
        self.assertEqual(result.support.tolist(), [10, 5, 0, 2])

    def test_macro_f1_is_the_mean_of_the_classes_that_have_images(self) -> None:
        self.assertAlmostEqual(score(MATRIX).macro_f1, (16 / 21 + 3 / 5 + 0) / 3)


class Intervals(unittest.TestCase):
    def test_of_a_share_are_those_of_the_textbook(self) -> None:
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        for hits, images, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
            np.testing.assert_allclose(wilson_interval(hits, images, 0.95), (low, high), atol=5e-5)
        self.assertEqual(wilson_interval(20, 20, 0.95)[1], 1)
        self.assertIsNone(wilson_interval(0, 0, 0.95))

    def test_of_a_share_hold_the_true_one_in_nine_of_ten_evaluations(self) -> None:
        for images in (10, 20, 30, 60, 100):
            for share in (0.8, 0.85, 0.9, 0.95, 0.98):
                # Not simulated: every number of hits, with its probability.
                ends = [wilson_interval(hits, images, 0.95) or (1, 0) for hits in range(images + 1)]
                held = sum(
                    math.comb(images, hits) * share**hits * (1 - share) ** (images - hits)
                    for hits, (low, high) in enumerate(ends)
                    if low <= share <= high
                )
                self.assertGreaterEqual(held, 0.9, f"{images} images, {share:.0%}")

    def test_of_macro_f1_hold_the_figure_and_follow_from_the_seed(self) -> None:
        first = macro_f1_interval(MATRIX, 500, 0.95, 1)
        self.assertTrue(0 <= first[0] < score(MATRIX).macro_f1 < first[1] <= 1)
        self.assertEqual(first, macro_f1_interval(MATRIX, 500, 0.95, 1))
        self.assertNotEqual(first, macro_f1_interval(MATRIX, 500, 0.95, 2))

    def test_have_a_width_when_everything_is_right(self) -> None:
        low, high = macro_f1_interval(np.diag([10, 10, 10]), 500, 0.95, 1)
        self.assertLess(low, 0.95)
        self.assertEqual(high, 1)

    def test_narrow_with_more_images_and_with_less_confidence(self) -> None:
        def width(matrix: np.ndarray, level: float) -> float:
            low, high = macro_f1_interval(matrix, 500, level, 1)
            return high - low

        self.assertLess(width(MATRIX * 25, 0.95), width(MATRIX, 0.95) / 3)
        self.assertLess(width(MATRIX, 0.5), width(MATRIX, 0.95))

    def test_hold_the_true_macro_f1_in_nine_of_ten_evaluations(self) -> None:
        generator = np.random.default_rng(1)
        repeats = 400
        lines = []
        for classes, images in ((2, 10), (6, 10), (20, 10), (2, 30), (6, 30)):
            for share in (0.8, 0.9, 0.95, 0.98):
                # Mistakes go to the neighbour: the case of species that are mixed up in pairs.
                truth = np.eye(classes) * share + np.roll(np.eye(classes), 1, axis=1) * (1 - share)
                true = f1(truth * images).mean()
                held = 0
                for seed in range(repeats):
                    matrix = generator.multinomial(images, truth)
                    low, high = macro_f1_interval(matrix, 200, 0.95, seed)
                    held += low <= true <= high
                lines.append(f"{classes} classes × {images} images, right {share:.0%}: {held / repeats:.3f}")
        print("Share of the nominal 95 % intervals that hold the true macro-F1:", *lines, sep="\n")
        # Chance in counting moves a share of .93 of 400 by at most .03.
        self.assertGreaterEqual(min(float(line.rsplit(": ", 1)[1]) for line in lines), 0.9, "\n".join(lines))


if __name__ == "__main__":
    unittest.main()
