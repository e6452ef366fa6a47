"""The probe beside a fine-tuned model, on the same test images: what fine-tuning has to beat."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import backbones
import scores
from backbones import Start
from common import Example, UserError, load_weights, warn
from features import features_of, with_sides

BASELINE_FILE = "baseline.pth"


def predict_baseline(
    model: Path,
    facts: dict[str, Any],
    folder: Path,
    examples: list[Example],
    options: argparse.Namespace,
    device: torch.device,
) -> np.ndarray | None:
    """
    What the probe of the same training says to each image; None where a model has none. Its features are computed
    again, so they need the weights that the training started from: without them a warning says so.
    """
    file, about = model.with_name(BASELINE_FILE), facts.get("probe")
    if not file.is_file() or not about:
        return None
    try:
        layer = load_weights(file)
        start = Start(**{name: about["network"][name] for name in Start.__dataclass_fields__})
        network = backbones.started(start, len(layer["bias"])).to(device).eval()
        if backbones.fingerprint(start, network) != about["fingerprint"]:
            raise UserError(f"the weights of {start.backbone} are others than in training")
    except (UserError, KeyError, TypeError) as error:
        warn(f"The probe can't be tested beside the model: {error}.")
        return None
    options = argparse.Namespace(**{**vars(options), "image_size": start.image_size})
    seen = features_of(backbones.features(network), examples, folder, options, device)
    rows = with_sides(seen, examples, "size_input" in facts)
    return (rows @ layer["weight"].numpy().T + layer["bias"].numpy()).argmax(1)


def baseline_metrics(
    about: dict[str, Any], true: np.ndarray, model: np.ndarray, probe: np.ndarray, classes: int, level: float
) -> dict[str, Any]:
    """Figures of the probe, in how many images both differ, and in a sentence whether fine-tuning was worth it."""
    ours, theirs = (scores.score(scores.confusion_matrix(true, each, classes)) for each in (model, probe))
    right = int(((model == true) & (probe != true)).sum())
    wrong = int(((model != true) & (probe == true)).sum())
    beaten = bool(ours.macro_f1 > theirs.macro_f1)
    verdict = "beats" if beaten else "does not beat"
    name = about["network"]["backbone"]
    return {
        "method": "probe",
        "backbone": name,
        "accuracy": theirs.accuracy,
        "accuracy_ci": scores.wilson_interval(int((probe == true).sum()), len(true), level),
        "macro_f1": theirs.macro_f1,
        "only_model_right": right,
        "only_baseline_right": wrong,
        "beaten": beaten,
        "sentence": (
            f"The fine-tuned network {verdict} the probe, a logistic regression on features of a frozen {name}: "
            f"macro-F1 {ours.macro_f1:.3f} against {theirs.macro_f1:.3f}, accuracy {ours.accuracy:.3f} against "
            f"{theirs.accuracy:.3f}; {right} of the {len(true)} test images only the network has right, {wrong} only "
            "the probe."
        ),
    }
