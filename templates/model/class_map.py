"""
Where in a picture a network has seen the class that it names: Grad-CAM (R. Selvaraju et al., 2017) on its last maps.
Where the head is linear in their means, as a probe's is, that is exact: the map's sum is the class's score except for
the bias.
"""

from __future__ import annotations

import numpy as np
import torch
import torchvision
from PIL import Image

from backbones import Classifier
from common import prepare
from efficientnet_lite import EfficientNetLite0
from preparation import scaled
from size_input import image_network

HOT = (214, 40, 40)


def last_maps(network: torch.nn.Module) -> torch.nn.Module | None:
    """What gives the maps whose means are the features; None for networks of timm, of which not all have such maps."""
    network = image_network(network)
    if isinstance(network, torchvision.models.ResNet):
        return network.layer4
    if isinstance(network, Classifier) and isinstance(network.backbone, EfficientNetLite0):
        return network.backbone.last_map
    return None


def class_map(network: torch.nn.Module, layer: torch.nn.Module, images: torch.Tensor, number: int) -> np.ndarray:
    """What each place of one prepared image, (1, 3, size, size), adds to the score of a class."""
    kept: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _given, maps: kept.append(maps))
    try:
        with torch.enable_grad():
            score = image_network(network)(images)[0, number]  # What the size adds has no place in the picture.
            (gradient,) = torch.autograd.grad(score, kept[0])
    finally:
        handle.remove()
    weights = gradient.mean((2, 3), keepdim=True)
    return (weights * kept[0]).sum(1)[0].detach().float().cpu().numpy()


def heated(network: torch.nn.Module, layer: torch.nn.Module, image: Image.Image, size: int, number: int) -> Image.Image:
    """The picture with what speaks for the class in red."""
    device = next(network.parameters()).device
    places = class_map(network, layer, prepare(image, size)[None].to(device), number)
    return overlaid(image, np.maximum(places, 0), size)


def overlaid(image: Image.Image, heat: np.ndarray, size: int) -> Image.Image:
    """`heat` is of the square that the network saw; of that, the picture lies in the middle."""
    width, height = scaled(*image.size, size)
    left, top = (size - width) // 2, (size - height) // 2
    shades = Image.fromarray((heat / (heat.max() or 1) * 255).astype(np.uint8))
    shades = shades.resize((size, size), Image.Resampling.BILINEAR).crop((left, top, left + width, top + height))
    shades = shades.resize(image.size, Image.Resampling.BILINEAR).point([round(value * 0.6) for value in range(256)])
    return Image.composite(Image.new("RGB", image.size, HOT), image, shades)
