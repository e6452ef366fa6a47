"""What a training leaves in the output folder."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import backbones
import calibration
import card
import effort
import export
import label_issues
import plots
import shipped
import sizes
from backbones import start_of
from baseline import BASELINE_FILE
from checks import save_tensors
from common import Example, ImageFiles, csv_text, provenance, say, software, warn, write_json, write_text
from methods import Measured, checkpoint_folder, figures, probe_weights, settings_of, targets_of
from size_input import Sized
from trainer import FineTuned, write_history
from training_data import Data


@dataclass(frozen=True)
class Outcome:
    data: Data
    test: list[Example]
    """The test images, for the check of the labels alone."""
    measured: Measured
    """The probe: the model itself, or what the fine-tuned one is compared with."""
    tuned: FineTuned | None
    """The model, when it is fine-tuned."""
    chosen: dict[str, Any] | None
    """How METHOD=auto decided."""
    warnings: list[str]

    @property
    def method(self) -> str:
        return "finetune" if self.tuned else "probe"


def write_results(options: argparse.Namespace, outcome: Outcome) -> None:
    """All files of the model; model.pth comes last, so that it stands for a complete result."""
    folder, data = options.output_dir, outcome.data
    write_json(folder / "classes.json", data.classes)
    seen = sorted((item.sha256, item.group) for item in (*data.training, *data.validation))
    write_text(folder / "training-images.csv", csv_text([("sha256", "group"), *seen]))
    # Of an earlier training by the other method.
    for name in ("history.csv", "learning_curve.png", BASELINE_FILE):
        (folder / name).unlink(missing_ok=True)
    weights = write_tuned(folder, outcome) if outcome.tuned else probe_weights(options, data, outcome.measured)
    network = backbones.trained(options, weights, len(data.classes))
    sample = example_input(data, options)
    notes = [
        export.safetensors(folder / "model.safetensors", network, sample, data.classes),
        export.onnx(folder / "model.onnx", network, sample),
    ]
    for note in notes:
        say(note)
    known = calibrate(folder, outcome, options.wanted_precision)
    shipped.ship(folder, "Diatom model", data.classes, options.image_size, options.size_input)
    facts = {**training_facts(options, outcome), **size_facts(options, network), "calibration": known}
    write_json(folder / "training.json", facts)
    write_text(folder / "MODEL_CARD.md", card.training_card(facts, notes))
    save_tensors(weights, folder / "model.pth")
    label_issues.check(options, data, outcome.test, outcome.measured)
    tidy(checkpoint_folder(options))
    say(f"Done: {folder / 'model.pth'} holds {what(outcome)}.")


def write_tuned(folder: Path, outcome: Outcome) -> dict[str, torch.Tensor]:
    """What only a fine-tuned model has: its history, and the probe's head, by which test.py makes the probe again."""
    assert outcome.tuned
    state, head = outcome.tuned.state, outcome.measured.probe.head
    write_history(folder, state)
    say(plots.learning_curve(folder / "learning_curve.png", state.history, state.best_epoch))
    layer = {"weight": torch.from_numpy(head.weight).float(), "bias": torch.from_numpy(head.bias).float()}
    save_tensors(layer, folder / BASELINE_FILE)
    return outcome.tuned.weights


def calibrate(folder: Path, outcome: Outcome, wanted_precision: float) -> dict[str, Any]:
    """
    Finds out how far the probabilities can be believed, and writes it beside the model: by the validation images, or of
    a probe, which needs none, by its answers in cross-validation.
    """
    data = outcome.data
    if outcome.tuned:
        numbers = {name: number for number, name in enumerate(data.classes)}
        true = np.array([numbers[example.label] for example in data.validation])
        outputs, by = outcome.tuned.validation_outputs, "on the validation images"
    else:
        outputs, true, by = outcome.measured.probe.held_out, targets_of(data), "in cross-validation"
    known = calibration.measure(outputs, true, wanted_precision)
    write_json(folder / calibration.FILE, known)
    figures, threshold = known["validation"], known["threshold"]
    say(
        f"Probabilities: temperature {known['temperature']:.2f}, expected calibration error "
        f"{figures['ece_before']:.3f} before and {figures['ece_after']:.3f} after, {by}."
    )
    if threshold is None:
        warn(
            f"However sure the model is, less than {wanted_precision:.0%} of its answers are right {by}: predict.py "
            "will call every answer unknown. WANTED_PRECISION sets another share."
        )
    elif threshold > 0:
        say(f"Less probable than {threshold:.4g} is “unknown”: that leaves {wanted_precision:.0%} of the others right.")
    return known


def what(outcome: Outcome) -> str:
    folds = figures(outcome.measured.probe.folds)
    if not outcome.tuned:
        return f"a probe, {folds}"
    state = outcome.tuned.state
    score = state.history[state.best_epoch - 1]["validation_macro_f1"]
    return f"epoch {state.best_epoch}, validation macro-F1 {score:.3f} (the probe: {folds})"


def tidy(folder: Path) -> None:
    """Removes what only a stopped training needs: up to 400 MB."""
    for pattern in ("checkpoint.pt", "features.npz", "fold-*/checkpoint.pt", "fold-*/score.json"):
        for path in folder.glob(pattern):
            path.unlink()
    with contextlib.suppress(OSError):
        for fold in folder.glob("fold-*"):
            fold.rmdir()
        folder.rmdir()


def example_input(data: Data, options: argparse.Namespace) -> tuple[torch.Tensor, ...]:
    """A few real images, and their sizes for a network that gets these, to compare the exported files' outputs with."""
    examples = data.validation[:: max(1, len(data.validation) // 4)][:4]
    files = ImageFiles(data.folder, examples, data.classes, options.image_size)
    images = torch.stack([files[index][0] for index in range(len(files))])
    return (images,) if options.size_input == "none" else (images, files.sizes)


def size_facts(options: argparse.Namespace, network: torch.nn.Module) -> dict[str, Any]:
    """For training.json, where the network gets the size: its unit, and the mean sides of the training images."""
    if not isinstance(network, Sized):
        return {}
    mean, deviation = network.size_mean, network.size_deviation
    return {
        "size_input": {
            "unit": options.size_input,
            "mean": [float(f"{side:.4g}") for side in mean.exp2().tolist()],
            "deviation_log2": [float(f"{side:.4g}") for side in deviation.tolist()],
        }
    }


def training_facts(options: argparse.Namespace, outcome: Outcome) -> dict[str, Any]:
    data, tuned = outcome.data, outcome.tuned
    # The probe needs no images to choose an epoch by.
    parts = (data.training, data.validation) if tuned else ([*data.training, *data.validation], [])
    training, validation = (Counter(example.label for example in part) for part in parts)
    return {
        "format": 1,
        "method": outcome.method,
        "network": {
            **backbones.facts(start_of(options)),
            "serving_contract": options.backbone == backbones.CONTRACT and options.size_input == "none",
        },
        "classes": {name: {"training": training[name], "validation": validation[name]} for name in data.classes},
        "image_size": options.image_size,
        "options": settings_of(options),
        "epochs_trained": len(tuned.state.history) if tuned else 0,
        "best": tuned.state.history[tuned.state.best_epoch - 1] if tuned else None,
        "probe": outcome.measured.facts(),
        "auto": outcome.chosen,
        "effort": effort.effort(tuned.state.history, options.device) if tuned else None,
        "long_sides": effort.long_sides([data.folder / item.path for item in (*data.training, *data.validation)]),
        "sizes": sizes.sizes(data.folder, [*data.training, *data.validation], data.classes),
        "warnings": outcome.warnings,
        "unreadable_images": [name for name, _ in data.broken],
        "dataset": provenance(data.folder),
        "settings_commit": os.environ.get("SETTINGS_COMMIT") or None,
        "software": software(),
    }
