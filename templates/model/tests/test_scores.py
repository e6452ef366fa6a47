"""Figures of a confusion matrix."""

from __future__ import annotations

import unittest

import numpy as np
import support  # noqa: F401 - makes the modules beside the tests importable

from scores import confidence_intervals, confusion_matrix, score

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
    def test_hold_the_figures_and_follow_from_the_seed(self) -> None:
        first = confidence_intervals(MATRIX, 500, 0.95, 1)
        for (low, high), value in zip(first, (score(MATRIX).accuracy, score(MATRIX).macro_f1)):
            self.assertTrue(0 <= low < value < high <= 1)
        self.assertEqual(first, confidence_intervals(MATRIX, 500, 0.95, 1))
        self.assertNotEqual(first, confidence_intervals(MATRIX, 500, 0.95, 2))

    def test_narrow_with_more_images_and_with_less_confidence(self) -> None:
        def width(matrix: np.ndarray, level: float) -> float:
            low, high = confidence_intervals(matrix, 500, level, 1)[0]
            return high - low

        self.assertLess(width(MATRIX * 25, 0.95), width(MATRIX, 0.95) / 3)
        self.assertLess(width(MATRIX, 0.5), width(MATRIX, 0.95))

    def test_agree_with_drawing_images_one_by_one(self) -> None:
        generator = np.random.default_rng(3)
        true, predicted = (np.repeat(part, MATRIX.ravel()) for part in np.indices(MATRIX.shape).reshape(2, -1))
        drawn = []
        for _ in range(2000):
            pick = np.concatenate(
                [generator.choice(found, len(found)) for k in (0, 1, 3) for found in [np.flatnonzero(true == k)]]
            )
            drawn.append(float((true[pick] == predicted[pick]).mean()))
        expected = np.quantile(drawn, [0.025, 0.975])
        np.testing.assert_allclose(confidence_intervals(MATRIX, 2000, 0.95, 1)[0], expected, atol=0.06)


if __name__ == "__main__":
    unittest.main()
