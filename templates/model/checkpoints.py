"""Checkpoints: a training that was stopped goes on to the same model."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import torch

from checks import save_tensors
from common import UserError, say, warn
from team import StopSignal
from trainer import State, Trainer

CHECKPOINT_FORMAT = 1


def fingerprint(trainer: Trainer) -> dict[str, str | int | float]:
    """What must be equal for a checkpoint to be the same training; epochs, patience and learning rate may change."""
    options, data = trainer.options, trainer.data
    # In pixels, sizes follow from the images.
    size = "{0.size}" if options.size_input == "um" else ""
    examples = (*data.training, *data.validation)
    images = "\n".join(f"{example.path} {example.sha256}{size.format(example)}" for example in examples)
    return {
        "training and validation images": hashlib.sha256(images.encode()).hexdigest(),
        "BATCH_SIZE": options.batch_size,
        "BALANCE": options.balance,
        "AUGMENT": options.augment,
        "IMAGE_SIZE": options.image_size,
        "SIZE_INPUT": options.size_input,
        "SEED": options.seed,
        "BACKBONE": options.backbone,
        "INITIAL_WEIGHTS": options.initial_weights,
        "number of GPUs": trainer.team.size,
    }


class Saves:
    """Writes the checkpoint only as often as that takes at most a twentieth of the time; when it stops, in any case."""

    def __init__(self) -> None:
        self.ended, self.took = time.monotonic(), 0.0

    def save(self, trainer: Trainer, path: Path, wanted: bool) -> None:
        began = time.monotonic()
        if not wanted and began - self.ended < 19 * self.took:
            return
        save_checkpoint(trainer, path)
        self.ended = time.monotonic()
        self.took = self.ended - began


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": CHECKPOINT_FORMAT,
        # As text: PyTorch 1.13's safe reader knows tensors and whole numbers, but no decimal ones.
        "progress": json.dumps(
            {
                "fingerprint": fingerprint(trainer),
                "state": asdict(trainer.state),
                "scaler": trainer.scaler.state_dict(),
            }
        ),
        "network": trainer.network.state_dict(),
        "optimizer": trainer.optimizer.state_dict()["state"],
        "best_weights": trainer.best_weights,
    }
    save_tensors(content, path)


def find_checkpoint(trainer: Trainer, folder: Path) -> Path | None:
    """The checkpoint to go on from, checked; None to start from the beginning."""
    wanted = trainer.options.resume
    if wanted == "none":
        return None
    path = folder / "checkpoint.pt" if wanted == "auto" else Path(wanted)
    if not path.is_file():
        if wanted == "auto":
            return None
        raise UserError(f"There is no checkpoint {path} to go on from (RESUME).")
    problem = checkpoint_problem(read_checkpoint(path), fingerprint(trainer))
    if problem is None:
        return path
    if wanted == "auto":
        warn(
            f"The checkpoint {path} is not used, and will be replaced: {problem}. "
            "The training starts from the beginning."
        )
        return None
    raise UserError(f"The checkpoint {path} can't be used: {problem}.")


def read_checkpoint(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # The reader raises many kinds on what is not its own, and gives advice that does not help here.
        raise UserError(f"{path} is no checkpoint, or it is incomplete: delete it, or set RESUME=none.") from None
    if not isinstance(content, dict) or content.get("format") != CHECKPOINT_FORMAT:
        return {}
    return {**content, **json.loads(content["progress"])}


def checkpoint_problem(content: dict[str, Any], ours: dict[str, str | int | float]) -> str | None:
    if not content:
        return "another version of train.py wrote it"
    theirs = {"SIZE_INPUT": "none", **content["fingerprint"]}  # Older ones don't say it.
    differences = [name for name, value in ours.items() if theirs.get(name) != value]
    return f"it was made with other {', '.join(differences)}" if differences else None


def resume(trainer: Trainer, path: Path | None) -> None:
    if path is None:
        return
    content = read_checkpoint(path)
    trainer.network.load_state_dict(content["network"])
    # Its settings are options, and may have changed.
    trainer.optimizer.load_state_dict({**trainer.optimizer.state_dict(), "state": content["optimizer"]})
    trainer.scaler.load_state_dict(content["scaler"])
    trainer.best_weights = content["best_weights"]
    trainer.state = State(**content["state"])
    if trainer.team.rank == 0:
        say(f"Going on from {path}: epoch {trainer.state.epoch}, after step {trainer.state.step} of {trainer.steps}.")
    else:  # The first process carries what all of them had summed up.
        trainer.state.sums = [0.0, 0.0]


def leave_early(trainer: Trainer, folder: Path, stop: StopSignal) -> NoReturn:
    if trainer.team.rank == 0:
        state = trainer.state
        say(
            f"Stopped as asked, in epoch {state.epoch} after step {state.step} of {trainer.steps}. "
            f"The checkpoint is {folder / 'checkpoint.pt'}: start again with the same options to go on."
        )
    stop.leave()
