"""Figures of a confusion matrix whose rows are the true classes and whose columns are the predicted ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

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
    of_class = f1(matrix)
    return Scores(
        accuracy=float(hits.sum() / support.sum()),
        macro_f1=float(of_class[~absent].mean()),
        precision=precision,
        recall=recall,
        f1=of_class,
        support=support,
    )


def f1(matrix: np.ndarray) -> np.ndarray:
    """F1 of each class, of one matrix or of many; NaN where the class has no image."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    support = matrix.sum(axis=-1)
    absent = support == 0
    return np.where(absent, np.nan, 2 * hits / np.where(absent, 1, support + matrix.sum(axis=-2)))


def wilson_interval(hits: int, images: int, level: float) -> tuple[float, float] | None:
    """
    Wilson's score interval of a share, such as accuracy or a recall: other than a bootstrap's, it has a width when
    everything is right. E. B. Wilson, JASA 22 (1927) 209–212. `None` of no image.
    """
    if images == 0:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = hits / images
    middle = share + z**2 / (2 * images)
    half = z * math.sqrt(share * (1 - share) / images + (z / (2 * images)) ** 2)
    scale = 1 + z**2 / images
    # At the ends it is exactly 0 or 1, which rounding may miss.
    return (0.0 if hits == 0 else (middle - half) / scale), (1.0 if hits == images else (middle + half) / scale)


def macro_f1_interval(matrix: np.ndarray, samples: int, level: float, seed: int) -> tuple[float, float]:
    """
    How far macro-F1 would move with other test images of the same kind: a Bayesian bootstrap (D. B. Rubin, Annals of
    Statistics 9 (1981) 130–134). Of each class, what becomes of its images is drawn from a Dirichlet distribution: the
    counts of its row, and a prior. The prior is half a hit and half a mistake for the whole matrix and not for each
    class, as Jeffreys' is for one share: half a mistake a class would be fifty mistakes for a hundred classes.
    """
    generator = np.random.default_rng(seed)
    support = matrix.sum(axis=1)
    rows = np.flatnonzero(support)
    classes = len(matrix)
    prior = np.full((len(rows), classes), 0.5 / len(rows) / max(classes - 1, 1))
    prior[np.arange(len(rows)), rows] = 0.5 / len(rows)
    figures = []
    # A few megabytes at a time, however many classes there are.
    at_once = max(1, 1_000_000 // matrix.size)
    for begin in range(0, samples, at_once):
        drawn = np.zeros((min(at_once, samples - begin), *matrix.shape))
        weights = generator.standard_gamma(matrix[rows] + prior, (len(drawn), len(rows), classes))
        drawn[:, rows] = weights * (support[rows] / weights.sum(axis=2))[:, :, None]
        figures.append(f1(drawn)[:, rows].mean(axis=1))
    low, high = np.quantile(np.concatenate(figures), [(1 - level) / 2, (1 + level) / 2])
    # With no mistake, or nothing but mistakes, all that is drawn lies on one side of what was measured.
    value = score(matrix).macro_f1
    return min(float(low), value), max(float(high), value)
