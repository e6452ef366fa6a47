"""The processes that train together, one for each GPU, and how they are stopped."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
import torch.distributed as dist

from common import pick_device, say


class StopSignal:
    """
    Turns SIGTERM (docker stop) and SIGINT (Ctrl-C) into an orderly stop after the current step. The program must handle
    them itself: as a container's first process it gets no default handling. Repeated signals change nothing.
    """

    def __init__(self) -> None:
        self.received = 0
        self.deferred = False
        """Whether to wait for the end of a step, because there is a state worth saving."""

    def install(self) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._handle)

    def _handle(self, received: int, _frame: Any) -> None:
        self.received = received
        if not self.deferred:
            self.leave()

    def leave(self) -> NoReturn:
        """Exit code 143 after SIGTERM, 130 after SIGINT: what shells report of a program that these signals ended."""
        # Of several processes, perhaps only another one has got the signal.
        raise SystemExit(128 + (self.received or signal.SIGTERM))


def ignore_signals(_worker: int) -> None:
    """For processes that load images: the main process still needs them for its last step, and ends them itself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass(frozen=True)
class Team:
    """The processes that train together, as torchrun started them; usually only one."""

    rank: int
    size: int
    device: torch.device

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        if self.size > 1:
            values = values.to(self.device)
            dist.all_reduce(values)
        return values

    def share(self, value: Any) -> Any:
        """What the first process has."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def anyone(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return bool(self.total(torch.tensor([float(flag)])).item())


@contextlib.contextmanager
def process_group(wanted_device: str) -> Iterator[Team]:
    size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    device = pick_device(wanted_device, int(os.environ.get("LOCAL_RANK", 0)))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if size > 1:
        # The first process reads the whole data set while the others wait.
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=datetime.timedelta(hours=2))
    elif device.type == "cuda" and torch.cuda.device_count() > 1:
        count = torch.cuda.device_count()
        say(f"{count} GPUs are visible, one is used. For all: torchrun --nproc_per_node={count} train.py")
    try:
        yield Team(rank, size, device)
    finally:
        if size > 1:
            dist.destroy_process_group()
