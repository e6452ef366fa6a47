"""
Trains the group's ResNet50, or another network, on $DATA_DIR/train and writes $OUTPUT_DIR/model.pth. README.md explains
options and results.

    python train.py                                    one GPU, or the CPU
    torchrun --nproc_per_node=2 train.py               two GPUs
"""

from __future__ import annotations

import argparse
from collections import Counter

import torch

import checks
from backbones import CONTRACT, DEFAULT_BACKBONE, backbone_name
from common import (
    IMAGE_SIZE,
    Example,
    Options,
    UserError,
    add_common_options,
    choice,
    make_output_dir,
    names,
    number,
    run_main,
    say,
    warn,
)
from methods import Measured, checkpoint_folder, choose, fine_tune, measure_probe, what_to_expect
from outcome import Outcome, write_results
from team import StopSignal, Team, process_group
from trainer import seed_everything
from training_data import Data, read_data


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    options = Options("Trains a network on DATA_DIR/train. Every option can also be given as an environment variable.")
    add_common_options(options)
    options.add(
        "--method",
        choice("finetune", "probe", "auto"),
        "finetune",
        "probe: a logistic regression on features of the frozen network; auto: what is better in cross-validation",
    )
    options.add(
        "--backbone",
        backbone_name,
        DEFAULT_BACKBONE,
        "resnet50, which serving expects; efficientnet-lite0; with timm: convnext, efficientnet, dinov3, timm:NAME",
    )
    options.add("--folds", number(int, 2, 100), 5, "parts of the cross-validation inside the training images")
    # Not WEIGHTS: that is what test.py evaluates, and both get the same environment.
    options.add(
        "--weights", str, "imagenet", "what to start from: imagenet, none, or a .pth file", env="INITIAL_WEIGHTS"
    )
    options.add("--epochs", number(int, 1, 100_000), 60, "how often to go through the training images, at most")
    options.add("--patience", number(int, 1, 100_000), 15, "stop after so many epochs without a better macro-F1")
    options.add("--lr", number(float, 1e-8, 10), 3e-4, "learning rate at its highest")
    options.add("--warmup-epochs", number(int, 0, 1000), 3, "epochs in which the learning rate rises to that")
    options.add("--weight-decay", number(float, 0, 10), 0.05, "AdamW's weight decay")
    options.add(
        "--balance", choice("none", "loss", "sampler"), "loss", "how rare classes get the weight of common ones"
    )
    options.add(
        "--augment", choice("standard", "none"), "standard", "standard: flips, quarter turns, crops, brightness"
    )
    options.add("--validation", number(float, 0.01, 0.9), 0.2, "share of the training images to choose the epoch by")
    options.add(
        "--wanted-precision",
        number(float, 0.5, 1),
        0.95,
        "share of right answers that the threshold for “unknown” is chosen for",
    )
    options.add(
        "--label-check",
        choice("auto", "on", "off"),
        "auto",
        "looks for labels that are likely wrong, by the probe; auto: unless that takes more than ten minutes",
    )
    options.add("--image-size", number(int, 32, 4096), IMAGE_SIZE, "side of the network's input; serving expects 224")
    options.add(
        "--size-input",
        choice("none", "pixels", "um"),
        "none",
        "whether the network also gets the size of the picture, which serving knows nothing of; um needs um_per_pixel",
    )
    options.add("--seed", number(int, 0, 2**31 - 1), 1, "the same seed and data give the same split and training")
    options.add(
        "--compile", choice("true", "false"), "false", "whether PyTorch compiles the network: minutes, then faster"
    )
    options.add(
        "--resume",
        str,
        "auto",
        "auto: go on from CHECKPOINT_DIR when it fits; none: start from the beginning; or a checkpoint file",
    )
    options.add(
        "--checkpoint-dir", str, "", "where the checkpoint is kept until the end [default: OUTPUT_DIR/checkpoint]"
    )
    return options.parse(arguments)


def main() -> None:
    options = parse_options()
    stop = StopSignal()
    stop.install()
    if options.image_size != IMAGE_SIZE:
        warn(f"IMAGE_SIZE={options.image_size} breaks the contract: serving code prepares {IMAGE_SIZE} pixels.")
    if options.backbone != CONTRACT:
        warn(f"BACKBONE={options.backbone} breaks the contract: serving code knows only the {CONTRACT}.")
    if options.size_input != "none":
        warn(f"SIZE_INPUT={options.size_input} breaks the contract: serving code gives the network the image alone.")
    with process_group(options.device) as team:
        outcome = train(options, team, stop)
    if team.rank == 0:
        write_results(options, outcome)


def train(options: argparse.Namespace, team: Team, stop: StopSignal) -> Outcome:
    seed_everything(options.seed)
    if team.rank == 0:
        make_output_dir(options.output_dir)
    data: Data = team.share(read_data(options) if team.rank == 0 else None)
    if len(data.training) < 2 * team.size:
        raise UserError(f"{len(data.training)} training images are too few for {team.size} processes.")
    test: list[Example] = []
    if team.rank == 0:
        describe(options, team, data)
        test = checks.before_training(options, team, data)
    warnings = what_to_expect(options, data)
    for warning in warnings:
        warn(warning)
    # The others wait: it is a matter of seconds on a GPU.
    measured: Measured = team.share(measure_probe(options, team, data) if team.rank == 0 else None)
    chosen = choose(options, team, stop, data, measured) if options.method == "auto" else None
    method = chosen["method"] if chosen else options.method
    tuned = None
    if method == "finetune":
        tuned = fine_tune(options, team, stop, data, checkpoint_folder(options), options.output_dir)
    return Outcome(data, test, measured, tuned, chosen, warnings)


def describe(options: argparse.Namespace, team: Team, data: Data) -> None:
    training, validation = (Counter(example.label for example in part) for part in (data.training, data.validation))
    processor = torch.cuda.get_device_name(team.device) if team.device.type == "cuda" else "CPU"
    say(
        f"PyTorch {torch.__version__} on {team.size} × {processor}. {len(data.classes)} classes, {len(data.training)} "
        f"images to train with, {len(data.validation)} to choose the epoch by, seed {options.seed}."
    )
    width = max(len(name) for name in data.classes)
    for name in data.classes:
        say(f"  {name:{width}}  {training[name]:6} + {validation[name]}")
    few = [name for name in data.classes if training[name] < 10]
    if few:
        warn(f"Fewer than 10 images to train with, which is little to learn from: {names(few)}.")


if __name__ == "__main__":
    run_main(main)
