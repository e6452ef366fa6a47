"""
The size of a picture as a further input of the network. All pictures are scaled to the same long side, so that the
network sees the shape alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

UNITS = {"pixels": "pixels", "um": "µm"}

GAIN = 100.0
"""Two numbers stand beside hundreds of features, which all learn at once: this makes them learn as fast."""


class Sized(nn.Module):
    """
    A network, and a linear layer of the logarithms of long and short side whose outputs are added to its own. That is
    what the last layer would give if the two numbers were among its inputs, and it is the same for every network and
    for the probe. It goes by long and short side, and not by width and height, as nothing depends on how a cell lies.
    """

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__()
        self.network = network
        self.size_weight = nn.Parameter(torch.zeros(classes, 2))
        self.register_buffer("size_mean", torch.zeros(2))
        self.register_buffer("size_deviation", torch.ones(2))

    def forward(self, images: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        """`sizes` has width and height of each picture, in the unit of the training."""
        sides = torch.stack((sizes.amax(1), sizes.amin(1)), 1).log2()
        standard = (sides - self.size_mean) / self.size_deviation * GAIN
        # No product of matrices, which a GPU would compute with half of the digits.
        return self.network(images) + (standard[:, None] * self.size_weight).sum(2)


def with_size(network: nn.Module, classes: int, sides: np.ndarray) -> Sized:
    """The network with the size as an input that says nothing yet, standardised by the sides of the training images."""
    sized = Sized(network, classes)
    sized.size_mean.copy_(torch.from_numpy(sides.mean(axis=0)))
    # Where all are equally large, another size is no reason to be sure of anything.
    sized.size_deviation.copy_(torch.from_numpy(np.maximum(sides.std(axis=0), 0.01)))
    return sized


def set_size_head(sized: Sized, weight: np.ndarray) -> np.ndarray:
    """Makes it add `weight` times `log_sides`, but for a constant, which it returns for the network's bias."""
    with torch.no_grad():
        sized.size_weight.copy_(torch.from_numpy(weight) * sized.size_deviation / GAIN)
    return weight @ sized.size_mean.numpy()


def log_sides(sizes: np.ndarray) -> np.ndarray:
    """Logarithms of long and short side, of widths and heights (n, 2)."""
    return np.log2(np.sort(sizes, axis=1)[:, ::-1])


def answers(network: nn.Module, images: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    return network(images, sizes) if isinstance(network, Sized) else network(images)


def image_network(network: nn.Module) -> nn.Module:
    """The part that sees the picture."""
    return network.network if isinstance(network, Sized) else network


def image_weights(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Of a model's weights, those of that part."""
    return {name.removeprefix("network."): value for name, value in state.items() if not name.startswith("size_")}
