"""Temperature, thresholds and corrected counts, on outputs whose truth is known."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np
import support  # noqa: F401 - makes the programs importable

import calibration
import counts


def outputs(
    images: int, sharpness: float, seed: int = 3, classes: int = 4, spread: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs whose softmax at temperature `sharpness` is the probability that the true class was drawn with."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, spread, (images, classes))
    chances = calibration.softmax(logits)
    true = (chances.cumsum(axis=1) > generator.random((images, 1))).argmax(axis=1)
    return logits * sharpness, true


class Temperature(unittest.TestCase):
    def test_is_found_when_the_network_is_too_sure_and_when_it_is_not_sure_enough(self) -> None:
        for sharpness in (0.4, 1.0, 3.0):
            logits, true = outputs(4000, sharpness)
            self.assertAlmostEqual(calibration.find_temperature(logits, true) / sharpness, 1, delta=0.1)

    def test_makes_likelihood_and_calibration_better_on_images_it_was_not_found_on(self) -> None:
        temperature = calibration.find_temperature(*outputs(2000, 3.0, seed=1))
        figures = calibration.compare(*outputs(4000, 3.0, seed=2), temperature)
        self.assertLess(figures["nll_after"], figures["nll_before"] - 0.2)
        self.assertLess(figures["ece_after"], 0.03)
        self.assertGreater(figures["ece_before"], 0.1)

    def test_stays_a_number_when_every_validation_image_is_right(self) -> None:
        logits = np.eye(3)[[0, 1, 2, 0]] * 5
        self.assertGreater(calibration.find_temperature(logits, np.array([0, 1, 2, 0])), 0.2)

    def test_the_calibration_error_of_certain_and_right_answers_is_none_and_of_wrong_ones_all(self) -> None:
        sure = np.ones(10)
        self.assertEqual(calibration.expected_calibration_error(sure, sure.astype(bool)), 0)
        self.assertEqual(calibration.expected_calibration_error(sure, np.zeros(10, dtype=bool)), 1)


class Threshold(unittest.TestCase):
    confidence = np.array([0.99, 0.9, 0.8, 0.8, 0.6, 0.5])
    right = np.array([True, True, True, False, True, False])

    def test_answers_as_many_images_as_the_wanted_precision_allows(self) -> None:
        # Above 0.9 all are right; with both at 0.8 three quarters, with that at 0.6 four of five.
        for wanted, expected in ((1.0, 0.9), (0.75, 0.6), (0.8, 0.6), (0.5, 0.0)):
            self.assertEqual(calibration.find_threshold(self.confidence, self.right, wanted), expected)

    def test_images_of_equal_confidence_are_answered_together(self) -> None:
        thresholds, coverage, precision = calibration.curve(self.confidence, self.right)
        np.testing.assert_array_equal(thresholds, [0.99, 0.9, 0.8, 0.6, 0.5])
        np.testing.assert_allclose(coverage, [1 / 6, 2 / 6, 4 / 6, 5 / 6, 1])
        np.testing.assert_allclose(precision, [1, 1, 3 / 4, 4 / 5, 4 / 6])

    def test_there_is_none_when_the_surest_answer_is_wrong_and_no_share_is_high_enough(self) -> None:
        self.assertIsNone(calibration.find_threshold(np.array([0.9, 0.8]), np.array([False, True]), 0.95))

    def test_says_how_much_is_answered_and_right_above_a_probability(self) -> None:
        rows = calibration.levels(self.confidence, self.right, (0.7, 0.995))
        self.assertEqual(rows[0], {"threshold": 0.7, "coverage": 4 / 6, "precision": 0.75})
        self.assertEqual(rows[1], {"threshold": 0.995, "coverage": 0.0, "precision": None})

    def test_holds_on_other_images_within_what_chance_does(self) -> None:
        known = calibration.measure(*outputs(20_000, 3.0, seed=1), 0.9)
        logits, true = outputs(20_000, 3.0, seed=2)
        probabilities = calibration.softmax(logits, known["temperature"])
        given = probabilities.max(axis=1) >= known["threshold"]
        right = probabilities.argmax(axis=1) == true
        self.assertAlmostEqual(right[given].mean(), 0.9, delta=0.03)
        self.assertLess(right.mean(), 0.8)


class FewImages(unittest.TestCase):
    def test_a_threshold_of_few_validation_images_keeps_most_of_what_was_wanted(self) -> None:
        # A model that has 72 % right.
        logits, true = outputs(20_000, 2.0, seed=9, classes=6, spread=3.0)
        for images, at_least in ((60, 0.92), (1000, 0.945)):
            shares = []
            for seed in range(60):
                known = calibration.measure(*outputs(images, 2.0, 100 + seed, classes=6, spread=3.0), 0.95)
                probabilities = calibration.softmax(logits, known["temperature"])
                given = probabilities.max(axis=1) >= (2 if known["threshold"] is None else known["threshold"])
                shares += [float((probabilities.argmax(axis=1) == true)[given].mean())] if given.any() else []
            worst = np.quantile(shares, 0.1)
            print(f"{images} validation images: {np.mean(shares):.3f} right, in the worst tenth {worst:.3f}")
            self.assertGreater(np.mean(shares), at_least)


class Beside(unittest.TestCase):
    def test_a_model_without_the_file_has_temperature_1_and_no_threshold_and_a_damaged_file_is_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(calibration.read(Path(folder)), calibration.Calibration(1.0, None, None))
            (Path(folder) / calibration.FILE).write_text('{"temperature": 2}')
            with self.assertRaisesRegex(ValueError, "calibration.json is damaged"):
                calibration.read(Path(folder))


def errors_of_counts(classes: int, accuracy: float, images: int, runs: int = 150) -> tuple[float, float]:
    """Mean share of wrong counts in samples of 1000, before and after, over many models and compositions."""
    generator = np.random.default_rng(1)
    errors = []
    for _ in range(runs):
        rates = generator.dirichlet(np.full(classes, 0.3), classes) * (1 - accuracy) + np.eye(classes) * accuracy
        matrix = np.array([generator.multinomial(images, row) for row in rates])
        actual = generator.multinomial(1000, generator.dirichlet(np.ones(classes)))
        predicted = sum(generator.multinomial(count, row) for count, row in zip(actual, rates)).astype(float)
        found = counts.corrected(predicted, matrix)
        errors.append([np.abs(values - actual).sum() / 2000 for values in (predicted, found)])
    before, after = np.mean(errors, axis=0)
    return float(before), float(after)


class Counts(unittest.TestCase):
    # Of the first class, three tenths are taken for the second.
    rates = np.array([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.05, 0.05, 0.9]])

    def test_are_put_right_where_the_composition_is_another_than_that_of_the_test_images(self) -> None:
        actual = np.array([500.0, 50.0, 450.0])
        predicted = actual @ self.rates
        found = counts.corrected(predicted, self.rates * 1000)
        self.assertLess(np.abs(found - actual).sum(), 0.6 * np.abs(predicted - actual).sum())
        self.assertAlmostEqual(found.sum(), 1000, places=6)

    def test_are_never_negative_and_nothing_stays_nothing(self) -> None:
        # Fewer of the second class than the first alone would send there.
        found = counts.corrected(np.array([100.0, 0.0, 0.0]), self.rates * 1000)
        self.assertTrue((found >= 0).all())
        self.assertEqual(counts.corrected(np.zeros(3), self.rates * 10).tolist(), [0, 0, 0])

    def test_of_test_images_are_corrected_by_what_other_images_say(self) -> None:
        generator = np.random.default_rng(5)
        true = np.repeat([0, 1, 2], [400, 200, 300])
        predicted = np.array([generator.choice(3, p=self.rates[label]) for label in true])
        told = counts.bias(true, predicted, 3, ["a", "b", "c"])
        self.assertEqual(told["per_class"]["a"]["true"], 400)
        self.assertLess(told["per_class"]["a"]["bias"], -0.2)
        self.assertGreater(told["error"], 0.1)
        self.assertLess(told["error_corrected"], 0.6 * told["error"])
        self.assertAlmostEqual(sum(item["corrected"] for item in told["per_class"].values()), 900, delta=0.1)

    def test_get_no_worse_with_ten_test_images_a_class_and_much_better_with_a_hundred(self) -> None:
        for classes, accuracy in ((6, 0.75), (6, 0.9), (20, 0.75), (20, 0.9)):
            for images, at_most in ((10, 1.0), (100, 0.75)):
                before, after = errors_of_counts(classes, accuracy, images)
                self.assertLess(after, at_most * before, f"{classes} classes, {images} images of each")

    def test_a_class_without_test_images_has_no_bias(self) -> None:
        told = counts.bias(np.array([0, 0, 1]), np.array([0, 1, 1]), 3, ["a", "b", "c"])
        self.assertIsNone(told["per_class"]["c"]["bias"])


if __name__ == "__main__":
    unittest.main()
