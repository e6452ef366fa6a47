"""
Which labels of the data set, in train and test, a person should look at again, by the probe's answers to images that it
has not learned from. It changes nothing of the model, and nothing that goes wrong here ends a training.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

import backbones
import calibration
import label_page
import probe
from common import Example, UserError, csv_text, first_line, manifest_rows, say, warn, write_text
from confident_learning import Findings, can_be_judged, judge
from features import features_of, with_sides
from methods import Measured, all_examples, checkpoint_folder
from training_data import Data

LIST = "label-issues.csv"
HEAD = (
    "path",
    "source_zip",
    "source_path",
    "label",
    "likelier_label",
    "self_confidence",
    "score",
    "suspected",
)

TIME_LIMIT = 600
"""Seconds; LABEL_CHECK=on has none."""

IMAGES_AT_A_TIME = 500


class OutOfTime(Exception):
    pass


def check(options: argparse.Namespace, data: Data, test: list[Example], measured: Measured) -> None:
    """Writes the list and the page to the output folder, where that is wanted and doesn't take too long."""
    for name in (LIST, label_page.FILE):
        (options.output_dir / name).unlink(missing_ok=True)  # of an earlier training
    if options.label_check == "off":
        return
    if options.label_check == "auto" and measured.start.weights == "none":
        say("The labels were not checked: features of random weights tell too little (LABEL_CHECK=on does it).")
        return
    limit = TIME_LIMIT if options.label_check == "auto" else np.inf
    began = time.monotonic()
    try:
        if expected_seconds(data, test, measured) > limit:
            raise OutOfTime
        write(options, data, [*all_examples(data), *test], measured, began + limit)
    except OutOfTime:
        say(
            f"The labels were not checked: that would take more than {TIME_LIMIT // 60} minutes here. LABEL_CHECK=on "
            "does it anyway."
        )
    except UserError as error:
        warn(f"The labels were not checked: {error}")
    except Exception as error:  # The model is written.
        warn(f"The labels could not be checked ({type(error).__name__}: {first_line(error)}). The model is whole.")
    else:
        say(f"The labels were checked in {time.monotonic() - began:.0f} s.")


def expected_seconds(data: Data, test: list[Example], measured: Measured) -> float:
    """By what the probe took: features are needed of the test images alone, regressions of all."""
    further = len(test) / (len(data.training) + len(data.validation))
    return measured.feature_seconds * further + measured.fit_seconds * (1 + further)


def write(
    options: argparse.Namespace, data: Data, examples: list[Example], measured: Measured, deadline: float
) -> None:
    numbers = {name: number for number, name in enumerate(data.classes)}
    targets = np.array([numbers[example.label] for example in examples])
    device = torch.device("cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu")
    rows = np.concatenate(list(feature_parts(options, data, examples, measured, device, deadline)))
    units = probe.unit_numbers(examples)
    folds = probe.deal_folds(targets, units, options.folds, options.seed)
    judged = can_be_judged(targets, folds, len(data.classes))
    if not judged.any():
        raise UserError("no class has enough independent images to judge one of them by the others.")
    # Nor is anything learned from classes that are too small: rare as they are, they would weigh most.
    known = with_sides(rows, examples, options.size_input != "none")
    everything = probe.Examples(known, targets, units, len(data.classes), options.balance, device, rows.shape[1])
    learned = everything.where(judged)
    outputs = np.zeros((judged.sum(), len(data.classes)))
    for held, logits in probe.answer_folds(learned, folds[judged], options.seed):
        outputs[held] = logits
        require_time(deadline)
    probabilities = np.zeros((len(examples), len(data.classes)))
    probabilities[judged] = calibration.softmax(outputs, calibration.find_temperature(outputs, targets[judged]))
    found = judge(probabilities, targets, judged)
    sources = manifest_sources(data.folder)
    write_text(options.output_dir / LIST, csv_text([HEAD, *lines(examples, data.classes, found, sources)]))
    shown = label_page.Shown(data.folder, data.classes, examples, targets, probabilities.argmax(1), found, sources)
    write_text(options.output_dir / label_page.FILE, label_page.page(shown))
    say(
        f"{found.suspected.sum()} of {len(examples)} labels should be looked at again: {label_page.FILE} has the "
        f"likeliest mistakes with their pictures, {LIST} all images."
    )


def feature_parts(
    options: argparse.Namespace,
    data: Data,
    examples: list[Example],
    measured: Measured,
    device: torch.device,
    deadline: float,
) -> Iterator[np.ndarray]:
    """The training images' features are kept from before; those of the test images come in parts."""
    network = backbones.features(backbones.started(measured.start, len(data.classes)).to(device).eval())
    count = len(data.training) + len(data.validation)
    kept = (checkpoint_folder(options) / "features.npz", measured.fingerprint)
    yield features_of(network, examples[:count], data.folder, options, device, kept)
    for begin in range(count, len(examples), IMAGES_AT_A_TIME):
        require_time(deadline)
        yield features_of(network, examples[begin : begin + IMAGES_AT_A_TIME], data.folder, options, device)


def require_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise OutOfTime


def lines(
    examples: Sequence[Example], classes: Sequence[str], found: Findings, sources: dict[str, tuple[str, str]]
) -> Iterator[tuple[str, ...]]:
    """Of all images, so that everybody can set a limit of their own."""
    for index in found.order:
        example = examples[index]
        told = (classes[found.likelier[index]], f"{found.self_confidence[index]:.6f}", f"{found.score[index]:.6f}")
        yield (
            example.path,
            *sources.get(example.path, ("", "")),
            example.label,
            *(told if found.judged[index] else ("", "", "")),
            str(bool(found.suspected[index])).lower() if found.judged[index] else "",
        )


def manifest_sources(data_dir: Path) -> dict[str, tuple[str, str]]:
    """Zip and path in it of each image, by its path in the data set."""
    return {
        row["path"]: (row["source_zip"], row["source_path"])
        for row in manifest_rows(data_dir)
        if row.get("source_zip") and row.get("source_path")
    }


def count_in(folder: Path) -> dict[str, int] | None:
    """For metrics.json: how many images were judged, and how many of their labels are suspected."""
    try:
        with open(folder / LIST, encoding="utf-8", newline="") as file:
            told = [row["suspected"] for row in csv.DictReader(file)]
    except (OSError, KeyError):
        return None
    return {"images": len(told), "judged": sum(map(bool, told)), "suspected": told.count("true")}
