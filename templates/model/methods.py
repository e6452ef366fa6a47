"""The two ways to a model, a probe and fine-tuning, each measured by cross-validation inside the training images."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import backbones
import efficientnet_lite
import probe
from backbones import Start, start_of
from checkpoints import Saves, find_checkpoint, leave_early, resume
from common import Example, ImageFiles, Scan, UserError, outputs_of, say, write_json
from features import features_of, with_sides
from size_input import log_sides, set_size_head, with_size
from team import StopSignal, Team
from trainer import FineTuned, Trainer, plain_state, write_history
from training_data import Data, split

# With fewer images of a class than this, a network that begins with nothing hardly learns to see.
FEW_FROM_NOTHING = 500


def checkpoint_folder(options: argparse.Namespace) -> Path:
    return Path(options.checkpoint_dir or options.output_dir / "checkpoint")


# ---------------------------------------------------------------------------------------------------------------------
# The probe


@dataclass(frozen=True)
class Measured:
    """A probe of all training images, and where its features come from."""

    start: Start
    fingerprint: str
    probe: probe.Probe
    feature_seconds: float
    """That the features took."""
    fit_seconds: float
    """That the regressions took."""

    def facts(self) -> dict[str, Any]:
        """What training.json says about it; test.py makes the same features again by it."""
        return {
            "network": backbones.facts(self.start),
            "fingerprint": self.fingerprint,
            "penalty": self.probe.penalty,
            "folds": self.probe.folds,
            **probe.summary(self.probe.folds),
        }


def start_of_probe(options: argparse.Namespace) -> Start:
    """
    The network's own start. Beside a fine-tuning from nothing that says nothing, so there the small network is taken
    whose weights come with a Python package, if they are here.
    """
    start = start_of(options)
    if options.method == "finetune" and start.weights == "none" and efficientnet_lite.is_installed():
        return replace(start, backbone=backbones.LITE, weights="imagenet")
    return start


def measure_probe(options: argparse.Namespace, team: Team, data: Data) -> Measured:
    began = time.monotonic()
    start = start_of_probe(options)
    network = backbones.started(start, len(data.classes)).to(team.device).eval()
    fingerprint = backbones.fingerprint(start, network)
    examples = all_examples(data)
    rows = features_of(
        backbones.features(network),
        examples,
        data.folder,
        options,
        team.device,
        (checkpoint_folder(options) / "features.npz", fingerprint),
    )
    computed = time.monotonic()
    if not np.isfinite(rows).all():
        raise UserError(f"The features of {start.backbone} are not numbers: the weights {start.weights} are spoilt.")
    learned = probe.Examples(
        with_sides(rows, examples, options.size_input != "none"),
        targets_of(data),
        probe.unit_numbers(examples),
        len(data.classes),
        options.balance,
        team.device,
        rows.shape[1],
    )
    found = probe.train_probe(learned, folds_of(options, data), options.seed)
    ended = time.monotonic()
    origin = "random weights" if start.weights == "none" else f"weights: {start.weights}"
    say(
        f"Probe, a logistic regression on features of a frozen {start.backbone} ({origin}): "
        f"{figures(found.folds)}, in {ended - began:.0f} s."
    )
    return Measured(start, fingerprint, found, computed - began, ended - computed)


def all_examples(data: Data) -> list[Example]:
    return sorted((*data.training, *data.validation), key=lambda example: example.path)


def targets_of(data: Data) -> np.ndarray:
    numbers = {name: number for number, name in enumerate(data.classes)}
    return np.array([numbers[example.label] for example in all_examples(data)])


def folds_of(options: argparse.Namespace, data: Data) -> np.ndarray:
    return probe.deal_folds(targets_of(data), probe.unit_numbers(all_examples(data)), options.folds, options.seed)


def figures(folds: list[dict[str, float]]) -> str:
    each = probe.summary(folds)
    return (
        ", ".join(
            f"{title} {each[name]['mean']:.3f} ± {each[name]['deviation']:.3f}"
            for name, title in (("macro_f1", "macro-F1"), ("accuracy", "accuracy"))
        )
        + f" over {len(folds)} folds"
    )


def probe_weights(options: argparse.Namespace, data: Data, measured: Measured) -> dict[str, torch.Tensor]:
    classes = len(data.classes)
    network = backbones.started(measured.start, classes)
    weight, bias = measured.probe.head.weight, measured.probe.head.bias
    if options.size_input == "none":
        backbones.set_head(network, weight, bias)
        return plain_state(network)
    sized = with_size(network, classes, log_sides(np.array([example.size for example in all_examples(data)])))
    backbones.set_head(network, weight[:, :-2], bias + set_size_head(sized, weight[:, -2:]))
    return plain_state(sized)


# ---------------------------------------------------------------------------------------------------------------------
# Fine-tuning


def fine_tune(
    options: argparse.Namespace, team: Team, stop: StopSignal, data: Data, folder: Path, output: Path | None
) -> FineTuned:
    """Trains until nothing gets better. The checkpoint is in `folder`, the history in `output` if it is wanted."""
    trainer = Trainer(options, team, data, folder)
    resume(trainer, team.share(find_checkpoint(trainer, folder) if team.rank == 0 else None))
    stop.deferred = True
    saves = Saves()
    while not trainer.is_done():
        completed = trainer.run_epoch(stop)
        if completed:
            trainer.finish_epoch()
        stopping = not completed or team.anyone(bool(stop.received))
        if team.rank == 0:
            saves.save(trainer, folder / "checkpoint.pt", stopping)
            if output:
                write_history(output, trainer.state)
        if stopping:
            leave_early(trainer, folder, stop)
    stop.deferred = False
    if team.rank == 0 and trainer.state.epoch <= options.epochs:
        say(f"No better macro-F1 for {options.patience} epochs: stopped early.")
    trainer.network.load_state_dict(trainer.best_weights)
    validation = ImageFiles(data.folder, data.validation, data.classes, options.image_size)
    outputs = outputs_of(trainer.network, validation, options) if team.rank == 0 else np.empty(0)
    return FineTuned(trainer.state, trainer.best_weights, outputs)


def cross_validate(options: argparse.Namespace, team: Team, stop: StopSignal, data: Data) -> list[dict[str, float]]:
    """A fine-tuning for each fold, scored on the images of that fold. Of a stopped one, what is complete is kept."""
    fold, examples = folds_of(options, data), all_examples(data)
    scored = []
    for number in sorted(set(fold.tolist())):
        folder = checkpoint_folder(options) / f"fold-{number + 1}"
        held = [example for example, its in zip(examples, fold) if its == number]
        others = [example for example, its in zip(examples, fold) if its != number]
        key = hashlib.sha256(f"{settings_of(options)} {held} {others}".encode()).hexdigest()
        result = team.share(finished_fold(folder, key) if team.rank == 0 else None)
        if result is None:
            if team.rank == 0:
                say(f"Fine-tuning without fold {number + 1} of {fold.max() + 1}:")
            result = team.share(score_fold(options, team, stop, data, others, held, folder))
            if team.rank == 0:
                write_json(folder / "score.json", {"key": key, **result})
                (folder / "checkpoint.pt").unlink(missing_ok=True)
        scored.append({name: result[name] for name in ("accuracy", "macro_f1")})
    return scored


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """What changes the result of a training."""
    others = {"data_dir", "output_dir", "checkpoint_dir", "resume", "workers", "device", "label_check"}
    return {name: value for name, value in vars(options).items() if name not in others}


def finished_fold(folder: Path, key: str) -> dict[str, float] | None:
    try:
        result: dict[str, Any] = json.loads((folder / "score.json").read_text(encoding="utf-8"))
        return result if result["key"] == key else None
    except (OSError, ValueError, KeyError):
        return None


def score_fold(
    options: argparse.Namespace,
    team: Team,
    stop: StopSignal,
    data: Data,
    others: list[Example],
    held: list[Example],
    folder: Path,
) -> dict[str, float]:
    present = sorted({example.label for example in others})
    training, validation = split(Scan(present, others, []), options.validation, options.seed)
    done = fine_tune(options, team, stop, Data(data.folder, data.classes, training, validation, []), folder, None)
    if team.rank > 0:
        return {}
    network = backbones.trained(options, done.weights, len(data.classes))
    images = ImageFiles(data.folder, held, data.classes, options.image_size)
    logits = outputs_of(network.to(team.device), images, options)
    return probe.score_of(logits, np.array(images.targets), len(data.classes))


def choose(options: argparse.Namespace, team: Team, stop: StopSignal, data: Data, measured: Measured) -> dict[str, Any]:
    """Which method wins on the same folds, and by what."""
    tuned = cross_validate(options, team, stop, data)
    ours, theirs = (probe.summary(folds)["macro_f1"]["mean"] for folds in (tuned, measured.probe.folds))
    winner = "finetune" if ours > theirs else "probe"  # Of equals, the one that takes seconds.
    if team.rank == 0:
        say(f"Fine-tuning: {figures(tuned)}. METHOD=auto takes {winner}.")
    return {"method": winner, "folds": tuned, **probe.summary(tuned)}


def what_to_expect(options: argparse.Namespace, data: Data) -> list[str]:
    """Warnings for log, card and summary about a training that can't come to much."""
    count = len(data.training) + len(data.validation)
    if options.initial_weights != "none":
        return []
    if options.method == "probe":
        return ["The probe stands on features of random weights (INITIAL_WEIGHTS=none): it is for tests only."]
    if count >= FEW_FROM_NOTHING * len(data.classes):
        return []
    return [
        f"The network begins with random weights (INITIAL_WEIGHTS=none), and {count} images of {len(data.classes)} "
        "classes are few for that: expect little. With 105 images of 6 classes of plankton, a ResNet50 from nothing "
        "got 0.38 of the images right after 20 epochs and 0.54 after 60, a logistic regression on 16 × 16 grey pixels "
        "0.38, and a probe (METHOD=probe) of a network that had learned from ImageNet 0.83."
    ]
