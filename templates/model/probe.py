"""
The probe: a multinomial logistic regression on the features of a frozen network. It takes seconds, is hard to beat with
few images, and is what a fine-tuned network is measured by.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

import scores
from common import Example, UserError
from training_data import balanced_weights, inseparable

# Of the weights' squares, beside the mean loss of an image; strongest first, because each fit begins at the one before.
PENALTIES = tuple(float(value) for value in np.logspace(-1, -5, 9))
USUAL_PENALTY = 1e-3
INNER_FOLDS = 3
MANY = 1000


@dataclass(frozen=True)
class Head:
    """A linear layer on features as they come from the network."""

    weight: np.ndarray
    """Classes × features."""
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        return features @ self.weight.T + self.bias


@dataclass(frozen=True)
class Examples:
    """What the regression learns from."""

    features: np.ndarray
    targets: np.ndarray
    units: np.ndarray
    """Number of the unit that an image belongs to: identical images and those of one group are one."""
    classes: int
    balance: str
    device: torch.device = torch.device("cpu")
    """Where to compute: tens of thousands of images take minutes without a GPU."""
    seen: int | None = None
    """How many of the features come from the network, if others follow: the image's size."""

    def where(self, mask: np.ndarray) -> Examples:
        return replace(self, features=self.features[mask], targets=self.targets[mask], units=self.units[mask])


@dataclass(frozen=True)
class Probe:
    head: Head
    penalty: float
    held_out: np.ndarray
    """The outputs for each image by a probe that has not seen it."""
    folds: list[dict[str, float]]
    """Accuracy and macro-F1 on each part of the training images, by a probe that has not seen it."""


def unit_numbers(examples: Sequence[Example]) -> np.ndarray:
    numbers = {}
    for number, unit in enumerate(inseparable(list(examples))):
        numbers.update({example.path: number for example in unit})
    return np.array([numbers[example.path] for example in examples])


def deal_folds(targets: np.ndarray, units: np.ndarray, wanted: int, seed: int) -> np.ndarray:
    """
    The fold of each image: equally many of each class in each fold, as far as units allow, which are never divided.
    There are fewer folds than wanted when that would leave folds without any image.
    """
    members: dict[int, list[int]] = {}
    for index, unit in enumerate(units):
        members.setdefault(int(unit), []).append(index)
    count = min(wanted, len(members))
    if count < 2:
        raise UserError("Too few images for cross-validation: at least two are needed that are independent.")
    order = sorted(members)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda unit: -len(members[unit]))  # What is large is hard to place later.
    filled = [Counter[int]() for _ in range(count)]
    fold = np.empty(len(units), dtype=np.int64)
    for unit in order:
        labels = Counter(int(targets[index]) for index in members[unit])
        best = min(
            range(count),
            key=lambda number: (sum(filled[number][label] * n for label, n in labels.items()), filled[number].total()),
        )
        filled[best].update(labels)
        fold[members[unit]] = best
    return fold


def train_probe(examples: Examples, folds: np.ndarray, seed: int) -> Probe:
    """The probe of all images, and how good probes are on images that they have not seen."""
    outputs = np.empty((len(folds), examples.classes))
    scored = []
    for held, logits in answer_folds(examples, folds, seed):
        outputs[held] = logits
        scored.append(score_of(logits, examples.targets[held], examples.classes))
    head, penalty = fit_best(examples, seed)
    return Probe(head, penalty, outputs, scored)


def answer_folds(examples: Examples, folds: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Fold after fold, which images it has and the outputs for them of a probe of all others."""
    for number in sorted(set(folds)):
        held = folds == number
        head, _ = fit_best(examples.where(~held), seed)
        yield held, head.logits(examples.features[held])


def score_of(logits: np.ndarray, targets: np.ndarray, classes: int) -> dict[str, float]:
    result = scores.score(scores.confusion_matrix(targets, logits.argmax(1), classes))
    return {"accuracy": float(result.accuracy), "macro_f1": float(result.macro_f1)}


def fit_best(examples: Examples, seed: int) -> tuple[Head, float]:
    """Fits with the penalty that is best on folds inside these very images."""
    parts = inner_parts(examples, seed)
    weights = balanced_weights(examples.targets, examples.classes, examples.balance)
    best, lowest, worse = USUAL_PENALTY, np.inf, 0
    for penalty, heads in zip(PENALTIES, zip(*(fit(inside, PENALTIES) for inside, _ in parts))):
        loss = sum(
            weighted_loss(head.logits(outside.features), outside.targets, weights)
            for head, (_, outside) in zip(heads, parts)
        )
        best, lowest, worse = (penalty, loss, 0) if loss < lowest else (best, lowest, worse + 1)
        if worse == 2:  # Weaker ones fit chance, and take longest.
            break
    return next(fit(examples, [best])), best


def inner_parts(examples: Examples, seed: int) -> list[tuple[Examples, Examples]]:
    """Images to fit with, and images to choose the penalty by. Of many images, one fold tells as much as all."""
    if len(set(examples.units)) < 2:
        return []
    folds = deal_folds(examples.targets, examples.units, INNER_FOLDS, seed)
    numbers = sorted(set(folds))[: 1 if len(folds) > MANY else None]
    return [(examples.where(folds != number), examples.where(folds == number)) for number in numbers]


def weighted_loss(logits: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    each = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(targets), torch.from_numpy(weights), reduction="sum"
    )
    return float(each)


def fit(examples: Examples, penalties: Sequence[float]) -> Iterator[Head]:
    """The regression with each of the penalties, one after the other."""
    features = examples.features.astype(np.float64)
    mean = features.mean(axis=0)
    scale = 1 / np.maximum(features.std(axis=0), 1e-6)
    # One number for all, so that a penalty means the same for networks with more features. The size's two weigh as much
    # as all of the network's together: among thousands, nothing would be learned from them.
    seen = features.shape[1] if examples.seen is None else examples.seen
    scale[:seen] /= np.sqrt(seen)
    scale[seen:] /= np.sqrt(features.shape[1] - seen)
    device = examples.device
    standard = torch.from_numpy((features - mean) * scale).to(device)
    # With more features than images, the solution lies in the space that the images span: that is exact, and faster.
    basis = None
    if standard.shape[0] < standard.shape[1]:
        basis, triangle = torch.linalg.qr(standard.T)
        standard = triangle.T
    targets = torch.from_numpy(examples.targets).to(device)
    weights = torch.from_numpy(balanced_weights(examples.targets, examples.classes, examples.balance)).to(device)
    weight = torch.zeros(examples.classes, standard.shape[1], dtype=torch.float64, device=device, requires_grad=True)
    bias = torch.zeros(examples.classes, dtype=torch.float64, device=device, requires_grad=True)
    for penalty in penalties:
        minimise(partial(loss_of, standard, targets, weights, penalty, weight, bias), [weight, bias])
        raw = weight.detach() if basis is None else weight.detach() @ basis.T
        whole = raw.cpu().numpy() * scale
        yield Head(whole, bias.detach().cpu().numpy() - whole @ mean)


def loss_of(
    features: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    penalty: float,
    weight: torch.Tensor,
    bias: torch.Tensor,
) -> torch.Tensor:
    each = torch.nn.functional.cross_entropy(features @ weight.T + bias, targets, weights)
    return each + penalty / 2 * weight.square().sum()


def minimise(loss: Callable[[], torch.Tensor], parameters: list[torch.Tensor]) -> None:
    optimizer = torch.optim.LBFGS(parameters, max_iter=200, tolerance_grad=1e-5, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]


def summary(folds: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Mean and standard deviation over the folds."""
    return {
        name: {
            "mean": float(np.mean([fold[name] for fold in folds])),
            "deviation": float(np.std([fold[name] for fold in folds])),
        }
        for name in ("accuracy", "macro_f1")
    }
