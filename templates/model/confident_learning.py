"""
Confident learning (C. Northcutt, L. Jiang and I. Chuang, Journal of Artificial Intelligence Research 70, 2021): which
labels are likely wrong, from the probabilities that a model gives to images that it has not learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ENOUGH_OTHERS = 3
"""Images of a class that a probe has to have learned from, for its answers to say anything of other images of it."""


@dataclass(frozen=True)
class Findings:
    """Of all images, in the order of the examples."""

    self_confidence: np.ndarray
    """The probability of the label that an image has."""
    likelier: np.ndarray
    """Number of the class that it looks most like, of all others."""
    score: np.ndarray
    """The normalised margin: 0 surely another class, 1 surely the one of the label."""
    suspected: np.ndarray
    judged: np.ndarray
    """Not so where the class is too small to tell."""

    @property
    def order(self) -> np.ndarray:
        """Suspected ones first, then by score; last, those that can't be judged."""
        return np.lexsort((self.score, ~self.suspected, ~self.judged))


def can_be_judged(targets: np.ndarray, folds: np.ndarray, classes: int) -> np.ndarray:
    """Of each image, whether its class leaves enough images to learn from, whichever of its folds is held out."""
    enough = np.ones(classes, dtype=bool)
    for number in range(folds.max() + 1):
        held = np.bincount(targets[folds == number], minlength=classes)
        others = np.bincount(targets[folds != number], minlength=classes)
        enough &= (held == 0) | (others >= ENOUGH_OTHERS)
    return enough[targets]


def judge(probabilities: np.ndarray, targets: np.ndarray, judged: np.ndarray) -> Findings:
    """
    How many images of a class are of each other one is estimated, and so many are suspected, the surest first (“prune
    by noise rate”); none for which its own class is more probable.
    """
    images = np.arange(len(targets))
    own = probabilities[images, targets]
    others = probabilities.copy()
    others[images, targets] = -1
    margins = others - own[:, None]
    suspected = np.zeros(len(targets), dtype=bool)
    likelier = others.argmax(1)
    wrong = wrong_labels(probabilities, targets, judged)
    for label, other in zip(*np.nonzero(wrong)):
        candidates = np.flatnonzero(judged & (targets == label) & (margins[:, other] > 0))
        surest = candidates[np.argsort(-margins[candidates, other], kind="stable")]
        suspected[surest[: wrong[label, other]]] = True
    return Findings(own, likelier, (1 - margins.max(1)) / 2, suspected, judged)


def wrong_labels(probabilities: np.ndarray, targets: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """
    How many images with the label of the row are of the class of the column. An image counts for a class of which it
    has at least the mean probability that images with its label have; those that count for none are like the others.
    """
    classes = probabilities.shape[1]
    sizes = np.bincount(targets[judged], minlength=classes)
    own = probabilities[np.arange(len(targets)), targets]
    means = np.bincount(targets[judged], own[judged], classes) / np.maximum(sizes, 1)
    reached = np.where(probabilities >= np.where(sizes > 0, means, np.inf), probabilities, -1)
    counted = judged & (reached.max(1) >= 0)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (targets[counted], reached[counted].argmax(1)), 1)
    estimate = joint / np.maximum(joint.sum(1, keepdims=True), 1) * sizes[:, None]
    np.fill_diagonal(estimate, 0)
    return np.rint(estimate).astype(int)
