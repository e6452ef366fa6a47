"""Small data sets and running programs, for the tests beside this file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

PROGRAMS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROGRAMS))

# Alphabetical order by code point is not that of a dictionary: capitals come first, letters with accents last.
CLASSES = ["Tabellaria", "cymbella", "navicula", "Épithemia"]


def make_data(folder: Path, train: int = 8, test: int = 4, classes: list[str] = CLASSES) -> Path:
    """A data set of elongated shapes, one shade and form a class, each image different."""
    generator = np.random.default_rng(7)
    for kind, name in enumerate(classes):
        for split, count in (("train", train), ("test", test)):
            target = folder / split / name
            target.mkdir(parents=True)
            for number in range(count):
                draw_cell(kind, generator).save(target / f"{number:03}.png")
    return folder


def draw_cell(kind: int, generator: np.random.Generator) -> Image.Image:
    width, height = int(generator.integers(60, 90)), int(generator.integers(18, 30))
    image = Image.fromarray(generator.integers(190, 230, (height, width, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(image)
    pen.ellipse((4, 4, width - 5, height - 5), fill=(40 + 45 * kind,) * 3)
    for stripe in range(kind):
        pen.line((10 + 12 * stripe, 2, 10 + 12 * stripe, height - 3), fill=(20, 20, 20), width=3)
    return image


def environment(data: Path, output: Path, options: Mapping[str, object]) -> dict[str, str]:
    """For a program on the CPU, small and repeatable. Nothing of the machine's own options gets in."""
    kept = ("PATH", "PYTHONPATH", "HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SYSTEMROOT")
    kept += ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "DATA_DIR": str(data),
        "OUTPUT_DIR": str(output),
        "DEVICE": "cpu",
        "INITIAL_WEIGHTS": "none",
        "IMAGE_SIZE": "32",
        "BATCH_SIZE": "8",
        "WORKERS": "0",
        "OMP_NUM_THREADS": "1",
        "LABEL_CHECK": "off",
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: str(value) for name, value in options.items()},
    }


def run(program: str, data: Path, output: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAMS / program), *arguments],
        env=environment(data, output, options),
        capture_output=True,
        text=True,
    )


def run_well(program: str, data: Path, output: Path, *arguments: str, **options: object) -> str:
    """What a program prints; fails the test with what it printed when the program fails."""
    done = run(program, data, output, *arguments, **options)
    if done.returncode != 0:
        raise AssertionError(f"{program} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


def train_until(start_of_line: str, signal_number: int, data: Path, output: Path, **options: object) -> tuple[int, str]:
    """Runs train.py, and sends it a signal when it prints such a line; its exit code, and all that it has printed."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "train.py")],
        env=environment(data, output, options),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = ""
    with process:
        for line in process.stdout or ():
            log += line
            if line.startswith(start_of_line):
                process.send_signal(signal_number)
    return process.returncode, log
