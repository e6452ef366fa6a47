"""
How far a model's probabilities can be believed, and below which probability it is better not to. Needs NumPy alone, as
predict.py takes it along.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FILE = "calibration.json"

# Of the expected calibration error: as many as in the paper that temperature scaling is from.
BINS = 15

# Where the curve of answers given and answers right is read in figures.
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Calibration:
    """What the validation images say about a model's probabilities."""

    temperature: float = 1.0
    threshold: float | None = None
    """Answers that are less probable are “unknown”."""
    wanted_precision: float | None = None
    """What the threshold was chosen for: the share of right answers among those that are given."""

    def is_unknown(self, probability: float) -> bool | None:
        """None where nobody has looked for a threshold. Where none was found, no answer is sure enough."""
        if self.threshold is None:
            return None if self.wanted_precision is None else True
        return probability < self.threshold


def read(folder: Path) -> Calibration:
    """What lies beside the weights; of a model that has no such file, probabilities are taken as they are."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        temperature, threshold, wanted = (found[key] for key in ("temperature", "threshold", "wanted_precision"))
    except FileNotFoundError:
        return Calibration()
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / FILE} is damaged: {error!r}") from None
    return Calibration(temperature, threshold, wanted)


def measure(logits: np.ndarray, true: np.ndarray, wanted_precision: float) -> dict[str, Any]:
    """What the file holds, from the network's outputs for the validation images."""
    temperature = find_temperature(logits, true)
    figures = compare(logits, true, temperature)
    probabilities = softmax(logits, temperature)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    threshold = find_threshold(confidence, right, wanted_precision)
    return {
        "format": 1,
        "temperature": temperature,
        "wanted_precision": wanted_precision,
        "threshold": threshold,
        "validation": {"images": len(true), **figures, **answered(confidence, right, threshold)},
    }


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    values = logits.astype(np.float64) / temperature
    values = np.exp(values - values.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def negative_log_likelihood(probabilities: np.ndarray, true: np.ndarray) -> float:
    """Mean over the images; the lower the better, and the worse for every answer that is sure and wrong."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(true)), true], 1e-300)).mean())


def find_temperature(logits: np.ndarray, true: np.ndarray) -> float:
    """
    What the outputs have to be divided by, so that the probabilities fit best (C. Guo et al., ICML 2017): above 1, the
    network was too sure. A weak prior keeps it from 0 when all validation images are right.
    """

    def cost(log_temperature: float) -> float:
        probabilities = softmax(logits, math.exp(log_temperature))
        return negative_log_likelihood(probabilities, true) * len(true) + log_temperature**2 / 2

    steps = [step / 4 for step in range(-12, 13)]
    best = min(steps, key=cost)
    low, high = best - 0.25, best + 0.25
    for _ in range(30):  # each takes a third away
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if cost(left) < cost(right) else (left, high)
    return round(math.exp((low + high) / 2), 4)


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """How far the mean confidence is from the share of right answers, over bins of the confidence."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    difference = np.bincount(bins, confidence, BINS) - np.bincount(bins, right, BINS)
    return float(np.abs(difference[counts > 0]).sum() / len(confidence))


def compare(logits: np.ndarray, true: np.ndarray, temperature: float) -> dict[str, float]:
    """Both figures, before and after."""
    result: dict[str, float] = {}
    for when, value in (("before", 1.0), ("after", temperature)):
        probabilities = softmax(logits, value)
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
        result[f"nll_{when}"] = negative_log_likelihood(probabilities, true)
        result[f"ece_{when}"] = expected_calibration_error(confidence, right)
    return result


def curve(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Threshold, share of images that are answered, and share of right answers among these, for every threshold."""
    order = np.argsort(-confidence, kind="stable")
    thresholds = confidence[order]
    count = np.arange(1, len(order) + 1)
    # Images of the same confidence are answered together or not at all.
    last = np.append(thresholds[1:] != thresholds[:-1], True)
    precision = np.cumsum(right[order]) / count
    return thresholds[last], count[last] / len(order), precision[last]


def find_threshold(confidence: np.ndarray, right: np.ndarray, wanted: float) -> float | None:
    """The threshold that answers most images and has the wanted share of them right; None when there is none."""
    if right.mean() >= wanted:
        return 0.0
    thresholds, _, precision = curve(confidence, right)
    enough = np.flatnonzero(precision >= wanted)
    # Rounded down, or the image that it is taken from would be below it.
    return math.floor(float(thresholds[enough[-1]]) * 1e4) / 1e4 if len(enough) else None


def answered(confidence: np.ndarray, right: np.ndarray, threshold: float | None) -> dict[str, Any]:
    """How many images are answered with a threshold, and how many of these are right."""
    if threshold is None:
        return {"answered": None, "answered_right": None}
    given = confidence >= threshold
    return {"answered": int(given.sum()), "answered_right": int(right[given].sum())}


def levels(confidence: np.ndarray, right: np.ndarray, thresholds: Sequence[float] = LEVELS) -> list[dict[str, Any]]:
    """“Above 0.9: 97 % right on 80 %”."""
    rows = []
    for threshold in thresholds:
        given = confidence >= threshold
        share = float(right[given].mean()) if given.any() else None
        rows.append({"threshold": threshold, "coverage": float(given.mean()), "precision": share})
    return rows
