"""What training and evaluation share: options, the data folder, image preparation and the network."""

from __future__ import annotations

import argparse
import csv
import errno
import hashlib
import io
import json
import os
import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
import torchvision
from PIL import Image, UnidentifiedImageError

from preparation import IMAGE_ENDINGS, IMAGE_SIZE, TooNarrow, decode, mode_of, normalise, scaled, square
from size_input import answers

EXIT_USER_ERROR = 2
EXIT_OUT_OF_MEMORY = 3
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class UserError(Exception):
    """Something that the person who started this can put right; the message says how."""


# ---------------------------------------------------------------------------------------------------------------------
# Options: each is a flag and an environment variable, because an action can pass only the latter.


class Options:
    """Command line options whose defaults come from environment variables of the same name (`--lr` and `LR`)."""

    def __init__(self, description: str) -> None:
        self.parser = argparse.ArgumentParser(description=description, allow_abbrev=False)

    def add(self, flag: str, kind: Callable[[str], Any], default: Any, text: str, env: str | None = None) -> None:
        """Adds an option. `kind` turns text into a value or raises ArgumentTypeError; an empty variable is unset."""
        variable = env or flag.removeprefix("--").replace("-", "_").upper()
        value = os.environ.get(variable) or str(default)
        shown = text if default == "" else f"{text} [default: {default}]"
        # argparse converts a default that is text like an argument, and so reports a bad variable, too.
        self.parser.add_argument(flag, type=kind, default=value, metavar=variable, dest=variable.lower(), help=shown)

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        return self.parser.parse_args(arguments)


def number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], Any]:
    """An option's type: a whole or decimal number from `low` to `high`, both allowed."""

    def convert(text: str) -> Any:
        name = "a whole number" if kind is int else "a number"
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"“{text}” is not {name}") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not {name} from {low:g} to {high:g}")
        return value

    return convert


def choice(*allowed: str) -> Callable[[str], str]:
    """An option's type: one of some words. argparse's own `choices` would not check environment variables."""

    def convert(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(f"“{text}” is not one of: {', '.join(allowed)}")
        return text

    return convert


def add_common_options(options: Options) -> None:
    options.add("--data-dir", Path, "/data", "folder of the data set: train/<class>/ and test/<class>/")
    options.add("--output-dir", Path, "/output", "folder for all results")
    options.add(
        "--batch-size", number(int, 2, 65536), 32, "images at a time, on each GPU; lower it when memory is short"
    )
    options.add("--workers", number(int, 0, 256), default_workers(), "processes that load images; 0: none but this one")
    options.add(
        "--device", choice("auto", "cuda", "cpu"), "auto", "auto: the GPU when there is one; cuda: it must be there"
    )
    options.add("--max-broken", number(float, 0, 1), 0.1, "share of unreadable images from which on to give up")


def default_workers() -> int:
    # Elsewhere than on Linux each worker is a new interpreter that first imports torch, slower than it can gain here.
    return min(32, len(os.sched_getaffinity(0))) if sys.platform == "linux" else 0


def pick_device(wanted: str, local_rank: int = 0) -> torch.device:
    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        if local_rank >= torch.cuda.device_count():
            raise UserError(
                f"torchrun starts more processes than the {torch.cuda.device_count()} GPU(s) that are visible here. "
                "Lower --nproc_per_node."
            )
        return torch.device("cuda", local_rank)
    if wanted == "cuda":
        raise UserError(
            "No GPU can be used, although one is demanded (DEVICE=cuda). Is the container started with its GPUs "
            "(--gpus all), and is the NVIDIA driver new enough for "
            f"CUDA {torch.version.cuda or '(this PyTorch has no CUDA support)'}?"
        )
    warn("No GPU can be used: going on with the CPU, which is many times slower.")
    return torch.device("cpu")


# ---------------------------------------------------------------------------------------------------------------------
# Messages and exit codes


def say(text: str) -> None:
    """Prints at once: a container's log is read while it runs, and Python would hold back lines for a pipe."""
    print(text, flush=True)


def warn(text: str) -> None:
    if os.environ.get("RANK", "0") != "0":  # Of the processes that torchrun starts, one speaks.
        return
    print(f"Warning: {text}", file=sys.stderr, flush=True)


def run_main(main: Callable[[], None]) -> NoReturn:
    """Runs a program, and turns errors that a person can put right into a sentence and an exit code."""
    # Pillow remarks on odd metadata of each image; what it can't read is still an error.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        main()
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        sys.exit(EXIT_USER_ERROR)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except (OSError, RuntimeError, MemoryError) as error:
        explanation = explain(error)
        if explanation is None:
            raise
        code, text = explanation
        print(f"Error: {text}\n(PyTorch says: {first_line(error)})", file=sys.stderr, flush=True)
        sys.exit(code)
    sys.exit(0)


def explain(error: BaseException) -> tuple[int, str] | None:
    """Exit code and advice for what commonly goes wrong on GPU servers; None for all else, which may be a bug."""
    text = str(error)
    if is_gpu_memory(text):
        return EXIT_OUT_OF_MEMORY, (
            "The GPU's memory is full. Lower BATCH_SIZE (half of what it is), and look with nvidia-smi whether another "
            "program holds memory of this GPU."
        )
    if "shared memory" in text or "</torch_" in text or ("DataLoader worker" in text and "Bus error" in text):
        return EXIT_OUT_OF_MEMORY, (
            "The container's shared memory is full. Raise it (docker run --shm-size 2g, or the action's input "
            "shm-size), or set WORKERS=0."
        )
    if "DataLoader worker" in text and ("killed by signal" in text or "exited unexpectedly" in text):
        return (
            EXIT_OUT_OF_MEMORY,
            "A process that loads images was killed, most likely for lack of memory. Lower WORKERS.",
        )
    if isinstance(error, MemoryError) or "allocate memory" in text or "bad_alloc" in text:
        return EXIT_OUT_OF_MEMORY, (
            "The memory of this machine, or what this container or job may have of it, is full. Lower BATCH_SIZE and "
            "WORKERS, or use more memory."
        )
    if "no kernel image is available" in text:
        return EXIT_USER_ERROR, (
            f"This PyTorch ({torch.__version__}) does not support this GPU model. Build the image on another "
            "BASE_IMAGE: with an older CUDA version for an old GPU, with a newer one for a new GPU."
        )
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EDQUOT:
        return EXIT_USER_ERROR, f"Your quota of the disk is used up. Free some of it, or ask for more. {STILL_WHOLE}"
    if number == errno.EFBIG:
        return EXIT_USER_ERROR, f"A file became larger than is allowed here (ulimit -f). {STILL_WHOLE}"
    # PyTorch's own writer says the latter three.
    full = ("iostream error", "unexpected pos", "PytorchStreamWriter failed", "No space left on device")
    if number == errno.ENOSPC or any(words in text for words in full):
        return EXIT_USER_ERROR, (
            "The disk is full. Make room where OUTPUT_DIR is; a checkpoint needs about 400 MB, twice. " + STILL_WHOLE
        )
    return None


STILL_WHOLE = "A file is replaced when the new one is complete: the checkpoint and the model of before are whole."


def is_gpu_memory(text: str) -> bool:
    if "out of memory" in text and any(maker in text for maker in ("CUDA", "CUBLAS", "HIP")):
        return True
    others = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "Unable to find a valid cuDNN algorithm")
    return any(words in text for words in others)


def first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]


# ---------------------------------------------------------------------------------------------------------------------
# The data folder


@dataclass(frozen=True)
class Example:
    """One labelled image."""

    path: str
    """Below the data folder, with `/`: `train/<class>/<file name>`."""
    label: str
    sha256: str
    group: str
    """What the data set's manifest keeps on one side of a split: `<class>/<specimen, slide or sample>`; else empty."""
    mode: str = "RGB"
    """What Pillow calls the kind of its pixels."""
    size: tuple[float, float] = (0, 0)
    """Width and height of the file's picture, in pixels or in what SIZE_INPUT says."""


@dataclass(frozen=True)
class Scan:
    """A split of the data set, read once."""

    classes: list[str]
    examples: list[Example]
    broken: list[tuple[str, str]]
    """Path and reason of each file that can't be read as an image."""


def find_data_dir(data_dir: Path) -> Path:
    """The folder that holds `train` and `test`; an unpacked archive has them one level further down, in `results`."""
    for folder in (data_dir, data_dir / "results"):
        if (folder / "train").is_dir() or (folder / "test").is_dir():
            return folder
    found = "it does not exist" if not data_dir.is_dir() else f"it holds {names(os.listdir(data_dir))}"
    raise UserError(
        f"The data folder {data_dir} has no train/ and no test/ in it: {found}. Set DATA_DIR, or mount it there."
    )


def scan_split(data_dir: Path, split: str, max_broken: float, size: int = IMAGE_SIZE) -> Scan:
    """
    Lists a split's classes in code-point order and its images, each read once: for its hash, and to see now rather than
    an hour into the training that it is broken.
    """
    folder = data_dir / split
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}, which should hold one folder of images for each class.")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise UserError(f"{folder} has no folders in it. Each class needs one: {folder}/<class>/<images>.")
    extensions = image_extensions(data_dir)
    files = [(path, label) for label in classes for path in image_files(folder / label, extensions)]
    require_images(folder, classes, [label for _, label in files], extensions)
    groups = manifest_groups(data_dir)

    def read(item: tuple[Path, str]) -> Example | tuple[str, str]:
        path, label = item
        name = path.relative_to(data_dir).as_posix()
        try:
            content = path.read_bytes()
            sides = decode(content).size
            scaled(*sides, size)
        except Exception as error:  # Pillow's decoders raise almost anything on broken files.
            return name, reason(error)
        return Example(name, label, hashlib.sha256(content).hexdigest(), groups.get(name, ""), mode_of(content), sides)

    with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
        results = list(pool.map(read, files))
    examples = [result for result in results if isinstance(result, Example)]
    broken = [result for result in results if not isinstance(result, Example)]
    report_broken(folder, broken, len(files), max_broken)
    require_images(folder, classes, [example.label for example in examples], extensions)
    return Scan(classes, examples, broken)


def reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # Its own text names an object in memory.
        return "no image of a kind that is known here"
    if isinstance(error, TooNarrow):
        return str(error)
    return f"{type(error).__name__}: {first_line(error)}"


def image_extensions(data_dir: Path) -> tuple[str, ...]:
    """The endings that the data set was made with, as its `dataset.json` says, and those of images in general."""
    try:
        options = json.loads((data_dir / "dataset.json").read_bytes()).get("options", {})
        own = tuple(f".{extension.lower()}" for extension in options.get("image_extensions", []))
    except (OSError, ValueError, AttributeError):
        own = ()
    return tuple(sorted({*IMAGE_ENDINGS, *own}))


def image_files(folder: Path, extensions: tuple[str, ...]) -> list[Path]:
    """The images of a class, also in folders below it, in an order that is the same on every machine."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    images = [path for path in files if path.suffix.lower() in extensions]
    if len(images) < len(files):
        others = [path.name for path in files if path.suffix.lower() not in extensions]
        warn(f"{folder}: {len(others)} file(s) left out whose names are no image's: {names(others)}.")
    return images


def require_images(folder: Path, classes: list[str], labels: list[str], extensions: tuple[str, ...]) -> None:
    present = set(labels)
    empty = [name for name in classes if name not in present]
    if empty:
        raise UserError(
            f"No image that can be read in the class(es) {names(empty)} of {folder}. Add images "
            f"({', '.join(extensions)}), or delete the empty folders: the classes are numbered by folder."
        )


def report_broken(folder: Path, broken: list[tuple[str, str]], total: int, max_broken: float) -> None:
    for name, reason in broken[:20]:
        warn(f"{name} can't be read and is left out ({reason}).")
    if len(broken) > 20:
        warn(f"… and {len(broken) - 20} more.")
    if len(broken) > max_broken * total:
        raise UserError(
            f"{len(broken)} of {total} images of {folder} can't be read, more than MAX_BROKEN={max_broken:g} allows. "
            "Was the data set copied completely?"
        )


def manifest_rows(data_dir: Path) -> list[dict[str, str]]:
    """The lines of `manifest.csv` that name an image; none where the data set has no such file."""
    try:
        with open(data_dir / "manifest.csv", encoding="utf-8", newline="") as file:
            return [row for row in csv.DictReader(file) if row.get("path")]
    except FileNotFoundError:
        return []


def manifest_groups(data_dir: Path) -> dict[str, str]:
    """The group of each image that has one, by path."""
    return {row["path"]: row["group"] for row in manifest_rows(data_dir) if row.get("group")}


def provenance(data_dir: Path) -> dict[str, Any] | None:
    """Which data set this is: its seed, its sources and the hashes of its descriptions; None when it tells nothing."""
    path = data_dir / "dataset.json"
    try:
        content = path.read_bytes()
        description = json.loads(content)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}). Was the data set copied completely?") from None
    manifest = data_dir / "manifest.csv"
    return {
        "seed": description.get("seed"),
        "dataset_json_sha256": hashlib.sha256(content).hexdigest(),
        "manifest_sha256": file_sha256(manifest) if manifest.is_file() else None,
        "sources": [
            {key: source.get(key) for key in ("file_name", "sha256", "label")}
            for source in description.get("sources", [])
        ],
    }


# ---------------------------------------------------------------------------------------------------------------------
# Images


def prepare(image: Image.Image, size: int = IMAGE_SIZE) -> torch.Tensor:
    """The network's input: long side to `size` (bilinear), the rest filled by repeating the edges, normalised."""
    return torch.from_numpy(normalise(square(image, size)))


def load_image(path: Path) -> Image.Image:
    return decode(path.read_bytes())


Item = tuple[torch.Tensor, int, torch.Tensor]


class ImageFiles(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Prepared images with their class numbers and their sizes."""

    def __init__(self, data_dir: Path, examples: list[Example], classes: list[str], size: int) -> None:
        self.paths = [data_dir / example.path for example in examples]
        numbers = {name: number for number, name in enumerate(classes)}
        self.targets = [numbers[example.label] for example in examples]
        self.sizes = torch.tensor([example.size for example in examples], dtype=torch.float32)
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Item:
        return prepare(load_image(self.paths[index]), self.size), self.targets[index], self.sizes[index]


# ---------------------------------------------------------------------------------------------------------------------
# The network


def build_network(classes: int) -> torch.nn.Module:
    """The contract's ResNet50, with random weights."""
    network = torchvision.models.resnet50(weights=None)
    network.fc = torch.nn.Sequential(
        torch.nn.Dropout(0.5),
        torch.nn.Linear(network.fc.in_features, 512),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.3),
        torch.nn.Linear(512, classes),
    )
    return network


@torch.no_grad()
def outputs_of(network: torch.nn.Module, images: ImageFiles, options: argparse.Namespace) -> np.ndarray:
    """
    The network's outputs for all images, in their order. In full precision, also on a GPU: half would save seconds, and
    give other answers than the serving code.
    """
    loader = torch.utils.data.DataLoader(images, batch_size=options.batch_size, num_workers=options.workers)
    device = next(network.parameters()).device
    network.eval()
    return np.concatenate(
        [answers(network, batch.to(device), sizes.to(device)).float().cpu().numpy() for batch, _, sizes in loader]
    )


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """A state_dict from a file, to the CPU; never runs code that a manipulated file may hold."""
    if not path.is_file():
        raise UserError(f"There is no weights file {path}.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # The reader raises many kinds on what is not its own, and gives advice that does not help here.
        raise UserError(f"{path} is no file of weights that PyTorch can read, or it is incomplete.") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{path} holds no plain state_dict (tensors by name), but something else.")
    return {name.removeprefix("module."): value for name, value in state.items()}


def head_classes(state: dict[str, torch.Tensor], path: Path) -> int:
    """For how many classes the weights are."""
    last = state.get("fc.4.weight")
    if last is None:
        raise UserError(
            f"{path} has no “fc.4.weight”: it is not of the network of this template (ResNet50 with the head Dropout, "
            "Linear, ReLU, Dropout, Linear)."
        )
    return int(last.shape[0])


# ---------------------------------------------------------------------------------------------------------------------
# Files


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes beside the target and moves over it, so that a crash or a full disk never leaves half a file there."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    # As bytes, so that line ends are the same on every system.
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def csv_text(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def make_output_dir(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"Nothing can be written to the output folder {path} ({error.strerror}). Set OUTPUT_DIR to another, or let "
            'Docker run this as the owner of that folder: docker run --user "$(id -u):$(id -g)" …'
        ) from None


def software() -> dict[str, str | None]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "cuda": torch.version.cuda,
    }


def names(items: Sequence[str], limit: int = 8) -> str:
    """A list for a message, shortened."""
    shown = ", ".join(sorted(items)[:limit])
    if not items:
        return "nothing"
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"


def is_installed(module: str) -> bool:
    # By importing: a package can be there and not work, for example one that is built for another NumPy.
    try:
        __import__(module)
    except Exception as error:
        if not isinstance(error, ModuleNotFoundError):
            warn(f"The package {module} is installed but can't be loaded ({first_line(error)}).")
        return False
    return True
