"""
Trains the group's ResNet50 on $DATA_DIR/train and writes $OUTPUT_DIR/model.pth. README.md explains options and results.

    python train.py                                    one GPU, or the CPU
    torchrun --nproc_per_node=2 train.py               two GPUs
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import os
import random
import time
import urllib.error
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
import torch.distributed as dist
import torchvision

import card
import export
import plots
import scores
from common import (
    IMAGE_SIZE,
    ImageFiles,
    Options,
    UserError,
    add_common_options,
    build_network,
    choice,
    csv_text,
    first_line,
    head_classes,
    load_weights,
    make_output_dir,
    names,
    number,
    provenance,
    run_main,
    say,
    software,
    warn,
    write_atomically,
    write_json,
    write_text,
)
from team import StopSignal, Team, ignore_signals, process_group
from training_data import Data, TrainingFiles, epoch_order, read_data

CHECKPOINT_FORMAT = 1


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    options = Options("Trains a ResNet50 on DATA_DIR/train. Every option can also be given as an environment variable.")
    add_common_options(options)
    # Not WEIGHTS: that is what test.py evaluates, and both get the same environment.
    options.add(
        "--weights", str, "imagenet", "what to start from: imagenet, none, or a .pth file", env="INITIAL_WEIGHTS"
    )
    options.add("--epochs", number(int, 1, 100_000), 60, "how often to go through the training images, at most")
    options.add("--patience", number(int, 1, 100_000), 15, "stop after so many epochs without a better macro-F1")
    options.add("--lr", number(float, 1e-8, 10), 3e-4, "learning rate at its highest")
    options.add("--warmup-epochs", number(int, 0, 1000), 3, "epochs in which the learning rate rises to that")
    options.add("--weight-decay", number(float, 0, 10), 0.05, "AdamW's weight decay")
    options.add(
        "--balance", choice("none", "loss", "sampler"), "loss", "how rare classes get the weight of common ones"
    )
    options.add(
        "--augment", choice("standard", "none"), "standard", "standard: flips, quarter turns, crops, brightness"
    )
    options.add("--validation", number(float, 0.01, 0.9), 0.2, "share of the training images to choose the epoch by")
    options.add("--image-size", number(int, 32, 4096), IMAGE_SIZE, "side of the network's input; serving expects 224")
    options.add("--seed", number(int, 0, 2**31 - 1), 1, "the same seed and data give the same split and training")
    options.add(
        "--resume", str, "auto", "auto: go on from CHECKPOINT_DIR when it fits; none: anew; or a checkpoint file"
    )
    options.add(
        "--checkpoint-dir", str, "", "where the checkpoint is kept until the end [default: OUTPUT_DIR/checkpoint]"
    )
    return options.parse(arguments)


def main() -> None:
    options = parse_options()
    stop = StopSignal()
    stop.install()
    if options.image_size != IMAGE_SIZE:
        warn(f"IMAGE_SIZE={options.image_size} breaks the contract: serving code prepares {IMAGE_SIZE} pixels.")
    with process_group(options.device) as team:
        outcome = train(options, team, stop)
    if team.rank == 0:
        write_results(options, outcome)


# ---------------------------------------------------------------------------------------------------------------------
# Training


@dataclass
class State:
    """Where the training stands; with the network's and the optimiser's, what a checkpoint holds."""

    epoch: int = 1
    """The one under way, from 1."""
    step: int = 0
    """Steps done in it."""
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """Loss and weight summed over those steps."""
    seconds: float = 0.0
    """Spent in this epoch."""
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    data: Data
    state: State
    weights: dict[str, torch.Tensor]
    """Of the best epoch."""


class Trainer:
    """The network with all that changes while it learns."""

    def __init__(self, options: argparse.Namespace, team: Team, data: Data) -> None:
        self.options, self.team, self.data = options, team, data
        self.state = State()
        self.best_weights: dict[str, torch.Tensor] = {}
        torch.manual_seed(options.seed)
        network = build_network(len(data.classes))
        if team.rank == 0:  # The others get a copy.
            initialise(network, options.initial_weights, len(data.classes))
        self.network = network.to(team.device)
        self.on_gpu = team.device.type == "cuda"
        self.layout = torch.channels_last if self.on_gpu else torch.contiguous_format
        self.network.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.parallel = self._parallel()
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=options.lr, weight_decay=options.weight_decay)
        self.scaler = grad_scaler(self.on_gpu)
        self.training = TrainingFiles(data, options)
        self.validation = ImageFiles(data.folder, data.validation, data.classes, options.image_size)
        self.class_weights = class_weights(self.training.targets, options.balance).to(team.device)
        self.steps = math.ceil(len(self._order(1)) / options.batch_size)

    def _parallel(self) -> torch.nn.Module:
        if self.team.size == 1:
            return self.network
        devices = [self.team.device.index] if self.on_gpu else None
        return torch.nn.parallel.DistributedDataParallel(self.network, device_ids=devices)

    def _order(self, epoch: int) -> list[tuple[int, tuple[int, int, int]]]:
        options = self.options
        return epoch_order(
            self.training.targets,
            options.balance,
            options.seed,
            epoch,
            options.batch_size,
            self.team.rank,
            self.team.size,
        )

    def _loader(self, images: ImageFiles, order: list[Any]) -> torch.utils.data.DataLoader:  # type: ignore[type-arg]
        return torch.utils.data.DataLoader(
            images,
            batch_size=self.options.batch_size,
            sampler=order,
            num_workers=self.options.workers,
            pin_memory=self.on_gpu,
            worker_init_fn=ignore_signals,
        )

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighted loss and weight, both summed over the batch."""
        each = torch.nn.functional.cross_entropy(logits, targets, weight=self.class_weights, reduction="none")
        return each.sum(), self.class_weights[targets].sum()

    def run_epoch(self, stop: StopSignal) -> bool:
        """Trains to the end of the epoch under way. False when it was asked to stop before."""
        self.network.train()
        state = self.state
        began = last_word = time.monotonic()
        spent = state.seconds
        order = self._order(state.epoch)[state.step * self.options.batch_size :]
        for images, targets in self._loader(self.training, order):
            self._step(images, targets)
            state.seconds = spent + time.monotonic() - began
            if self.team.anyone(bool(stop.received)):
                state.sums = self.team.total(torch.tensor(state.sums, dtype=torch.float64)).tolist()
                return False
            if self.team.rank == 0 and time.monotonic() - last_word > 60:
                last_word = time.monotonic()
                say(f"  epoch {state.epoch}: step {state.step} of {self.steps}")
        return True

    def _step(self, images: torch.Tensor, targets: torch.Tensor) -> None:
        state, device = self.state, self.team.device
        done = (state.epoch - 1) * self.steps + state.step
        # Dropout depends on the step alone, so that a resumed training repeats exactly what would have come.
        torch.manual_seed((self.options.seed * 1_000_003 + done) * 1_009 + self.team.rank)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.options, done, self.steps)
        images = images.to(device, non_blocking=True, memory_format=self.layout)
        targets = targets.to(device, non_blocking=True)
        with torch.autocast(device.type, enabled=self.on_gpu):
            logits = self.parallel(images)
        loss, weight = self._loss(logits.float(), targets)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss / weight).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        state.sums = [state.sums[0] + loss.item(), state.sums[1] + weight.item()]
        state.step += 1

    @torch.no_grad()
    def validate(self) -> tuple[float, np.ndarray]:
        """Loss and confusion matrix of the validation images, over all processes."""
        if self.team.size > 1:
            for buffer in self.network.buffers():  # Each process has seen other images since the last exchange.
                dist.broadcast(buffer, src=0)
        self.network.eval()
        classes = len(self.data.classes)
        sums = torch.zeros(2, dtype=torch.float64)
        matrix = np.zeros((classes, classes), dtype=np.int64)
        mine = list(range(self.team.rank, len(self.validation), self.team.size))
        for images, targets in self._loader(self.validation, mine):
            with torch.autocast(self.team.device.type, enabled=self.on_gpu):
                logits = self.network(images.to(self.team.device, memory_format=self.layout)).float()
            loss, weight = self._loss(logits, targets.to(self.team.device))
            sums += torch.tensor([loss.item(), weight.item()], dtype=torch.float64)
            matrix += scores.confusion_matrix(targets.numpy(), logits.argmax(1).cpu().numpy(), classes)
        sums = self.team.total(sums)
        return float(sums[0] / sums[1]), self.team.total(torch.from_numpy(matrix)).cpu().numpy()

    def finish_epoch(self) -> None:
        """Scores the epoch, keeps its weights when it is the best so far, and goes on to the next."""
        state = self.state
        began = time.monotonic()
        train_loss, weight = self.team.total(torch.tensor(state.sums, dtype=torch.float64)).tolist()
        if not math.isfinite(train_loss):
            raise UserError(
                f"The loss is no number any more in epoch {state.epoch}: LR={self.options.lr:g} is too high."
            )
        loss, matrix = self.validate()
        result = scores.score(matrix)
        row = {
            "epoch": state.epoch,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": train_loss / weight,
            "validation_loss": loss,
            "validation_accuracy": result.accuracy,
            "validation_macro_f1": result.macro_f1,
            "seconds": round(state.seconds + time.monotonic() - began, 1),
        }
        better = not state.best_epoch or rank_of(row) > rank_of(state.history[state.best_epoch - 1])
        state.history.append(row)
        if better:
            state.best_epoch = state.epoch
            self.best_weights = plain_state(self.network)
        if self.team.rank == 0:
            say(
                f"Epoch {state.epoch:3}/{self.options.epochs}  loss {row['train_loss']:.3f}  validation: "
                f"loss {loss:.3f}, accuracy {result.accuracy:.3f}, macro-F1 {result.macro_f1:.3f}"
                f"{' (best)' if better else ''}  {row['seconds']:g} s"
            )
        state.epoch, state.step, state.sums, state.seconds = state.epoch + 1, 0, [0.0, 0.0], 0.0

    def is_done(self) -> bool:
        state, options = self.state, self.options
        return state.epoch > options.epochs or (
            state.best_epoch > 0 and state.epoch - 1 - state.best_epoch >= options.patience
        )


def train(options: argparse.Namespace, team: Team, stop: StopSignal) -> Outcome:
    seed_everything(options.seed)
    if team.rank == 0:
        make_output_dir(options.output_dir)
    data: Data = team.share(read_data(options) if team.rank == 0 else None)
    if len(data.training) < 2 * team.size:
        raise UserError(f"{len(data.training)} training images are too few for {team.size} processes.")
    if team.rank == 0:
        describe(options, team, data)
    trainer = Trainer(options, team, data)
    folder = Path(options.checkpoint_dir or options.output_dir / "checkpoint")
    resume(trainer, team.share(find_checkpoint(trainer, folder) if team.rank == 0 else None))
    stop.deferred = True
    while not trainer.is_done():
        completed = trainer.run_epoch(stop)
        if completed:
            trainer.finish_epoch()
        if team.rank == 0:
            save_checkpoint(trainer, folder / "checkpoint.pt")
            write_history(options.output_dir, trainer.state)
        if not completed or team.anyone(bool(stop.received)):
            leave_early(trainer, folder, stop)
    stop.deferred = False
    if team.rank == 0 and trainer.state.epoch <= options.epochs:
        say(f"No better macro-F1 for {options.patience} epochs: stopped early.")
    return Outcome(data, trainer.state, trainer.best_weights)


def rank_of(row: dict[str, float]) -> tuple[float, float]:
    """By what epochs are compared: macro-F1, which few validation images often leave equal, then loss."""
    return row["validation_macro_f1"], -row["validation_loss"]


def learning_rate(options: argparse.Namespace, step: int, steps: int) -> float:
    """Rises along a line in the warm-up, then falls along half a cosine, to 1 % at the end."""
    warmup, end = options.warmup_epochs * steps, options.epochs * steps
    if step < warmup:
        return options.lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, end - warmup)
    return options.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


def class_weights(targets: list[int], balance: str) -> torch.Tensor:
    """With `loss`, every class has the same weight altogether, and the mean weight of an image is 1."""
    counts = torch.bincount(torch.tensor(targets)).float()
    return counts.sum() / (len(counts) * counts) if balance == "loss" else torch.ones_like(counts)


def grad_scaler(enabled: bool) -> Any:
    # Moved in PyTorch 2.3; the old name warns in later ones.
    if hasattr(torch.amp, "GradScaler"):
        return torch.amp.GradScaler("cuda", enabled=enabled)
    return torch.cuda.amp.GradScaler(enabled=enabled)


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # The fastest algorithms for convolutions differ from run to run.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def initialise(network: torch.nn.Module, weights: str, classes: int) -> None:
    """Fills the network with the weights to start from; the head only when they have one for as many classes."""
    if weights == "none":
        return
    path = Path(weights)
    state = imagenet_weights() if weights == "imagenet" else load_weights(path)
    same_head = "fc.4.weight" in state and head_classes(state, path) == classes
    state = {name: value for name, value in state.items() if same_head or not name.startswith("fc.")}
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise UserError(f"The weights {weights} don't fit a ResNet50: {first_line(error)}") from None
    foreign = [name for name in (*missing, *unexpected) if not name.startswith("fc.")]
    if foreign:
        raise UserError(f"The weights {weights} are not a ResNet50's: {names(foreign, 3)} missing or unknown.")


def imagenet_weights() -> dict[str, torch.Tensor]:
    """From the file that the image was built with, else from torchvision's cache or server."""
    baked_in = os.environ.get("IMAGENET_WEIGHTS")
    if baked_in and Path(baked_in).is_file():
        return load_weights(Path(baked_in))
    try:
        return dict(torchvision.models.ResNet50_Weights.IMAGENET1K_V2.get_state_dict(progress=False))
    except (urllib.error.URLError, OSError) as error:
        raise UserError(
            f"The ImageNet weights are not in this image and can't be downloaded ({first_line(error)}). Build the "
            "image with them (Dockerfile: IMAGENET_WEIGHTS_URL), or set INITIAL_WEIGHTS to a file, or to none."
        ) from None


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints


def fingerprint(trainer: Trainer) -> dict[str, str | int | float]:
    """What must be equal for a checkpoint to be the same training; epochs, patience and learning rate may change."""
    options, data = trainer.options, trainer.data
    images = "\n".join(f"{example.path} {example.sha256}" for example in (*data.training, *data.validation))
    return {
        "training and validation images": hashlib.sha256(images.encode()).hexdigest(),
        "BATCH_SIZE": options.batch_size,
        "BALANCE": options.balance,
        "AUGMENT": options.augment,
        "IMAGE_SIZE": options.image_size,
        "SEED": options.seed,
        "INITIAL_WEIGHTS": options.initial_weights,
        "number of GPUs": trainer.team.size,
    }


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
    write_atomically(path, lambda temporary: torch.save(content, temporary))


def find_checkpoint(trainer: Trainer, folder: Path) -> Path | None:
    """The checkpoint to go on from, checked; None to begin anew."""
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
        warn(f"The checkpoint {path} is not used, and will be replaced: {problem}. The training begins anew.")
        return None
    raise UserError(f"The checkpoint {path} can't be used: {problem}.")


def read_checkpoint(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # The reader raises many kinds on what is not its own, and gives advice that is none here.
        raise UserError(f"{path} is no checkpoint, or it is incomplete: delete it, or set RESUME=none.") from None
    if not isinstance(content, dict) or content.get("format") != CHECKPOINT_FORMAT:
        return {}
    return {**content, **json.loads(content["progress"])}


def checkpoint_problem(content: dict[str, Any], ours: dict[str, str | int | float]) -> str | None:
    if not content:
        return "another version of train.py wrote it"
    differences = [name for name, value in ours.items() if content["fingerprint"].get(name) != value]
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


# ---------------------------------------------------------------------------------------------------------------------
# Results


def describe(options: argparse.Namespace, team: Team, data: Data) -> None:
    training, validation = (Counter(example.label for example in part) for part in (data.training, data.validation))
    processor = torch.cuda.get_device_name(team.device) if team.device.type == "cuda" else "CPU"
    say(
        f"PyTorch {torch.__version__} on {team.size} × {processor}. {len(data.classes)} classes, {len(data.training)} "
        f"images to train with, {len(data.validation)} to choose the epoch by, seed {options.seed}."
    )
    width = max(len(name) for name in data.classes)
    for name in data.classes:
        say(f"  {name:{width}}  {training[name]:6} + {validation[name]}")
    few = [name for name in data.classes if training[name] < 10]
    if few:
        warn(f"Fewer than 10 images to train with, which is little to learn from: {names(few)}.")


def write_history(output_dir: Path, state: State) -> None:
    if state.history:
        rows: list[list[Any]] = [list(state.history[0]), *(list(row.values()) for row in state.history)]
        write_text(output_dir / "history.csv", csv_text(rows))


def plain_state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the weights as the serving code wants them: on the CPU, in PyTorch's usual order in memory."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in network.state_dict().items()}


def write_results(options: argparse.Namespace, outcome: Outcome) -> None:
    """All files of the model; model.pth comes last, so that it stands for a complete result."""
    folder, data, state = options.output_dir, outcome.data, outcome.state
    used = [*data.training, *data.validation]
    write_json(folder / "classes.json", data.classes)
    seen = sorted((item.sha256, item.group) for item in used)
    write_text(folder / "training-images.csv", csv_text([("sha256", "group"), *seen]))
    write_history(folder, state)
    say(plots.learning_curve(folder / "learning_curve.png", state.history, state.best_epoch))
    network = build_network(len(data.classes))
    network.load_state_dict(outcome.weights)
    network.eval()
    sample = example_input(data, options.image_size)
    notes = [
        export.safetensors(folder / "model.safetensors", network, sample, data.classes),
        export.onnx(folder / "model.onnx", network, sample),
    ]
    for note in notes:
        say(note)
    facts = training_facts(options, outcome)
    write_json(folder / "training.json", facts)
    write_text(folder / "MODEL_CARD.md", card.training_card(facts, notes))
    write_atomically(folder / "model.pth", lambda path: torch.save(outcome.weights, path))
    checkpoint = Path(options.checkpoint_dir or folder / "checkpoint")
    (checkpoint / "checkpoint.pt").unlink(missing_ok=True)  # 400 MB that nobody needs now
    with contextlib.suppress(OSError):
        checkpoint.rmdir()
    best = state.history[state.best_epoch - 1]
    score = best["validation_macro_f1"]
    say(f"Done: {folder / 'model.pth'} holds epoch {state.best_epoch}, validation macro-F1 {score:.3f}.")


def example_input(data: Data, size: int) -> torch.Tensor:
    """A few real images, to compare the exported files' outputs with."""
    examples = data.validation[:: max(1, len(data.validation) // 4)][:4]
    images = ImageFiles(data.folder, examples, data.classes, size)
    return torch.stack([images[index][0] for index in range(len(images))])


def training_facts(options: argparse.Namespace, outcome: Outcome) -> dict[str, Any]:
    data, state = outcome.data, outcome.state
    training, validation = (Counter(example.label for example in part) for part in (data.training, data.validation))
    hidden = {"data_dir", "output_dir", "checkpoint_dir", "resume", "workers", "device"}
    return {
        "format": 1,
        "classes": {name: {"training": training[name], "validation": validation[name]} for name in data.classes},
        "image_size": options.image_size,
        "options": {name: value for name, value in vars(options).items() if name not in hidden},
        "epochs_trained": len(state.history),
        "best": state.history[state.best_epoch - 1],
        "unreadable_images": [name for name, _ in data.broken],
        "dataset": provenance(data.folder),
        "settings_commit": os.environ.get("SETTINGS_COMMIT") or None,
        "software": software(),
    }


if __name__ == "__main__":
    run_main(main)
