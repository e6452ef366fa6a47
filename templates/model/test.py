"""
Evaluates $WEIGHTS (default $OUTPUT_DIR/model.pth) on $DATA_DIR/test and writes metrics.json, predictions.csv and
pictures. README.md explains options and results.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision

import calibration
import card
import class_map
import counts
import label_issues
import label_page
import plots
import scores
from backbones import CONTRACT, restored
from baseline import baseline_metrics, predict_baseline
from common import (
    IMAGE_SIZE,
    Example,
    ImageFiles,
    Options,
    Scan,
    UserError,
    add_common_options,
    csv_text,
    file_sha256,
    find_data_dir,
    first_line,
    load_image,
    load_weights,
    make_output_dir,
    names,
    number,
    outputs_of,
    pick_device,
    provenance,
    run_main,
    say,
    scan_split,
    software,
    warn,
    write_json,
    write_text,
)
from size_input import Sized
from sizes import in_unit

WORST_ERRORS = 12


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    options = Options("Evaluates a model on DATA_DIR/test. Every option can also be given as an environment variable.")
    add_common_options(options)
    options.add("--weights", str, "", "the model's weights [default: OUTPUT_DIR/model.pth]")
    options.add(
        "--bootstrap-samples", number(int, 100, 1_000_000), 2000, "samples for the confidence interval of macro-F1"
    )
    options.add("--confidence-level", number(float, 0.5, 0.999), 0.95, "how sure the confidence intervals are")
    options.add("--seed", number(int, 0, 2**31 - 1), 1, "what those samples are drawn from")
    return options.parse(arguments)


@dataclass(frozen=True)
class Model:
    path: Path
    network: torch.nn.Module
    classes: list[str]
    image_size: int
    size_input: str
    """none, pixels or um."""
    facts: dict[str, Any]
    """training.json; empty when there is none."""
    images: set[str]
    """SHA-256 of the images it has learned from, as far as that is known."""
    groups: set[str]
    calibration: calibration.Calibration


@dataclass(frozen=True)
class Predictions:
    """What the model says to each test image, in the order of `examples`."""

    examples: list[Example]
    true: np.ndarray
    outputs: np.ndarray
    """Of the network; a softmax makes probabilities of them."""
    temperature: float

    @cached_property
    def probabilities(self) -> np.ndarray:
        return calibration.softmax(self.outputs, self.temperature)

    @property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        return self.probabilities.max(axis=1)


def main() -> None:
    options = parse_options()
    device = pick_device(options.device)
    make_output_dir(options.output_dir)
    folder = find_data_dir(options.data_dir)
    model = load_model(Path(options.weights or options.output_dir / "model.pth"), folder)
    scan = scan_split(folder, "test", options.max_broken, model.image_size)
    scan = replace(scan, examples=in_unit(folder, scan.examples, model.size_input))
    check_classes(scan.classes, model.classes)
    predictions = predict(model, folder, scan.examples, options, device)
    baseline = predict_baseline(model.path, model.facts, folder, scan.examples, options, device)
    metrics = evaluate(model, folder, scan, predictions, baseline, options)
    write_results(options.output_dir, folder, model, predictions, metrics)


def load_model(path: Path, data_dir: Path) -> Model:
    """The network with its weights, and what lies beside them: classes, image size, and what it has learned from."""
    network, count = restored(path, load_weights(path))
    seen = training_images(path.with_name("training-images.csv"))
    facts = read_json(path.with_name("training.json"), {})
    size_input = facts.get("size_input", {}).get("unit", "none")
    if isinstance(network, Sized) != (size_input != "none"):
        raise UserError(
            f"Whether {path} takes the size of the pictures, and in what, stands in training.json beside it, which is "
            "of another model or missing. Keep the files of a model together."
        )
    return Model(
        path=path,
        network=network,
        classes=model_classes(path, count, data_dir),
        image_size=int(facts.get("image_size", IMAGE_SIZE)),
        size_input=size_input,
        facts=facts,
        images={row["sha256"] for row in seen},
        groups={row["group"] for row in seen if row["group"]},
        calibration=read_calibration(path.parent),
    )


def read_calibration(folder: Path) -> calibration.Calibration:
    try:
        return calibration.read(folder)
    except ValueError as error:
        raise UserError(str(error)) from None


def model_classes(path: Path, count: int, data_dir: Path) -> list[str]:
    """The names of the outputs: from classes.json beside the weights, else the sorted folders of train."""
    beside = path.with_name("classes.json")
    classes = read_json(beside, None)
    origin = str(beside)
    if classes is None:
        origin = f"{data_dir}/train"
        if not Path(origin).is_dir():
            raise UserError(
                f"Which classes do the outputs of {path} stand for? There is neither {beside} nor {origin}."
            )
        classes = sorted(entry.name for entry in Path(origin).iterdir() if entry.is_dir() and entry.name[0] != ".")
        warn(f"There is no {beside}: taking the folders of {origin}, in alphabetical order, for the model's classes.")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise UserError(f"{origin} is no list of class names.")
    if len(classes) != count:
        raise UserError(
            f"The weights {path} tell {count} classes apart, but {origin} names {len(classes)}. They are not of one "
            "model: give WEIGHTS the file that belongs to these classes, or train again."
        )
    return classes


def read_json(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}).") from None


def training_images(path: Path) -> list[dict[str, str]]:
    """Hash and group of each image that the model has learned from; none when the model does not tell."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        warn(f"There is no {path}: whether the model has seen test images in training is not known.")
        return []
    if any(row.get("sha256") is None or row.get("group") is None for row in rows):
        raise UserError(f"{path} is damaged: expected the columns sha256 and group.")
    return rows


def check_classes(test: list[str], known: list[str]) -> None:
    unknown = [name for name in test if name not in known]
    if unknown:
        raise UserError(
            f"The test images have class(es) that the model does not know: {names(unknown)}. It knows "
            f"{names(known, 50)}. Is a folder misspelt, or are the weights of another data set?"
        )
    without = [name for name in known if name not in test]
    if without:
        warn(f"No test images of the class(es) {names(without)}: macro-F1 is the mean of the others.")


def predict(
    model: Model, folder: Path, examples: list[Example], options: argparse.Namespace, device: torch.device
) -> Predictions:
    images = ImageFiles(folder, examples, model.classes, model.image_size)
    result = outputs_of(model.network.to(device), images, options)
    if not np.isfinite(result).all():
        raise UserError(
            f"The model {model.path} answers with something that is not a number: its weights are spoilt. Train again."
        )
    return Predictions(examples, np.array(images.targets), result, model.calibration.temperature)


def evaluate(
    model: Model,
    folder: Path,
    scan: Scan,
    predictions: Predictions,
    baseline: np.ndarray | None,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """What metrics.json holds; metrics.schema.json describes it."""
    matrix = scores.confusion_matrix(predictions.true, predictions.predicted, len(model.classes))
    result = scores.score(matrix)
    level = options.confidence_level
    # A class without test images has no precision either: what was predicted as it is of other classes.
    hits, predicted = np.diag(matrix), np.where(result.support > 0, matrix.sum(axis=0), 0)
    seen = sum(was_seen(model, example) for example in predictions.examples)
    if seen:
        warn(f"{seen} of the test images, or of their groups, were seen in training: the figures are too good.")
    per_class = {
        name: {
            "precision": number_or_none(result.precision[index]),
            "recall": number_or_none(result.recall[index]),
            "f1": number_or_none(result.f1[index]),
            "support": int(result.support[index]),
            "recall_ci": scores.wilson_interval(int(hits[index]), int(result.support[index]), level),
            "precision_ci": scores.wilson_interval(int(hits[index]), int(predicted[index]), level),
        }
        for index, name in enumerate(model.classes)
    }
    return {
        "format": 1,
        "images": len(predictions.examples),
        "accuracy": result.accuracy,
        "macro_f1": result.macro_f1,
        "confidence_interval": {
            "level": level,
            "method": "accuracy and classes: Wilson; macro-F1: Bayesian bootstrap",
            "samples": options.bootstrap_samples,
            "seed": options.seed,
            "accuracy": scores.wilson_interval(int(hits.sum()), len(predictions.examples), level),
            "macro_f1": scores.macro_f1_interval(matrix, options.bootstrap_samples, level, options.seed),
        },
        "method": model.facts.get("method"),
        "baseline": None
        if baseline is None
        else baseline_metrics(
            model.facts["probe"],
            predictions.true,
            predictions.predicted,
            baseline,
            len(model.classes),
            level,
        ),
        "warnings": model.facts.get("warnings", []),
        "label_issues": label_issues.count_in(model.path.parent),
        "classes": model.classes,
        "per_class": per_class,
        "confusion_matrix": matrix.tolist(),
        "calibration": calibration_figures(predictions, model.calibration, level),
        "counts": counts.bias(predictions.true, predictions.predicted, len(model.classes), model.classes),
        "unreadable_images": [name for name, _ in scan.broken],
        "images_not_rgb": not_rgb(scan.examples),
        "images_seen_in_training": seen,
        "model": {
            "file": model.path.name,
            "sha256": file_sha256(model.path),
            "image_size": model.image_size,
            "backbone": model.facts.get("network", {}).get("backbone", CONTRACT),
            "serving_contract": isinstance(model.network, torchvision.models.ResNet),
        },
        "dataset": provenance(folder),
        "software": software(),
    }


def was_seen(model: Model, example: Example) -> bool:
    return example.sha256 in model.images or example.group in model.groups


def calibration_figures(predictions: Predictions, known: calibration.Calibration, level: float) -> dict[str, Any]:
    """How far the probabilities can be believed on the test images, by which nothing was chosen."""
    confidence, right = predictions.confidence, predictions.predicted == predictions.true
    given = calibration.answered(confidence, right, known.threshold)
    return {
        "temperature": known.temperature,
        **calibration.compare(predictions.outputs, predictions.true, known.temperature),
        "wanted_precision": known.wanted_precision,
        "threshold": known.threshold,
        **given,
        "precision_ci": None
        if known.threshold is None
        else scores.wilson_interval(given["answered_right"], given["answered"], level),
        "risk_coverage": calibration.levels(confidence, right),
    }


def not_rgb(examples: list[Example]) -> int:
    """How many images the serving code would fail on, where this program makes RGB of them."""
    modes = Counter(example.mode for example in examples if example.mode != "RGB")
    count = sum(modes.values())
    if count:
        kinds = ", ".join(f"{mode}: {number}" for mode, number in sorted(modes.items()))
        warn(
            f"{count} of {len(examples)} test images are not RGB ({kinds}). They are tested as RGB, but the group's "
            "serving code fails on them: the figures hold for it only when it converts images first."
        )
    return count


def number_or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def write_results(
    output_dir: Path, folder: Path, model: Model, predictions: Predictions, metrics: dict[str, Any]
) -> None:
    write_text(output_dir / "predictions.csv", predictions_csv(model, predictions))
    title = f"{metrics['images']} test images, accuracy {metrics['accuracy']:.1%}, macro-F1 {metrics['macro_f1']:.3f}"
    matrix = np.array(metrics["confusion_matrix"])
    say(plots.confusion_matrix(output_dir / "confusion_matrix.png", matrix, model.classes, title))
    wrong = np.flatnonzero(predictions.predicted != predictions.true)
    worst = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:WORST_ERRORS]
    errors = [
        (
            load_image(folder / predictions.examples[index].path),
            predictions.examples[index].label,
            model.classes[predictions.predicted[index]],
            float(predictions.confidence[index]),
            Path(predictions.examples[index].path).name,
        )
        for index in worst
    ]
    say(plots.worst_errors(output_dir / "worst_errors.png", errors, len(wrong)))
    page = output_dir / label_page.FILE
    if page.is_file() and page.samefile(model.path.with_name(label_page.FILE)):
        add_to_page(page, folder, model, predictions, worst.tolist())
    right = predictions.predicted == predictions.true
    say(
        plots.risk_coverage(
            output_dir / "risk_coverage.png", predictions.confidence, right, model.calibration.threshold
        )
    )
    card.add_evaluation(output_dir / "MODEL_CARD.md", metrics)
    write_json(output_dir / "metrics.json", metrics)
    interval = metrics["confidence_interval"]
    say(
        "Accuracy {:.3f} ({:.3f} – {:.3f})".format(metrics["accuracy"], *interval["accuracy"])
        + ", macro-F1 {:.3f} ({:.3f} – {:.3f})".format(metrics["macro_f1"], *interval["macro_f1"])
        + f" on {metrics['images']} test images; {interval['level']:.0%} confidence intervals."
    )
    if baseline := metrics["baseline"]:
        (say if baseline["beaten"] else warn)(baseline["sentence"])


def add_to_page(page: Path, folder: Path, model: Model, predictions: Predictions, worst: list[int]) -> None:
    """The worst errors, with where the model looked. The test is done: what goes wrong here is a warning."""
    layer = class_map.last_maps(model.network)
    why_no_maps = "" if layer else "Where the model looked is not shown: this network has no maps that tell it."
    errors = []
    try:
        for index in worst:
            example, number = predictions.examples[index], int(predictions.predicted[index])
            image = load_image(folder / example.path)
            heated = layer and class_map.heated(model.network, layer, image, model.image_size, number)
            answer, confidence = model.classes[number], float(predictions.confidence[index])
            errors.append(label_page.WorstError(example.path, example.label, answer, confidence, image, heated))
        label_page.add_errors(page, errors, why_no_maps, label_issues.manifest_sources(folder))
    except Exception as error:
        warn(f"{page.name} is without the worst errors ({type(error).__name__}: {first_line(error)}).")


def predictions_csv(model: Model, predictions: Predictions) -> str:
    """
    One line an image; after the fixed columns, the probability of each class. The action reads path, label and
    predicted: by them it sees what one model has right and another wrong, and whether a class was lost. Hash and group
    let models be compared on images that neither has seen.
    """
    head = (
        "path",
        "sha256",
        "group",
        "label",
        "predicted",
        "correct",
        "confidence",
        "confidence_of_label",
        "seen_in_training",
        *(f"probability[{name}]" for name in model.classes),
    )
    rows = []
    for example, true, predicted, probabilities in zip(
        predictions.examples, predictions.true, predictions.predicted, predictions.probabilities
    ):
        rows.append(
            (
                example.path,
                example.sha256,
                example.group,
                example.label,
                model.classes[predicted],
                str(bool(predicted == true)).lower(),
                f"{probabilities[predicted]:.6f}",
                f"{probabilities[true]:.6f}",
                str(was_seen(model, example)).lower(),
                *(f"{value:.6f}" for value in probabilities),
            )
        )
    return csv_text([head, *rows])


if __name__ == "__main__":
    run_main(main)
