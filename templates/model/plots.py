"""The pictures. Without matplotlib there are none, and a sentence says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import calibration
from common import is_installed, write_atomically

BLUE, ORANGE, GREEN, GREY = "#1f77b4", "#d95f02", "#1b7837", "#777777"


def learning_curve(path: Path, history: Sequence[dict[str, float]], best_epoch: int) -> str:
    """Losses, and what the epoch is chosen by. Returns a sentence on what came of it."""
    pyplot = load_pyplot()
    if pyplot is None:
        return no_picture(path)
    epochs = [row["epoch"] for row in history]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for axes, lines in (
        (left, (("train_loss", "training", BLUE), ("validation_loss", "validation", ORANGE))),
        (right, (("validation_macro_f1", "macro-F1", ORANGE), ("validation_accuracy", "accuracy", GREY))),
    ):
        for key, label, colour in lines:
            axes.plot(epochs, [row[key] for row in history], label=label, color=colour, marker=".")
        axes.axvline(
            best_epoch, color=GREEN, linestyle="--", linewidth=1, label=f"chosen: epoch {best_epoch}", zorder=0
        )
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, max(2, len(history)) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    left.set_title("Loss")
    left.set_ylim(0, 1.06 * max(max(row["train_loss"], row["validation_loss"]) for row in history))
    right.set_title("On the validation images")
    right.set_ylim(-0.02, 1.02)
    return save(pyplot, figure, path)


def confusion_matrix(path: Path, matrix: np.ndarray, classes: Sequence[str], title: str) -> str:
    """Rows are true classes; colours are shares of the row, so that rare classes show as well. Returns a sentence."""
    pyplot = load_pyplot()
    if pyplot is None:
        return no_picture(path)
    count = len(classes)
    # Cells of the same size however many classes there are, until the picture gets too large to look at.
    side = min(30.0, max(3.0, 0.42 * count))
    font = max(3.0, min(9.0, 72 * side / count * 0.3))
    labels = [plain(shorten(name, 32)) for name in classes]
    figure, axes = pyplot.subplots(figsize=(side + 3.2, side + 2.6), layout="constrained")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), labels, rotation=90, fontsize=font)
    axes.set_yticks(range(count), labels, fontsize=font)
    axes.set_xticks(np.arange(count - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(count - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="#dddddd", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=10)
    if count <= 120:
        for row, column in zip(*np.nonzero(matrix)):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, matrix[row, column], ha="center", va="center", color=colour, fontsize=font)
    bar = figure.colorbar(picture, ax=axes, fraction=0.6 / (side + 3.2), pad=0.02, shrink=0.6, aspect=15)
    bar.set_label("share of the true class", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return save(pyplot, figure, path)


def risk_coverage(path: Path, confidence: np.ndarray, right: np.ndarray, threshold: float | None) -> str:
    """How many answers are right if only the surest are given; whether sure ones are right. Returns a sentence."""
    pyplot = load_pyplot()
    if pyplot is None:
        return no_picture(path)
    figure, (left, middle) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    _, coverage, precision = calibration.curve(confidence, right)
    left.step(coverage, precision, where="post", color=BLUE)
    if threshold is not None and (confidence >= threshold).any():
        given = confidence >= threshold
        left.plot(given.mean(), right[given].mean(), "o", color=ORANGE, label=f"unknown below {threshold:.4g}")
        left.legend(fontsize=8, loc="lower left")
    left.set_xlabel("share of the test images that are answered, surest first")
    left.set_ylabel("share of right answers among these")
    bins = np.minimum((confidence * 10).astype(int), 9)
    count = np.bincount(bins, minlength=10)
    filled = np.flatnonzero(count)
    middle.plot((0, 1), (0, 1), color=GREY, linestyle="--", linewidth=1)
    middle.scatter(
        np.bincount(bins, confidence, 10)[filled] / count[filled],
        np.bincount(bins, right, 10)[filled] / count[filled],
        s=20 + 400 * count[filled] / count.sum(),
        color=BLUE,
        alpha=0.7,
    )
    middle.set_xlabel("probability that the model gives its answer")
    middle.set_ylabel("share of right answers")
    middle.set_title("On the dashed line, probabilities are what they say", fontsize=10)
    for axes in (left, middle):
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.04)
        axes.grid(alpha=0.3)
    return save(pyplot, figure, path)


def worst_errors(path: Path, errors: Sequence[tuple[Image.Image, str, str, float, str]], total: int) -> str:
    """
    The most confident wrong predictions: image, true and predicted class, confidence and file name of each. Returns a
    sentence on what came of it.
    """
    pyplot = load_pyplot()
    if pyplot is None:
        return no_picture(path)
    columns = min(4, max(1, len(errors)))
    rows = max(1, -(-len(errors) // columns))
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(max(6, 3.1 * columns), 2.5 * rows + 0.5), squeeze=False, layout="constrained"
    )
    for axes in grid.flat:
        axes.axis("off")
    for axes, (image, true, predicted, confidence, name) in zip(grid.flat, errors):
        axes.axis("on")
        axes.set_xticks([])
        axes.set_yticks([])
        # The same frame for long and for square cells, so that the texts line up.
        axes.set_box_aspect(0.6)
        axes.set_facecolor("#eeeeee")
        axes.imshow(image, aspect="equal")
        axes.set_anchor("C")
        side = max(image.width, image.height / 0.6)
        axes.set_xlim(image.width / 2 - side / 2, image.width / 2 + side / 2)
        axes.set_ylim(image.height / 2 + side * 0.3, image.height / 2 - side * 0.3)
        text = f"true: {shorten(true, 30)}\nsaid: {shorten(predicted, 30)} ({confidence:.0%})"
        axes.set_title(plain(text), fontsize=9, loc="left")
        axes.set_xlabel(plain(shorten(name, 42)), fontsize=7, color=GREY)
    if len(errors) < total:
        figure.suptitle(f"The {len(errors)} most confident of {total} wrong predictions", fontsize=11)
    elif errors:
        figure.suptitle(f"All wrong predictions: {total}", fontsize=11)
    else:
        grid[0, 0].text(0.5, 0.5, "No wrong predictions", ha="center", va="center", fontsize=14)
    return save(pyplot, figure, path)


def load_pyplot() -> Any:
    """matplotlib's pyplot, drawing into files; None when it is not there."""
    if not is_installed("matplotlib"):
        return None
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def no_picture(path: Path) -> str:
    path.unlink(missing_ok=True)  # one of an earlier run
    return f"No {path.name}: the Python package matplotlib is not installed."


def save(pyplot: Any, figure: Any, path: Path) -> str:
    # format: the temporary name that it is written under tells none.
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    pyplot.close(figure)
    return f"{path.name} drawn."


def shorten(text: str, limit: int) -> str:
    """Names of species differ at both ends, so what goes is the middle."""
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[len(text) - (limit - head - 1) :]}"


def plain(text: str) -> str:
    # matplotlib reads what stands between two $ as a formula.
    return text.replace("$", r"\$")
