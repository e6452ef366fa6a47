"""Small pictures kept from the first epoch for all that follow, and shared by the processes that load images."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from common import say, warn
from machine import machine_memory

# Of what is free: the network, its gradients and other programs need some, too.
SHARE = 0.4


class PictureCache:
    """A place for each picture. What one process has put there, all that were forked from the first one find."""

    def __init__(self, count: int, side: int, folder: Path, processes: int = 1) -> None:
        self.side = side
        self.slot = side * side * 3
        self.sizes: np.ndarray | None = None
        self.pixels: np.ndarray | None = None
        room = shared_bytes(count * self.slot, folder, processes)
        if room is not None:
            self.pixels = np.frombuffer(room, dtype=np.uint8).reshape(count, self.slot)
            # Height and width; written last, so a height says that the picture is there.
            self.sizes = np.frombuffer(mmap.mmap(-1, count * 4), dtype=np.uint16).reshape(count, 2)

    def __getstate__(self) -> dict[str, object]:
        # Memory is shared by forking. A process that is started otherwise does without.
        return {"side": self.side, "slot": self.slot, "sizes": None, "pixels": None}

    def get(self, index: int) -> np.ndarray | None:
        if self.sizes is None or self.pixels is None or not self.sizes[index, 0]:
            return None
        height, width = (int(side) for side in self.sizes[index])
        return self.pixels[index, : height * width * 3].reshape(height, width, 3)

    def put(self, index: int, picture: np.ndarray) -> None:
        if self.sizes is None or self.pixels is None or picture.size > self.slot:
            return
        height, width, _ = picture.shape
        self.pixels[index, : picture.size] = picture.reshape(-1)
        self.sizes[index, 1] = width
        self.sizes[index, 0] = height


def shared_bytes(size: int, folder: Path, processes: int) -> mmap.mmap | None:
    """Memory, or else a file that nobody sees and that is gone with the program; None without room for either."""
    if size <= SHARE * free_memory() / processes:
        return mmap.mmap(-1, size)
    gigabytes = f"{size / 1e9:.1f} GB"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if size <= SHARE * shutil.disk_usage(folder).free / processes:
            with tempfile.TemporaryFile(dir=folder) as file:
                os.posix_fallocate(file.fileno(), 0, size)  # A full disk later would be a crash.
                say(f"The prepared pictures ({gigabytes}) are kept in a file, as memory is short.")
                return mmap.mmap(file.fileno(), size)
    except (OSError, AttributeError):  # Elsewhere than on Linux, space can't be reserved.
        pass
    warn(f"There is no room to keep the prepared pictures ({gigabytes}): each epoch reads the images again.")
    return None


def free_memory() -> int:
    free, total = machine_memory()
    return free if total else 1 << 30  # Elsewhere than on Linux it is not known.
