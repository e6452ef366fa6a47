"""
How many of each class there are, which is what most samples are looked at for. A model that takes one species for
another counts one too few and the other too many; its confusion matrix says how many. Needs NumPy alone, as predict.py
takes it along.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FOLDS = 5

# What all classes have in common counts like so many test images of each.
COMMON = 10


def corrected(predicted: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """
    Each answer is shared out among the classes that it may come from: by how often the model takes them for it (matrix:
    rows true, columns predicted), and by how common they are, for which the predicted counts stand. That is one step of
    the expectation maximisation whose end would be the most likely counts. Going on to that end makes counts worse than
    they were with ten test images a class; the first step does not, and with many it takes away half of the error or
    more.
    """
    total = predicted.sum()
    if total == 0:
        return np.zeros(len(predicted))
    rates = confusion_rates(matrix)
    shares = predicted / total
    return predicted * (rates @ (shares / np.maximum(shares @ rates, 1e-300)))


def confusion_rates(matrix: np.ndarray) -> np.ndarray:
    """
    What becomes of an image of each class. Of few test images of it, no more can be said than of all classes together:
    the share that is right, and which classes the others are taken for.
    """
    classes = len(matrix)
    right = (np.trace(matrix) + 0.5) / (matrix.sum() + 1)
    wrong = np.tile(matrix.sum(axis=0) - np.diag(matrix) + 1 / classes, (classes, 1))
    np.fill_diagonal(wrong, 0)
    common = wrong / np.maximum(wrong.sum(axis=1, keepdims=True), 1e-300) * (1 - right)
    np.fill_diagonal(common, right)
    rates = matrix + COMMON * common
    return rates / rates.sum(axis=1, keepdims=True)


def bias(true: np.ndarray, predicted: np.ndarray, classes: int, names: list[str]) -> dict[str, Any]:
    """
    Counts of the test images: true, predicted, and corrected by a matrix of other images. (With that of the same
    images, the correction would always be perfect.) Every fold is corrected by what the others say; these are summed.
    """
    fold = folds(true)
    estimate = np.zeros(classes)
    for number in range(FOLDS):
        inside = fold == number
        matrix = np.zeros((classes, classes))
        np.add.at(matrix, (true[~inside], predicted[~inside]), 1)
        estimate += corrected(np.bincount(predicted[inside], minlength=classes).astype(float), matrix)
    actual = np.bincount(true, minlength=classes)
    counted = np.bincount(predicted, minlength=classes)
    return {
        "folds": FOLDS,
        "error": float(np.abs(counted - actual).sum() / (2 * len(true))),
        "error_corrected": float(np.abs(estimate - actual).sum() / (2 * len(true))),
        "per_class": {
            name: {
                "true": int(actual[index]),
                "predicted": int(counted[index]),
                "corrected": round(float(estimate[index]), 2),
                "bias": float(counted[index] / actual[index] - 1) if actual[index] else None,
            }
            for index, name in enumerate(names)
        },
    }


def folds(true: np.ndarray) -> np.ndarray:
    """The fold of each image: those of a class are dealt out like cards, and the next class goes on where it ended."""
    order = np.argsort(true, kind="stable")
    fold = np.empty(len(true), dtype=int)
    fold[order] = np.arange(len(true)) % FOLDS
    return fold
