"""The features of a frozen network, computed once for each image and kept for when the training is stopped."""

from __future__ import annotations

import argparse
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from common import Example, ImageFiles, say, write_atomically
from size_input import log_sides
from team import ignore_signals

SECONDS_BETWEEN_SAVES = 60


@torch.no_grad()
def features_of(
    network: Callable[[torch.Tensor], torch.Tensor],
    examples: list[Example],
    folder: Path,
    options: argparse.Namespace,
    device: torch.device,
    kept: tuple[Path, str] | None = None,
) -> np.ndarray:
    """
    A row for each example. `kept` is a file with features from before and the fingerprint of the network that they have
    to be of; it is written every minute and at the end. Equal images are computed once.
    """
    known = read(*kept) if kept else {}
    wanted = {example.sha256: example for example in examples}
    missing = [example for sha256, example in wanted.items() if sha256 not in known]
    if known and missing:
        say(f"{len(wanted) - len(missing)} of {len(wanted)} images have their features already.")
    images = ImageFiles(folder, missing, sorted({example.label for example in missing}), options.image_size)
    loader = torch.utils.data.DataLoader(
        images, batch_size=options.batch_size, num_workers=options.workers, worker_init_fn=ignore_signals
    )
    saved = time.monotonic()
    done = 0
    for batch, *_ in loader:
        for row in network(batch.to(device)).float().cpu().numpy():
            known[missing[done].sha256] = row
            done += 1
        if kept and time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
            say(f"  features of {done} of {len(missing)} images")
            write(*kept, known)
            saved = time.monotonic()
    if kept and missing:
        write(*kept, known)
    return np.stack([known[example.sha256] for example in examples])


def with_sides(rows: np.ndarray, examples: list[Example], sized: bool) -> np.ndarray:
    """The features with the size of each image as two more, if the network gets it."""
    if not sized:
        return rows
    return np.hstack([rows, log_sides(np.array([example.size for example in examples]))]).astype(rows.dtype)


def read(path: Path, fingerprint: str) -> dict[str, np.ndarray]:
    """What an earlier run has kept, if it is of the same network; all else is computed again, which costs little."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["network"]) != fingerprint:
                return {}
            return dict(zip(file["sha256"].tolist(), file["features"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def write(path: Path, fingerprint: str, known: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)

    def save(temporary: Path) -> None:
        with open(temporary, "wb") as file:  # By its name alone, NumPy would give it another ending.
            np.savez(file, network=fingerprint, sha256=np.array(list(known)), features=np.stack(list(known.values())))

    write_atomically(path, save)
