"""What is laid beside a model for those who want to use it: programs that classify pictures, and a page that does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import calibration
from common import file_sha256, say, warn, write_atomically, write_text

HERE = Path(__file__).resolve().parent
PROGRAMS = ("predict.py", "preparation.py", "calibration.py", "counts.py")
PAGE = "predict.html"
PLACE = '<script type="application/json" id="model">null</script>'


# Without the ONNX file, predict.py builds the network with PyTorch.
FOR_PYTORCH = ("common.py", "backbones.py", "efficientnet_lite.py", "size_input.py")


def ship(folder: Path, name: str, classes: list[str], size: int, size_input: str) -> None:
    """To the folder of a finished model."""
    onnx = folder / "model.onnx"
    for program in (*PROGRAMS, *(() if onnx.is_file() else FOR_PYTORCH)):
        source = HERE / program
        write_atomically(folder / program, lambda target, source=source: shutil.copyfile(source, target))
    if not onnx.is_file():
        (folder / PAGE).unlink(missing_ok=True)  # one of an earlier training
        say(f"No {PAGE}: it needs model.onnx.")
    elif not (HERE / PAGE).is_file():
        warn(f"No {PAGE}: the image has none beside train.py.")
    else:
        known = facts(folder, name, classes, size, size_input)
        write_text(folder / PAGE, page((HERE / PAGE).read_text(encoding="utf-8"), known))
        say(f"{PAGE} and predict.py use the model on any computer: open the page, or start the program.")


def facts(folder: Path, name: str, classes: list[str], size: int, size_input: str) -> dict[str, Any]:
    """What the page has to know of the model. The network itself stays in its file."""
    known = calibration.read(folder)
    onnx = folder / "model.onnx"
    return {
        "name": name,
        "classes": classes,
        "imageSize": size,
        **({} if size_input == "none" else {"sizeInput": size_input}),
        "temperature": known.temperature,
        "threshold": known.threshold,
        "wantedPrecision": known.wanted_precision,
        "onnx": {"bytes": onnx.stat().st_size, "sha256": file_sha256(onnx)},
    }


def page(template: str, model: dict[str, Any]) -> str:
    # “<” would let a class called “</script>” end the element.
    text = json.dumps(model, ensure_ascii=False).replace("<", "\\u003c")
    return template.replace(PLACE, PLACE.replace("null", text), 1)
