"""MODEL_CARD.md: what the model is, what it learned from, how good it is. For people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import IMAGE_SIZE, write_text

START, END = "<!-- evaluation:start -->", "<!-- evaluation:end -->"


def training_card(facts: dict[str, Any], notes: Sequence[str]) -> str:
    """The card as train.py writes it, with a place for the evaluation."""
    best, options = facts["best"], facts["options"]
    classes = facts["classes"]
    return f"""# Model card

ResNet50 that tells {len(classes)} classes of microscope images apart.

## Evaluation

{START}
Not evaluated yet: run test.py.
{END}

## Training

Epoch {best["epoch"]:g} of {facts["epochs_trained"]} was chosen by its macro-F1 on {total(classes, "validation")} images
that were held back from training: {best["validation_macro_f1"]:.3f}, with an accuracy of
{best["validation_accuracy"]:.3f}. These figures are optimistic, because the epoch was chosen by them: what counts is
the evaluation above.

![Learning curve](learning_curve.png)

{table(("Class", "Trained with", "To choose the epoch by"), [(name, *item.values()) for name, item in classes.items()])}

{dataset_text(facts["dataset"])}{unreadable_text(facts["unreadable_images"])}

{table(("Option", "Value"), [(name.upper(), value) for name, value in options.items()])}

{settings_text(facts)}{table(("Software", "Version"), [(name, version) for name, version in facts["software"].items() if version])}

## Use

{contract_text(facts["image_size"])}

- `model.pth`: a plain PyTorch `state_dict` on the CPU, of torchvision's `resnet50` with `fc` = Dropout(0.5),
  Linear(2048, 512), ReLU, Dropout(0.3), Linear(512, {len(classes)}). Read it with
  `torch.load("model.pth", weights_only=True)`.
- `classes.json`: the classes in the order of the outputs, which is alphabetical (by code point).
- `training-images.csv`: the SHA-256 of every image that training or the choice of the epoch has seen, and its group
  (specimen, slide or sample) where the data set names any. Test it on none of these.
{"".join(f"- {note}{chr(10)}" for note in notes)}
## Limits

The network always answers with one of its classes, also for what it has never seen. Images from another microscope,
camera, preparation or site can give much worse results than the evaluation says. The confidence intervals tell what
chance in the choice of the test images does, no more; of few images they are too narrow. The network sees the shape,
not the size: images are scaled to the same long side.
"""


def contract_text(size: int) -> str:
    note = "" if size == IMAGE_SIZE else f"\n**Not {IMAGE_SIZE}: serving code of the usual contract does not fit.**"
    return (
        f"An image becomes RGB, its long side is scaled to {size} pixels (bilinear), the rest of the square is filled\n"
        f"by repeating its edges, and it is normalised with ImageNet's mean and standard deviation.{note}"
    )


def dataset_text(dataset: dict[str, Any] | None) -> str:
    if dataset is None:
        return "The data set has no `dataset.json` that would tell where it comes from."
    sources = [(item["file_name"], item["label"], item["sha256"]) for item in dataset["sources"]]
    return (
        f"Data set: seed `{dataset['seed']}`, SHA-256 of its `dataset.json` `{dataset['dataset_json_sha256']}`, "
        f"of its `manifest.csv` `{dataset['manifest_sha256']}`.\n\n{table(('Source', 'Class', 'SHA-256'), sources)}"
    )


def settings_text(facts: dict[str, Any]) -> str:
    commit = facts.get("settings_commit")
    return f"The options stand in the repository's settings, as of its commit {code(commit)}.\n\n" if commit else ""


def unreadable_text(unreadable: Sequence[str]) -> str:
    if not unreadable:
        return ""
    listed = "".join(f"- {code(name)}\n" for name in unreadable)
    return f"\n\nLeft out, because they can't be read as images:\n\n{listed}"


def add_evaluation(card: Path, metrics: dict[str, Any]) -> None:
    """Writes the evaluation into the card, in place of an earlier one; into a new file when there is no card."""
    text = card.read_text(encoding="utf-8") if card.is_file() else f"# Model card\n\n## Evaluation\n\n{START}\n{END}\n"
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        before, after = f"{text.rstrip()}\n\n## Evaluation\n\n", "\n"
    write_text(card, f"{before}{START}\n{evaluation_text(metrics)}\n{END}{after}")


def evaluation_text(metrics: dict[str, Any]) -> str:
    interval = metrics["confidence_interval"]
    rows = [
        (label, f"{metrics[key]:.3f}", "{:.3f} – {:.3f}".format(*interval[key]))
        for label, key in (("Accuracy", "accuracy"), ("Macro-F1", "macro_f1"))
    ]
    classes = [
        (
            name,
            *(f"{decimal(values[key])}{span(values[f'{key}_ci'])}" for key in ("precision", "recall")),
            decimal(values["f1"]),
            values["support"],
        )
        for name, values in metrics["per_class"].items()
    ]
    remarks = [
        f"{len(metrics['unreadable_images'])} test images can't be read and are left out: "
        f"{', '.join(code(name) for name in metrics['unreadable_images'])}."
        if metrics["unreadable_images"]
        else "",
        f"**{metrics['images_seen_in_training']} test images were seen in training: the figures are too good.**"
        if metrics["images_seen_in_training"]
        else "",
    ]
    return "\n".join(
        (
            f"On {metrics['images']} test images; weights with the SHA-256 `{metrics['model']['sha256']}`.",
            *(f"\n{remark}" for remark in remarks if remark),
            "",
            table(("", "Value", f"{interval['level']:.0%} confidence interval"), rows),
            "",
            table(("Class", "Precision", "Recall", "F1", "Test images"), classes),
            "",
            "![Confusion matrix](confusion_matrix.png)",
            "",
            "![Most confident wrong predictions](worst_errors.png)",
        )
    )


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines)


def cell(value: Any) -> str:
    return (
        str(value)
        .replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("_", "\\_")
        .replace("*", "\\*")
        .replace("<", "&lt;")
    )


def code(text: str) -> str:
    return f"`{text.replace('`', '´')}`"


def decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def span(interval: Sequence[float] | None) -> str:
    return "" if interval is None else " ({:.2f} – {:.2f})".format(*interval)


def total(classes: dict[str, dict[str, int]], part: str) -> int:
    return sum(counts[part] for counts in classes.values())
