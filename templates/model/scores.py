"""Figures of a confusion matrix whose rows are the true classes and whose columns are the predicted ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Arrays have one value a class; NaN where the class has no image, so that nothing can be said about it."""

    accuracy: float
    macro_f1: float
    """Mean F1 of the classes that have images: every class counts the same, however rare."""
    precision: np.ndarray
    """Of what was predicted as this class, the share that is; 0 when the class was never predicted."""
    recall: np.ndarray
    """Of this class, the share that was found."""
    f1: np.ndarray
    """Harmonic mean of both."""
    support: np.ndarray
    """Images of this class."""


def confusion_matrix(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def score(matrix: np.ndarray) -> Scores:
    """Needs at least one image."""
    hits = np.diag(matrix).astype(float)
    support = matrix.sum(axis=1)
    predicted = matrix.sum(axis=0)
    absent = support == 0
    precision = np.where(absent, np.nan, hits / np.maximum(predicted, 1))
    recall = np.where(absent, np.nan, hits / np.maximum(support, 1))
    f1 = np.where(absent, np.nan, 2 * hits / np.maximum(support + predicted, 1))
    return Scores(
        accuracy=float(hits.sum() / support.sum()),
        macro_f1=float(f1[~absent].mean()),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
    )


def confidence_intervals(
    matrix: np.ndarray, samples: int, level: float, seed: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """
    Percentile bootstrap intervals of accuracy and macro-F1: how far both would move with other test images of the same
    kind. Images are drawn anew within each class, so that no class vanishes from a sample; drawing n of n images with
    replacement is a multinomial draw from the class's row of the matrix.
    """
    generator = np.random.default_rng(seed)
    support = matrix.sum(axis=1)
    rows = np.flatnonzero(support)
    shares = matrix[rows] / support[rows, None]
    figures = np.empty((samples, 2))
    drawn = np.zeros_like(matrix)
    for sample in range(samples):
        drawn[rows] = generator.multinomial(support[rows], shares)
        result = score(drawn)
        figures[sample] = result.accuracy, result.macro_f1
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))
