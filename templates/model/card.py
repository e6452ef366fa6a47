"""MODEL_CARD.md: what the model is, what it learned from, how good it is. For people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import IMAGE_SIZE, write_text
from effort import effort_text, sizes_text
from method_text import method_text, network_title, size_text, warnings_text, weights_text
from sizes import size_columns

START, END = "<!-- evaluation:start -->", "<!-- evaluation:end -->"


def training_card(facts: dict[str, Any], notes: Sequence[str]) -> str:
    """The card as train.py writes it, with a place for the evaluation."""
    classes, options = facts["classes"], facts["options"]
    return f"""# Model card

{network_title(facts)} that tells {len(classes)} classes of microscope images apart.

{warnings_text(facts)}## Evaluation

{START}
Not evaluated yet: run test.py.
{END}

## Training

{method_text(facts, total(classes, "validation"))}

{classes_table(facts)}

{dataset_text(facts["dataset"])}{unreadable_text(facts["unreadable_images"])}

{table(("Option", "Value"), [(name.upper(), value) for name, value in options.items()])}

{settings_text(facts)}{table(("Software", "Version"), software_rows(facts))}

## Hardware, time and energy

{effort_text(facts)}

## Intended use

To sort microscope images of the kind that it learned from into the classes above, with a person who looks at samples of
the result. {out_of_scope(facts)}

## Use

{contract_text(facts["image_size"])}{size_text(facts)}

{weights_text(facts)}
- `predict.py`: classifies pictures on any computer: `pip install numpy onnxruntime pillow`, then
  `python predict.py my-pictures`. `predict.html` does it in a browser, from the disk or any
  web server, where there is a `model.onnx`.
- `calibration.json`: the temperature of the probabilities, and below which one an answer is unknown.
- `classes.json`: the classes in the order of the outputs, which is alphabetical (by code point).
- `training-images.csv`: the SHA-256 of every image that training or the choice of the epoch has seen, and its group
  (specimen, slide or sample) where the data set names any. Test it on none of these.
{"".join(f"- {note}{chr(10)}" for note in notes)}
## Limits

The network always answers with one of its classes, also for what it has never seen. Images from another microscope,
camera, preparation or site can give much worse results than the evaluation says. The confidence intervals tell what
chance in the choice of the test images does, no more; of few images they are too narrow. {limit_text(facts)}
"""


def limit_text(facts: dict[str, Any]) -> str:
    if not facts.get("size_input"):
        return "The network sees the shape,\nnot the size: images are scaled to the same long side."
    return (
        "The network goes by the\nsize of the image, too: what is cut out more closely or more widely than in training "
        "has another size to it."
    )


def classes_table(facts: dict[str, Any]) -> str:
    classes = facts["classes"]
    columns = size_columns(facts.get("sizes", {}), list(classes))
    rows = zip(classes, *zip(*(item.values() for item in classes.values())), *columns.values())
    text = table(("Class", "Trained with", "To choose the epoch by", *columns), list(rows))
    note = "The long side of the images: the middle one and, in brackets, from where to where nine in ten are."
    return f"{text}\n\n{note}" if columns else text


def software_rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, version) for name, version in facts["software"].items() if version]


def out_of_scope(facts: dict[str, Any]) -> str:
    return (
        "It is not meant for images of another microscope, preparation or region without a test of its own, for\n"
        "classes that it has not learned (it names one of its own anyway), or for decisions without checks.\n\n"
        f"{sizes_text(facts)}"
    ).rstrip()


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
    baseline = metrics["baseline"]
    if baseline:
        interval_of = "{:.3f} – {:.3f}".format(*baseline["accuracy_ci"])
        rows.append(("Accuracy of the probe", f"{baseline['accuracy']:.3f}", interval_of))
        rows.append(("Macro-F1 of the probe", f"{baseline['macro_f1']:.3f}", ""))
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
        f"{metrics['images_not_rgb']} test images are not RGB. They are in the figures, converted; the group's serving "
        "code fails on such images."
        if metrics["images_not_rgb"]
        else "",
        f"**{metrics['images_seen_in_training']} test images were seen in training: the figures are too good.**"
        if metrics["images_seen_in_training"]
        else "",
        baseline_remark(baseline),
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
            *calibration_text(metrics),
            "![Confusion matrix](confusion_matrix.png)",
            "",
            "![Most confident wrong predictions](worst_errors.png)",
        )
    )


def baseline_remark(baseline: dict[str, Any] | None) -> str:
    if baseline is None:
        return ""
    return str(baseline["sentence"]) if baseline["beaten"] else f"**{baseline['sentence']}**"


def calibration_text(metrics: dict[str, Any]) -> list[str]:
    """How sure the model may be, and how its counts have to be read; lines of the card."""
    known, counted = metrics["calibration"], metrics["counts"]
    by = "in cross-validation" if metrics["method"] == "probe" else "on the validation images"
    rows = [
        (
            f"{row['threshold']:g}",
            f"{row['coverage']:.0%}",
            "–" if row["precision"] is None else f"{row['precision']:.0%}",
        )
        for row in known["risk_coverage"]
    ]
    classes = [
        (
            name,
            item["true"],
            item["predicted"],
            "–" if item["bias"] is None else f"{item['bias']:+.0%}",
            item["corrected"],
        )
        for name, item in counted["per_class"].items()
    ]
    return [
        "### How sure it is",
        "",
        f"Probabilities are given with the temperature {known['temperature']:.3g}, found {by}. On "
        f"the test images it changes the expected calibration error from {known['ece_before']:.3f} to "
        f"{known['ece_after']:.3f} and the negative log-likelihood from {known['nll_before']:.3f} to "
        f"{known['nll_after']:.3f}.",
        "",
        unknown_text(known),
        "",
        table(("Answers at least so probable", "Share of all test images", "Of these right"), rows),
        "",
        "![Right answers by share of answers](risk_coverage.png)",
        "",
        "### Counts",
        "",
        f"Of the test images, {counted['error']:.1%} would have to change class for the model's counts to be right, "
        f"{counted['error_corrected']:.1%} after they are corrected for its usual mix-ups. `predict.py` gives both.",
        "",
        table(("Class", "Images", "Counted", "Bias", "Corrected"), classes),
        "",
    ]


def unknown_text(known: dict[str, Any]) -> str:
    if known["wanted_precision"] is None:
        return "No threshold is known below which an answer should be called unknown."
    if known["threshold"] is None:
        return (
            f"However sure the model is, less than {known['wanted_precision']:.0%} of its answers were right on the "
            "validation images: `predict.py` calls every answer `unknown`."
        )
    answered, right = known["answered"], known["answered_right"]
    share = f", and {right / answered:.0%} of these answers are right{span(known['precision_ci'])}" if answered else ""
    return (
        f"What is less probable than {known['threshold']:.4g} is `unknown` in `predict.py`: chosen on the validation "
        f"images so that {known['wanted_precision']:.0%} of the other answers are right. On {answered} test images "
        f"it has an answer{share}."
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
