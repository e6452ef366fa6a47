"""What a training took: hardware, time and energy. And how large its images are."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

SAMPLE = 1000


def effort(history: Sequence[dict[str, float]], device: str) -> dict[str, Any]:
    """
    The time of all epochs, also of those before a training was stopped and continued. The energy is not measured: it
    is what the GPUs may draw at most.
    """
    on_gpu = device != "cpu" and torch.cuda.is_available()
    seconds = round(sum(row["seconds"] for row in history), 1)
    count = int(os.environ.get("WORLD_SIZE", "1")) if on_gpu else 1
    watts = power_limit() if on_gpu else None
    return {
        "processor": torch.cuda.get_device_name() if on_gpu else processor_name(),
        "count": count,
        "seconds": seconds,
        "watts_at_most": watts,
        "kwh_at_most": None if watts is None else round(watts * count * seconds / 3.6e6, 3),
    }


def power_limit() -> float | None:
    """Of the first GPU, in watts, as its driver tells."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=power.limit", "--format=csv,noheader,nounits", "--id=0"]
    try:
        return float(subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.strip())
    except (OSError, ValueError, subprocess.SubprocessError):  # Some GPUs have none: “[N/A]”.
        return None


def processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"CPU {found or platform.machine()} ({os.cpu_count()} threads)"


def long_sides(paths: Sequence[Path]) -> dict[str, int] | None:
    """Pixels of the images' long sides, of at most a thousand images from all over; None when none can be read."""
    sides = []
    for path in paths[:: max(1, len(paths) // SAMPLE)]:
        try:
            with Image.open(path) as image:  # Its header alone is read.
                sides.append(max(image.size))
        except Exception:  # What can't be read has been named before.
            continue
    if not sides:
        return None
    low, middle, high = (int(round(value)) for value in np.percentile(sides, (5, 50, 95)))
    return {"5 %": low, "median": middle, "95 %": high}


def effort_text(facts: dict[str, Any]) -> str:
    """For the card; of a model without these facts, that they are not known."""
    took = facts.get("effort")
    if not took:
        return "Hardware and time are not recorded."
    kwh, watts = took["kwh_at_most"], took["watts_at_most"]
    energy = (
        "The energy is not known."
        if kwh is None
        else f"At most {kwh:g} kWh, as the driver lets a GPU draw {watts:g} W; the rest of the machine is not in it."
    )
    return f"{took['count']} × {took['processor']}, {duration(took['seconds'])} for all epochs. {energy}"


def sizes_text(facts: dict[str, Any]) -> str:
    sides = facts.get("long_sides")
    if not sides:
        return ""
    return (
        f"The long side of the images it learned from has {sides['median']} pixels in the middle, and from "
        f"{sides['5 %']} to {sides['95 %']} in nine of ten. Much smaller or larger ones are of another kind to it.\n\n"
    )


def duration(seconds: float) -> str:
    hours, minutes = int(seconds // 3600), round(seconds % 3600 / 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if seconds >= 90 else f"{seconds:.0f} s"
