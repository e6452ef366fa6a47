"""The model in other formats, each kept only if it gives the same outputs as PyTorch on a few real images."""

from __future__ import annotations

import copy
import inspect
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import first_line, is_installed, warn, write_atomically

# Runtimes add in another order: outputs of a ResNet50 then differ by about a millionth of their size.
TOLERANCE = 1e-3

Outputs = Callable[[Path], np.ndarray]
"""Writes a file, loads it again, and gives its outputs for the sample."""


Sample = tuple[torch.Tensor, ...]
"""Images, and their sizes for a network that gets these."""


def safetensors(path: Path, network: torch.nn.Module, sample: Sample, classes: list[str]) -> str:
    """The weights as safetensors, with the classes in its metadata. Returns a sentence on what came of it."""
    if not is_installed("safetensors.torch"):
        return "No model.safetensors: the Python package safetensors is not installed."
    from safetensors.torch import load_file, save

    def outputs(target: Path) -> np.ndarray:
        metadata = {"format": "pt", "classes": json.dumps(classes, ensure_ascii=False)}
        target.write_bytes(save(network.state_dict(), metadata))  # save_file would let nobody else read it.
        loaded = copy.deepcopy(network)
        loaded.load_state_dict(load_file(str(target)))
        return run(loaded, sample)

    return export(path, network, sample, outputs)


def onnx(path: Path, network: torch.nn.Module, sample: Sample) -> str:
    """
    The network as ONNX: `images` (n, 3, side, side), and where it gets that `size` (n, 2: width and height), to
    `logits` (n, classes). Returns a sentence, as above.
    """
    if not is_installed("onnxruntime"):
        return "No model.onnx: the Python package onnxruntime, which checks it, is not installed."
    import onnxruntime

    inputs = ["images", "size"][: len(sample)]

    def outputs(target: Path) -> np.ndarray:
        # From 2.9 on the default is another exporter, which needs more packages and writes two files.
        options: dict[str, Any] = (
            {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
        )
        torch.onnx.export(
            network,
            sample,
            str(target),
            input_names=inputs,
            output_names=["logits"],
            dynamic_axes={name: {0: "n"} for name in (*inputs, "logits")},
            opset_version=17,
            **options,
        )
        session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
        # One image, not as many as it was exported with: the file must take any number.
        each = (zip(inputs, (tensor[None].numpy() for tensor in item)) for item in zip(*sample))
        return np.concatenate([session.run(None, dict(given))[0] for given in each])

    return export(path, network, sample, outputs)


def export(path: Path, network: torch.nn.Module, sample: Sample, outputs: Outputs) -> str:
    """Writes a file if its outputs are the network's. A format that fails is reported, but costs nobody the model."""

    def write(target: Path) -> None:
        difference = float(np.abs(outputs(target) - expected).max())
        if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise RuntimeError(f"its outputs differ from PyTorch's by {difference:g}")
        differences.append(difference)

    expected = run(network, sample)
    differences: list[float] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Exporters announce their next versions.
            write_atomically(path, write)
    except Exception as error:  # Exporters raise almost anything.
        path.unlink(missing_ok=True)  # one of an earlier training
        warn(f"No {path.name}: {first_line(error)}")
        return f"No {path.name}: writing it failed, see the log."
    return f"{path.name} gives PyTorch's outputs for {len(expected)} images, within {differences[0]:.1g}."


@torch.no_grad()
def run(network: torch.nn.Module, sample: Sample) -> np.ndarray:
    return network.eval()(*sample).numpy()
