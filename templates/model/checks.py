"""What train.py finds out before the first epoch, so that nobody pays hours of a GPU for it; and writing with room."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from common import STILL_WHOLE, Example, UserError, names, say, scan_split, warn, write_atomically
from machine import machine_memory
from sizes import in_unit
from training_data import Data

FEW_TEST_IMAGES = 10
"""Below this, a recall of 90 % is known to ± 20 points at best."""

WEIGHT_BYTES = 100_000_000
"""Of the network's weights, rounded up. A checkpoint holds them four times: they, the best ones, and AdamW's two."""

CHECKPOINT_BYTES, RESULT_BYTES = 4 * WEIGHT_BYTES, 3 * WEIGHT_BYTES

PROCESS_BYTES = 400_000_000
"""Of memory, for a process that has loaded PyTorch: this one, and each that loads images."""

IMAGE_MEMORY = 115_000_000
"""What a training step of the ResNet50 holds of each image of 224 pixels, measured on the CPU. Of a GPU, which works
with half of the bits, half is assumed."""


def before_training(options: argparse.Namespace, team: Any, data: Data) -> list[Example]:
    """
    Looks at all that a training and the test after it need, and does not have to run for. Everything that has to be put
    right is an error; what only may turn out badly is a warning. Returns the test images, which it has read.
    """
    test = in_unit(data.folder, check_test(data, options.max_broken), options.size_input)
    check_disk(options.output_dir, Path(options.checkpoint_dir or options.output_dir / "checkpoint"))
    check_memory(options, team)
    check_shared_memory(options)
    return test


# ---------------------------------------------------------------------------------------------------------------------
# The test images


def check_test(data: Data, max_broken: float) -> list[Example]:
    """Reads the test images as test.py will: what it would refuse after the training is refused before it."""
    folder = data.folder / "test"
    if not folder.is_dir():
        warn(f"There is no folder {folder}: the model can be trained, and not be tested with this data set.")
        return []
    classes = {entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    foreign = sorted(classes - set(data.classes))
    if foreign:
        raise UserError(
            f"{folder} has the class(es) {names(foreign)}, which train/ does not have: no model could know them. Name "
            f"them as in train/ ({names(data.classes)}), or take them out."
        )
    scan = scan_split(data.folder, "test", max_broken)
    counts = Counter(example.label for example in scan.examples)
    without = [name for name in data.classes if not counts[name]]
    if without:
        warn(f"No test images of the class(es) {names(without)}: how well they are recognised will not be known.")
    few = [f"{name} ({counts[name]})" for name in data.classes if 0 < counts[name] < FEW_TEST_IMAGES]
    if few:
        warn(f"Fewer than {FEW_TEST_IMAGES} test images, so that the figures of the class say little: {names(few)}.")
    used = {example.sha256 for example in (*data.training, *data.validation)}
    seen = sum(example.sha256 in used for example in scan.examples)
    if seen:
        warn(f"{seen} test images are also in train/: the figures will be too good. Prepare the data set again.")
    return scan.examples


# ---------------------------------------------------------------------------------------------------------------------
# Disk and memory


def check_disk(output: Path, checkpoints: Path) -> None:
    """A checkpoint lies there twice while it is written; one of before gives its place to the new one."""
    here = (checkpoints / "checkpoint.pt").stat().st_size if (checkpoints / "checkpoint.pt").is_file() else 0
    needed: Counter[int] = Counter()
    places: dict[int, Path] = {}
    for folder, size in ((checkpoints, max(CHECKPOINT_BYTES, 2 * CHECKPOINT_BYTES - here)), (output, RESULT_BYTES)):
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        disk = existing.stat().st_dev
        needed[disk] += size
        places[disk] = existing
    for disk, size in needed.items():
        free = shutil.disk_usage(places[disk]).free
        if free < size:
            raise UserError(
                f"The disk of {places[disk]} has {in_gb(free)} free, and checkpoint and model take {in_gb(size)}: make "
                "room, or set OUTPUT_DIR or CHECKPOINT_DIR to a larger disk."
            )


def check_memory(options: argparse.Namespace, team: Any) -> None:
    batch = options.batch_size * IMAGE_MEMORY * (options.image_size / 224) ** 2
    network = 5 * WEIGHT_BYTES  # The weights, their gradients, AdamW's two, and the best ones.
    processes = PROCESS_BYTES * (1 + options.workers)
    if team.device.type == "cuda":
        free, total = torch.cuda.mem_get_info(team.device)
        compare_memory(f"The GPU {torch.cuda.get_device_name(team.device)}", network + batch / 2, free, total)
        free, total = machine_memory()
        compare_memory("This machine", (processes + network) * team.size, free, total)
    else:
        free, total = machine_memory()
        compare_memory("This machine", (processes + network + batch) * team.size, free, total)


def compare_memory(owner: str, needed: float, free: int, total: int) -> None:
    """The estimate is rough, so that only what is far beyond the memory is refused."""
    if not total:
        return
    say(f"{owner} has {in_gb(free)} of {in_gb(total)} memory free; this training takes about {in_gb(needed)}.")
    advice = "Lower BATCH_SIZE, WORKERS or IMAGE_SIZE."
    if needed > 1.5 * total:
        raise UserError(
            f"{owner} has {in_gb(total)} of memory, and this training takes about {in_gb(needed)}. {advice}"
        )
    if needed > free:
        warn(f"{owner} may run out of memory, and the training would end then. {advice} Or end what else uses it.")


def check_shared_memory(options: argparse.Namespace) -> None:
    """The processes that load images hand them over there, each two batches ahead."""
    place = Path("/dev/shm")
    if not options.workers or sys.platform != "linux" or not place.is_dir():
        return
    needed = options.workers * 2 * options.batch_size * 3 * options.image_size**2 * 4
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UserError(
            f"The shared memory (/dev/shm) has {in_gb(free)} free, and {options.workers} processes that load images "
            f"take {in_gb(needed)}. Raise it (docker run --shm-size 2g, or the action's input shm-size), or lower "
            "WORKERS; with WORKERS=0 none is needed."
        )


def in_gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


# ---------------------------------------------------------------------------------------------------------------------
# Writing


def save_tensors(content: Any, path: Path) -> None:
    """
    Writes a checkpoint or a model in place of the one of before, when there is room for it. PyTorch's writer ends the
    whole program when the disk fills up under it, so the room is taken before.
    """
    try:
        reserve(path.with_name(f".{path.name}.room"), tensor_bytes(content))
        write_atomically(path, lambda temporary: torch.save(content, temporary))
    except OSError as error:
        reasons = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your quota of the disk is used up"}
        reason = reasons.get(error.errno or 0, error.strerror or str(error))
        raise UserError(
            f"{path} can't be written: {reason} ({in_gb(tensor_bytes(content))} are needed, "
            f"{in_gb(shutil.disk_usage(path.parent).free)} are free). {STILL_WHOLE} Make room and start again with the "
            "same options: the training goes on from there."
        ) from None


def reserve(place: Path, size: int) -> None:
    """Raises OSError unless a file of that size could be written."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        with open(place, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):  # Not on every file system.
            raise
    finally:
        place.unlink(missing_ok=True)


def tensor_bytes(content: Any) -> int:
    """Of all tensors in it, and a little for what describes them."""
    if isinstance(content, torch.Tensor):
        return content.numel() * content.element_size() + 256
    if isinstance(content, dict):
        return sum(tensor_bytes(value) for value in content.values()) + 4096
    return len(content) if isinstance(content, str) else 64
