"""The network while it learns: an epoch, its score, and what is kept of the best."""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

import scores
from backbones import build, start_of, started
from common import ImageFiles, UserError, csv_text, say, warn, write_text
from picture_cache import PictureCache
from preparation import MEAN, STD
from size_input import log_sides, with_size
from team import StopSignal, Team, ignore_signals
from training_data import Data, PreparedFiles, TrainingFiles, balanced_weights, epoch_order, kept_side

# Of several processes, all have to stop after the same step.
STEPS_BETWEEN_QUESTIONS = 10


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


class Order(torch.utils.data.Sampler):  # type: ignore[type-arg]
    """Which images come next: another list for each epoch, given to the same loader."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class FineTuned:
    """What a whole training has come to."""

    state: State
    weights: dict[str, torch.Tensor]
    """Of the best epoch."""
    validation_outputs: np.ndarray
    """What the network with these weights says to each validation image."""


class Trainer:
    """The network with all that changes while it learns."""

    def __init__(self, options: argparse.Namespace, team: Team, data: Data, folder: Path) -> None:
        self.options, self.team, self.data = options, team, data
        self.state = State()
        self.best_weights: dict[str, torch.Tensor] = {}
        classes, start = len(data.classes), start_of(options)
        # The others get a copy of the first one's.
        network = started(start, classes) if team.rank == 0 else build(options.backbone, classes, options.image_size)
        self.sized = options.size_input != "none"
        if self.sized:
            network = with_size(network, classes, log_sides(np.array([example.size for example in data.training])))
        self.network = network.to(team.device)
        self.on_gpu = team.device.type == "cuda"
        self.layout = torch.channels_last if self.on_gpu else torch.contiguous_format
        self.network.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.parallel = self._parallel()
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=options.lr, weight_decay=options.weight_decay)
        # The newer kind of half precision needs no scaling of gradients, which would make the GPU wait at each step.
        self.half = torch.bfloat16 if self.on_gpu and torch.cuda.is_bf16_supported() else torch.float16
        self.scaler = grad_scaler(self.on_gpu and self.half == torch.float16)
        side = kept_side(options.image_size)
        self.training = TrainingFiles(data, options, PictureCache(len(data.training), side, folder, team.size))
        kept = PictureCache(len(data.validation), options.image_size, folder, team.size)
        self.validation = PreparedFiles(data, data.validation, options, kept)
        self.sums = torch.zeros(2, dtype=torch.float64, device=team.device)
        self.mean, self.std = (torch.tensor(three, device=team.device).view(1, 3, 1, 1) for three in (MEAN, STD))
        balance = options.balance if options.balance == "loss" else "none"  # The sampler balances by itself.
        weights = balanced_weights(np.array(self.training.targets), classes, balance)
        self.class_weights = torch.from_numpy(weights).float().to(team.device)
        self.steps = math.ceil(len(self._order(1)) / options.batch_size)
        self.training_loader = self._loader(self.training)
        self.validation_loader = self._loader(self.validation)

    def _parallel(self) -> torch.nn.Module:
        network = self.network
        if self.team.size > 1:
            devices = [self.team.device.index] if self.on_gpu else None
            network = torch.nn.parallel.DistributedDataParallel(network, device_ids=devices)
        if self.options.compile == "true":
            if hasattr(torch, "compile"):
                return torch.compile(network)  # type: ignore[return-value]
            warn(f"COMPILE=true has no effect: PyTorch {torch.__version__} is too old for it.")
        return network

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

    def _loader(self, images: ImageFiles) -> torch.utils.data.DataLoader:  # type: ignore[type-arg]
        return torch.utils.data.DataLoader(
            images,
            batch_size=self.options.batch_size,
            sampler=Order(),
            num_workers=self.options.workers,
            # Restarting processes can take longer than an epoch of small images.
            persistent_workers=self.options.workers > 0,
            pin_memory=self.on_gpu,
            worker_init_fn=ignore_signals,
        )

    def _batches(self, loader: torch.utils.data.DataLoader, order: list[Any]) -> Any:  # type: ignore[type-arg]
        loader.sampler.items = order  # type: ignore[attr-defined]
        return loader

    def _inputs(self, images: torch.Tensor, sizes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Normalised where the network is: bytes are a quarter of what would have to be moved."""
        images = images.to(self.team.device, non_blocking=True).float().div_(255).sub_(self.mean).div_(self.std)
        images = images.contiguous(memory_format=self.layout)
        return (images, sizes.to(self.team.device, non_blocking=True)) if self.sized else (images,)

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
        self.sums = torch.tensor(state.sums, dtype=torch.float64, device=self.team.device)
        for images, targets, sizes in self._batches(self.training_loader, order):
            self._step(images, targets, sizes)
            state.seconds = spent + time.monotonic() - began
            # To ask the others, all have to wait for each other.
            if self.team.size > 1 and state.step % STEPS_BETWEEN_QUESTIONS:
                continue
            if self.team.anyone(bool(stop.received)):
                state.sums = self.team.total(self.sums).tolist()
                return False
            if self.team.rank == 0 and time.monotonic() - last_word > 60:
                last_word = time.monotonic()
                say(f"  epoch {state.epoch}: step {state.step} of {self.steps}")
        state.sums = self.sums.tolist()
        return True

    def _step(self, images: torch.Tensor, targets: torch.Tensor, sizes: torch.Tensor) -> None:
        state, device = self.state, self.team.device
        done = (state.epoch - 1) * self.steps + state.step
        # Dropout depends on the step alone, so that a resumed training repeats exactly what would have come.
        torch.manual_seed((self.options.seed * 1_000_003 + done) * 1_009 + self.team.rank)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.options, done, self.steps)
        targets = targets.to(device, non_blocking=True)
        with torch.autocast(device.type, enabled=self.on_gpu, dtype=self.half if self.on_gpu else None):
            logits = self.parallel(*self._inputs(images, sizes))
        loss, weight = self._loss(logits.float(), targets)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss / weight).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.sums += torch.stack((loss.detach(), weight)).double()  # Not asked for their values: that would wait.
        state.step += 1

    @torch.no_grad()
    def validate(self) -> tuple[float, np.ndarray]:
        """Loss and confusion matrix of the validation images, over all processes."""
        if self.team.size > 1:
            for buffer in self.network.buffers():  # Each process has seen other images since the last exchange.
                dist.broadcast(buffer, src=0)
        self.network.eval()
        classes = len(self.data.classes)
        sums = torch.zeros(2, dtype=torch.float64, device=self.team.device)
        answers = []
        mine = list(range(self.team.rank, len(self.validation), self.team.size))
        for images, targets, sizes in self._batches(self.validation_loader, mine):
            with torch.autocast(self.team.device.type, enabled=self.on_gpu, dtype=self.half if self.on_gpu else None):
                logits = self.network(*self._inputs(images, sizes)).float()
            sums += torch.stack(self._loss(logits, targets.to(self.team.device, non_blocking=True))).double()
            answers.append(logits.argmax(1))
        predicted = torch.cat(answers).cpu().numpy() if answers else np.empty(0, dtype=np.int64)
        true = np.array([self.validation.targets[index] for index in mine], dtype=np.int64)
        matrix = scores.confusion_matrix(true, predicted, classes)
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


def plain_state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the weights as the serving code wants them: on the CPU, in PyTorch's usual order in memory."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in network.state_dict().items()}


def write_history(output_dir: Path, state: State) -> None:
    if state.history:
        rows: list[list[Any]] = [list(state.history[0]), *(list(row.values()) for row in state.history)]
        write_text(output_dir / "history.csv", csv_text(rows))
