"""
Says what is on pictures, with the model in the folder of this file, on any computer without a GPU:

    pip install numpy onnxruntime pillow
    python predict.py my-pictures

The table is predicted.csv: a line a picture, with class, probability, second guess, and whether the model is too unsure
to be believed (unknown). Pictures are prepared as in training.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

try:
    import numpy as np
    from PIL import Image

    import calibration
    import counts
    from preparation import IMAGE_ENDINGS, IMAGE_SIZE, decode, normalise, square
except ModuleNotFoundError as error:
    sys.exit(
        f"Error: the Python module “{error.name}” is missing. Install what is needed with\n"
        "    pip install numpy onnxruntime pillow\n"
        "and keep calibration.py, counts.py and preparation.py in the folder of predict.py."
    )

HEAD = ("file", "class", "probability", "second_class", "second_probability", "unknown", "error")

Network = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""
From prepared images (n, 3, size, size), and width and height of the pictures (n, 2), which not every model looks at, to
outputs (n, classes).
"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_options(arguments)
    folder: Path = options.model
    classes, size, unit, known = read_model(folder)
    scale = scale_for(unit, options.um_per_pixel)
    if options.threshold is not None:
        known = calibration.Calibration(known.temperature, options.threshold)
    pictures = find_pictures(options.pictures)
    output = check_output(options.output)
    network = load_network(folder, len(classes), size, unit is not None)
    rows: list[tuple[str, ...]] = []
    guesses = np.zeros(len(classes))
    for name, path in with_progress(pictures):
        try:
            picture = decode(path.read_bytes())
            prepared = normalise(square(picture, size))
        except Exception as error:  # Pillow's decoders raise almost anything on broken files.
            rows.append((name, *[""] * 5, f"{type(error).__name__}: {error}".split("\n", 1)[0]))
            continue
        sides = np.array([picture.size], dtype=np.float32) * np.float32(scale)
        probabilities = calibration.softmax(network(prepared[None], sides), known.temperature)[0]
        guesses[probabilities.argmax()] += 1
        rows.append(row_of(name, probabilities, classes, known))
    write_table(output, rows)
    tell(rows, classes, guesses, known, folder, output)
    if not guesses.any():
        fail("None of the pictures can be read; the column “error” of the table says why.")


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path, help="pictures, and folders of pictures")
    parser.add_argument("--output", default="predicted.csv", help="the table; - for the screen [default: %(default)s]")
    parser.add_argument(
        "--model", type=Path, default=Path(__file__).resolve().parent, help="folder of the model [default: this file's]"
    )
    parser.add_argument(
        "--threshold", type=share, help="less probable answers are unknown, 0–1 [default: as calibration.json says]"
    )
    parser.add_argument(
        "--um-per-pixel",
        type=width,
        help="how many µm a pixel of the pictures is wide, for a model that takes their size in µm",
    )
    return parser.parse_args(arguments)


def width(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"“{text}” is no number above 0")
    return value


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"“{text}” is no number from 0 to 1")
    return value


# ---------------------------------------------------------------------------------------------------------------------
# The model


def read_model(folder: Path) -> tuple[list[str], int, str | None, calibration.Calibration]:
    """
    Its classes, the side of its input, in what it takes the size of a picture (if it does), and how far its
    probabilities can be believed.
    """
    try:
        classes = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{folder / 'classes.json'} can't be read ({error}). Give --model the folder of a published model.")
    try:
        facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        size, unit = int(facts.get("image_size", IMAGE_SIZE)), facts.get("size_input", {}).get("unit")
    except FileNotFoundError:
        size, unit = IMAGE_SIZE, None
    try:
        return classes, size, unit, calibration.read(folder)
    except ValueError as error:
        fail(str(error))


def scale_for(unit: str | None, um_per_pixel: float | None) -> float:
    """By what pixels have to be multiplied for the model."""
    if unit != "um":
        if um_per_pixel is not None:
            say("--um-per-pixel changes nothing: this model does not look at the size of the pictures in µm.")
        return 1.0
    if um_per_pixel is None:
        fail(
            "This model takes the size of the pictures in µm. Give --um-per-pixel, how many µm a pixel of them is wide "
            "(--um-per-pixel 0.25, for example). Pictures of another scale need a run of their own."
        )
    return um_per_pixel


def load_network(folder: Path, classes: int, size: int, sized: bool) -> Network:
    """model.onnx, which needs the least software; of a model that has none, model.pth by PyTorch."""
    if (folder / "model.onnx").is_file():
        takes_size, network = onnx_network(folder / "model.onnx")
    elif (folder / "model.pth").is_file():
        takes_size, network = torch_network(folder / "model.pth")
    else:
        fail(f"There is no model.onnx and no model.pth in {folder}. Give --model the folder of a published model.")
    if takes_size != sized:
        fail(
            f"The training.json in {folder} is of another model or missing: it has to say whether the model takes the "
            "size of a picture. Keep the files of a model together."
        )
    count = network(np.zeros((1, 3, size, size), dtype=np.float32), np.ones((1, 2), dtype=np.float32)).shape[1]
    if count != classes:
        fail(f"The model in {folder} tells {count} classes apart, but classes.json names {classes}: download it again.")
    return network


def onnx_network(path: Path) -> tuple[bool, Network]:
    """And whether it takes the size."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        fail("The Python package onnxruntime is missing: pip install onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    return len(names) > 1, lambda *inputs: session.run(None, dict(zip(names, inputs)))[0]


def torch_network(path: Path) -> tuple[bool, Network]:
    try:
        import torch

        from backbones import restored
        from common import load_weights
        from size_input import Sized, answers
    except ModuleNotFoundError as error:
        fail(
            f"This model has no model.onnx, so it needs PyTorch, and “{error.name}” is missing. "
            "Install it with: pip install torch torchvision"
        )
    network, _ = restored(path, load_weights(path))

    def outputs(images: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return answers(network, torch.from_numpy(images), torch.from_numpy(sizes)).numpy()

    return isinstance(network, Sized), outputs


# ---------------------------------------------------------------------------------------------------------------------
# Pictures in, table out


def find_pictures(places: Sequence[Path]) -> list[tuple[str, Path]]:
    """Name in the table and path of each picture, in an order that is the same on every machine."""
    found: list[tuple[str, Path]] = []
    for place in places:
        if place.is_file():
            found.append((place.as_posix(), place))
        elif place.is_dir():
            files = (path for path in place.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS and path.is_file())
            names = ((path.relative_to(place).as_posix(), path) for path in files)
            # With several folders, their names tell equal names in them apart.
            named = ((name if len(places) == 1 else f"{place.as_posix()}/{name}", path) for name, path in names)
            found.extend(sorted(item for item in named if not item[1].name.startswith(".")))
        else:
            fail(f"There is no file and no folder {place}.")
    if not found:
        fail(f"No pictures in {', '.join(map(str, places))}: looked for {', '.join(IMAGE_ENDINGS)}.")
    return found


def with_progress(pictures: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    told = time.monotonic()
    for number, item in enumerate(pictures):
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"{number} of {len(pictures)} pictures")
        yield item


def row_of(
    name: str, probabilities: np.ndarray, classes: Sequence[str], known: calibration.Calibration
) -> tuple[str, ...]:
    order = np.argsort(-probabilities, kind="stable")
    first, second = order[0], order[1] if len(order) > 1 else order[0]
    unknown = known.is_unknown(float(probabilities[first]))
    return (
        name,
        classes[first],
        f"{probabilities[first]:.6f}",
        classes[second],
        f"{probabilities[second]:.6f}",
        "" if unknown is None else str(unknown).lower(),
        "",
    )


def check_output(output: str) -> Path | None:
    """Where to write, found out before an hour of work; None for the screen. Only an own table is written over."""
    if output == "-":
        return None
    path = Path(output)
    try:
        with open(path, encoding="utf-8") as file:
            if file.readline().strip() != ",".join(HEAD):
                fail(f"{path} is there already and is no table of this program. Give another name: --output NAME.csv")
    except FileNotFoundError:
        if not path.resolve().parent.is_dir():
            fail(f"There is no folder for {path}.")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} can't be written over ({error}). Give another name: --output NAME.csv")
    return path


def write_table(output: Path | None, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEAD, *rows])
    if output is None:
        sys.stdout.buffer.write(text.getvalue().encode())
        return
    # Beside it and then over it: a full disk leaves no half table.
    temporary = output.with_name(f"{output.name}.part")
    try:
        temporary.write_bytes(text.getvalue().encode())
        os.replace(temporary, output)
    except OSError as error:
        fail(f"{output} can't be written ({error.strerror}). Is it open in another program?")
    finally:
        temporary.unlink(missing_ok=True)


def tell(
    rows: Sequence[Sequence[str]],
    classes: Sequence[str],
    guesses: np.ndarray,
    known: calibration.Calibration,
    folder: Path,
    output: Path | None,
) -> None:
    """What a person wants to know at once: how many of each class, and how many pictures have no answer."""
    estimate = corrected_counts(folder, guesses)
    width = max(len(name) for name in classes)
    say(f"\n{'Class':{width}}  Pictures{'' if estimate is None else '  Corrected'}")
    for index, name in enumerate(classes):
        say(f"{name:{width}}  {guesses[index]:8.0f}{'' if estimate is None else f'  {estimate[index]:9.1f}'}")
    if estimate is not None:
        say("“Corrected” is without the model's usual mix-ups, as it showed them on its test images.")
    say(unknown_text(sum(row[5] == "true" for row in rows), known))
    failed = sum(row[6] != "" for row in rows)
    if failed:
        say(f"{failed} of {len(rows)} pictures can't be read: see the column “error”.")
    if output is not None:
        say(f"The table is {output}.")


def unknown_text(unknown: int, known: calibration.Calibration) -> str:
    threshold, wanted = known.threshold, known.wanted_precision
    if threshold is None and wanted is None:
        return "No picture is called unknown: this model has no threshold. Give one with --threshold 0.9, for example."
    if threshold is None:
        return (
            f"All are unknown: on its validation images, the model was never so sure that {wanted:.0%} of the answers "
            "were right. Look at them yourself, or give --threshold 0.9, for example."
        )
    text = f"{unknown} of them are unknown: less than {threshold:.4g} probable."
    if wanted is None:
        return text
    return f"{text} Of the others, {wanted:.0%} should be right, if these pictures are like those of the training."


def corrected_counts(folder: Path, guesses: np.ndarray) -> np.ndarray | None:
    """None when the test of the model is not beside it, or says that the correction is of no use."""
    try:
        metrics: Any = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        matrix = np.array(metrics["confusion_matrix"], dtype=float)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if matrix.shape != (len(guesses), len(guesses)):
        return None
    # Where it has not helped among the test images themselves, it does not help here.
    told = metrics.get("counts", {})
    return counts.corrected(guesses, matrix) if told.get("error_corrected", 1) < told.get("error", 0) else None


def say(text: str) -> None:
    """Not to the standard output, which may be the table."""
    print(text, file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    print(f"Error: {text}", file=sys.stderr, flush=True)
    sys.exit(2)


if __name__ == "__main__":
    # Windows writes to a file in an old encoding, which may not have the letters of a class.
    sys.stderr.reconfigure(errors="replace")
    Image.MAX_IMAGE_PIXELS = None  # Pictures of microscopes may be large, and these are the user's own.
    main()
