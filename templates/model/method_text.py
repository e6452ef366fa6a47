"""What the model card says about how the model came to be: method, network, licence, baseline, warnings."""

from __future__ import annotations

from typing import Any

from size_input import UNITS


def network_title(facts: dict[str, Any]) -> str:
    network = facts["network"]["backbone"]
    name = "ResNet50" if network == "resnet50" else network
    return name if facts["method"] == "finetune" else f"Logistic regression on features of a frozen {name}"


def warnings_text(facts: dict[str, Any]) -> str:
    return "".join(f"**{warning}**\n\n" for warning in facts["warnings"])


def method_text(facts: dict[str, Any], held_back: int) -> str:
    """How the model was chosen, and what cross-validation inside the training images says about it."""
    parts = [probe_text(facts), auto_text(facts), network_text(facts)]
    if facts["method"] == "finetune":
        best = facts["best"]
        parts.insert(
            0,
            f"Epoch {best['epoch']:g} of {facts['epochs_trained']} was chosen by its macro-F1 on {held_back} images\n"
            f"that were held back from training: {best['validation_macro_f1']:.3f}, with an accuracy of\n"
            f"{best['validation_accuracy']:.3f}. These figures are optimistic, because the epoch was chosen by them:\n"
            "what counts is the evaluation above.\n\n![Learning curve](learning_curve.png)",
        )
    return "\n\n".join(part for part in parts if part)


def probe_text(facts: dict[str, Any]) -> str:
    probe = facts["probe"]
    title = "The model is a probe" if facts["method"] == "probe" else "The baseline is a probe"
    folds = len(probe["folds"])
    return (
        f"{title}: a multinomial logistic regression on features of a frozen {described(probe['network'])}.\n"
        f"In cross-validation inside the training images it has a {figures(probe)}, mean\n"
        f"and standard deviation over {folds} folds, which keep identical images and groups together. The penalty of\n"
        "the weights was chosen inside the images that each of them learned from, and is "
        f"{probe['penalty']:.2g} for the last."
    )


def auto_text(facts: dict[str, Any]) -> str:
    auto = facts["auto"]
    if not auto:
        return ""
    winner = "the probe" if auto["method"] == "probe" else "fine-tuning"
    return f"On the same folds, fine-tuning has a {figures(auto)}: `METHOD=auto` took {winner}."


def network_text(facts: dict[str, Any]) -> str:
    network = facts["network"]
    text = f"Network: {described(network)}."
    if network["licence"]:
        text += f" Licence of the weights that it started from: {network['licence']}."
    if not network["serving_contract"]:
        why = "that gives a network the image alone" if facts.get("size_input") else "that knows only the ResNet50"
        text += f"\n**The serving code of the usual contract can't load it: {why}.**"
    return text


def size_text(facts: dict[str, Any]) -> str:
    """What a model takes besides the image."""
    size = facts.get("size_input")
    if not size:
        return ""
    unit = UNITS[size["unit"]]
    long, short = size["mean"]
    return (
        "\n\nThe network also gets the **size** of the image as it is in its file, before anything is scaled: width\n"
        f"and height in {unit} (`SIZE_INPUT={size['unit']}`). It goes by the logarithms of long and short side, whose\n"
        f"means in training stand for {long:g} × {short:g} {unit}. In `model.onnx` that is the input `size` (n × 2);\n"
        "logarithm and standardisation are inside."
    )


def described(network: dict[str, Any]) -> str:
    origin = "random weights" if network["weights"] == "none" else f"weights: {network['weights']}"
    return f"{network['backbone']} ({origin})"


def figures(summary: dict[str, Any]) -> str:
    return " and an ".join(
        f"{title} of {summary[name]['mean']:.3f} ± {summary[name]['deviation']:.3f}"
        for name, title in (("macro_f1", "macro-F1"), ("accuracy", "accuracy"))
    )


def weights_text(facts: dict[str, Any]) -> str:
    """The line about model.pth."""
    count, network = len(facts["classes"]), facts["network"]
    if network["serving_contract"]:
        what = (
            "of torchvision's `resnet50` with `fc` = Dropout(0.5),\n"
            f"  Linear(2048, 512), ReLU, Dropout(0.3), Linear(512, {count})"
        )
    else:
        build = f'backbones.build("{network["backbone"]}", {count}, {facts["image_size"]})'
        what = f"of the template's `{f'Sized({build}, {count})' if facts.get('size_input') else build}`"
    read = '`torch.load("model.pth", weights_only=True)`'
    return f"- `model.pth`: a plain PyTorch `state_dict` on the CPU, {what}. Read it with\n  {read}."
