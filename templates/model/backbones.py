"""The networks by name, with the weights that they start from. The serving code's contract knows only the ResNet50."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import urllib.error
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn

import efficientnet_lite
from common import UserError, build_network, first_line, head_classes, load_weights, names
from preparation import MEAN, STD
from size_input import Sized, image_weights

# What serving code loads.
CONTRACT = "resnet50"
# What a training uses when BACKBONE is not set. In the image it is: the Dockerfile has the same default, for its weights.
DEFAULT_BACKBONE = CONTRACT
LITE = "efficientnet-lite0"
# Short names for some of timm's networks; with timm: before it, BACKBONE takes the name of any other.
TIMM = {
    "convnext": "convnext_tiny.in12k_ft_in1k",
    "efficientnet": "tf_efficientnetv2_s.in21k_ft_in1k",
    "dinov3": "vit_small_patch16_dinov3.lvd1689m",
}


@dataclass(frozen=True)
class Start:
    """What decides a network before it has learned anything: name, weights and size of its input."""

    backbone: str
    weights: str
    """imagenet, none, or a file."""
    image_size: int
    seed: int
    """Of random weights."""


def start_of(options: argparse.Namespace) -> Start:
    return Start(options.backbone, options.initial_weights, options.image_size, options.seed)


def backbone_name(text: str) -> str:
    """The type of the option BACKBONE."""
    name = f"timm:{TIMM[text]}" if text in TIMM else text
    if name in (CONTRACT, LITE) or (name.startswith("timm:") and len(name) > len("timm:")):
        return name
    raise argparse.ArgumentTypeError(f"“{text}” is not one of: {', '.join((CONTRACT, LITE, *TIMM))}, timm:NAME")


class Classifier(nn.Module):
    """A network other than the contract's. It takes the same images, and so turns their normalisation into its own."""

    def __init__(self, backbone: nn.Module, features: int, classes: int, mean: Any, std: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(features, classes)
        ours, theirs = (torch.tensor((MEAN, STD)), torch.tensor((tuple(mean), tuple(std))))
        self.register_buffer("factor", (ours[1] / theirs[1]).view(1, 3, 1, 1))
        self.register_buffer("offset", ((ours[0] - theirs[0]) / theirs[1]).view(1, 3, 1, 1))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return self.backbone(images * self.factor + self.offset)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.dropout(self.features(images)))


def build(backbone: str, classes: int, image_size: int) -> nn.Module:
    """The network with random weights."""
    if backbone == CONTRACT:
        return build_network(classes)
    if backbone == LITE:
        lite = efficientnet_lite
        return Classifier(lite.EfficientNetLite0(), lite.FEATURES, classes, lite.MEAN, lite.STD)
    network = timm_network(backbone, image_size, pretrained=False)
    about = network.pretrained_cfg
    return Classifier(network, network.num_features, classes, about["mean"], about["std"])


def timm_network(backbone: str, image_size: int, pretrained: bool) -> Any:
    name = backbone.removeprefix("timm:")
    try:
        import timm
    except ImportError:
        raise UserError(
            f"BACKBONE={backbone} needs the Python package timm: pip install timm, or choose {LITE}."
        ) from None
    if not timm.is_model(name):
        raise UserError(f"timm {timm.__version__} has no network {name} (BACKBONE): see timm.list_models().")
    about = timm.get_pretrained_cfg(name)
    # Transformers have a place for each patch; convolutions take any size, and refuse the option.
    size = {"img_size": image_size} if about and about.fixed_input_size else {}
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, **size)
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"The weights of {name} are not in this image and can't be downloaded ({first_line(error)}). Build the "
            "image with them (Dockerfile: BACKBONE), or set INITIAL_WEIGHTS to a file, or to none."
        ) from None


def trained(options: argparse.Namespace, weights: dict[str, torch.Tensor], classes: int) -> nn.Module:
    """The network that a training with these options has made."""
    network = build(options.backbone, classes, options.image_size)
    if options.size_input != "none":
        network = Sized(network, classes)
    network.load_state_dict(weights)
    return network.eval()


def licence(backbone: str) -> str:
    """Of the weights that it starts from."""
    if backbone == CONTRACT:
        return "BSD-3-Clause (torchvision)"
    if backbone == LITE:
        return "Apache-2.0"
    import timm

    stated = getattr(timm.get_pretrained_cfg(backbone.removeprefix("timm:")), "license", None)
    return stated or "not stated by timm, whose own is Apache-2.0"


def facts(start: Start) -> dict[str, Any]:
    """For training.json and the card."""
    return {**asdict(start), "licence": None if start.weights == "none" else licence(start.backbone)}


def started(start: Start, classes: int) -> nn.Module:
    """The network with the weights to start from; the same each time."""
    torch.manual_seed(start.seed)
    network = build(start.backbone, classes, start.image_size)
    if start.weights == "none":
        return network
    state = imagenet_weights(start) if start.weights == "imagenet" else image_weights(load_weights(Path(start.weights)))
    fill(network, state, start, classes)
    return network


def fill(network: nn.Module, state: dict[str, torch.Tensor], start: Start, classes: int) -> None:
    """The head only when the weights have one for as many classes."""
    head = "fc." if start.backbone == CONTRACT else "head."
    same_head = count_classes(state) == classes
    state = {name: value for name, value in state.items() if same_head or not name.startswith(head)}
    title = "a ResNet50" if start.backbone == CONTRACT else start.backbone
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise UserError(f"The weights {start.weights} don't fit {title}: {first_line(error)}") from None
    foreign = [name for name in (*missing, *unexpected) if not name.startswith((head, "factor", "offset"))]
    if foreign:
        raise UserError(f"The weights {start.weights} are not {title}'s: {names(foreign, 3)} missing or unknown.")


def imagenet_weights(start: Start) -> dict[str, torch.Tensor]:
    """What the backbone has learned elsewhere, usually from ImageNet's pictures."""
    if start.backbone == CONTRACT:
        return resnet_weights()
    if start.backbone == LITE:
        state = efficientnet_lite.imagenet_weights()
    else:
        state = timm_network(start.backbone, start.image_size, pretrained=True).state_dict()
    return {f"backbone.{name}": value for name, value in state.items()}


def resnet_weights() -> dict[str, torch.Tensor]:
    """From the file that the image was built with, else from torchvision's cache or server."""
    baked_in = os.environ.get("IMAGENET_WEIGHTS")
    if baked_in and Path(baked_in).is_file():
        return load_weights(Path(baked_in))
    try:
        return dict(torchvision.models.ResNet50_Weights.IMAGENET1K_V2.get_state_dict(progress=False))
    except (urllib.error.URLError, OSError) as error:
        raise UserError(
            f"The ImageNet weights are not in this image and can't be downloaded ({first_line(error)}). Build the "
            "image with them (Dockerfile: IMAGENET_WEIGHTS_URL), or set INITIAL_WEIGHTS to a file, or to none."
        ) from None


def count_classes(state: dict[str, torch.Tensor]) -> int | None:
    last = state.get("fc.4.weight", state.get("head.weight"))
    return None if last is None else int(last.shape[0])


def restored(path: Path, state: dict[str, torch.Tensor]) -> tuple[nn.Module, int]:
    """The network of a model's weights, and how many classes it has. What it is stands in training.json beside them."""
    seeing = image_weights(state)
    if "fc.4.weight" in seeing or "head.weight" not in seeing:
        count = head_classes(seeing, path)
        network: nn.Module = build_network(count)
    else:
        count = int(seeing["head.weight"].shape[0])
        beside = path.with_name("training.json")
        try:
            about = json.loads(beside.read_text(encoding="utf-8"))
            network = build(str(about["network"]["backbone"]), count, int(about["image_size"]))
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"Which network the weights {path} are of stands in {beside}, and that can't be read: "
                f"{type(error).__name__}: {first_line(error)}. Keep the files of a model together."
            ) from None
    if "size_weight" in state:
        network = Sized(network, count)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        title = "the contract's ResNet50" if "fc.4.weight" in state else "its network"
        raise UserError(f"{path} does not fit {title}: {' '.join(str(error).split())[:300]}") from None
    return network.eval(), count


# ---------------------------------------------------------------------------------------------------------------------
# As features


def features(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """What the network's head gets to see."""
    if isinstance(network, Classifier):
        return network.features
    body = nn.Sequential(*(module for name, module in network.named_children() if name != "fc"), nn.Flatten())
    return body


def fingerprint(start: Start, network: nn.Module) -> str:
    """Equal for networks that give the same features."""
    digest = hashlib.sha256(json.dumps([start.backbone, start.image_size]).encode())
    for name, value in network.state_dict().items():
        if not name.startswith(("fc.", "head.")):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def set_head(network: nn.Module, weight: np.ndarray, bias: np.ndarray) -> None:
    """
    Makes the network a linear classifier of its features. The contract's head has a layer of 512 between with a ReLU;
    a score and its negative pass that as two positive numbers, whose difference is the score again.
    """
    with torch.no_grad():
        w, b = torch.from_numpy(weight).float(), torch.from_numpy(bias).float()
        if isinstance(network, Classifier):
            network.head.weight.copy_(w)
            network.head.bias.copy_(b)
            return
        inner, last = network.fc[1], network.fc[4]
        count = len(b)
        if 2 * count > inner.out_features:
            raise UserError(
                f"A probe in the contract's network has room for {inner.out_features // 2} classes, not {count}."
            )
        # What is left of the inner layer stays random: all zero, it could never learn anything in a later training.
        last.weight.zero_()
        last.bias.zero_()
        for sign, first in ((1, 0), (-1, count)):
            inner.weight[first : first + count] = sign * w
            inner.bias[first : first + count] = sign * b
            last.weight[:, first : first + count] = sign * torch.eye(count)
