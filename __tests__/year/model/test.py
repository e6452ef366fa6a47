"""Takes each test picture for the class whose mean is nearest; writes metrics.json and predictions.csv."""

import csv
import hashlib
import json
import os
import random
from pathlib import Path

import pictures

weights = Path(os.environ["WEIGHTS"])
means = json.loads(weights.read_text())["means"]
classes = json.loads(weights.with_name("classes.json").read_text())


def predict(pixels: list[int]) -> str:
    return min(classes, key=lambda label: sum((a - b) ** 2 for a, b in zip(means[label], pixels)))


def score(answers: list[tuple[str, str]]) -> tuple[float, float, dict]:
    """Accuracy, macro-F1 and the figures of each class, of pairs of true and predicted class."""
    per_class = {}
    for label in classes:
        support = sum(true == label for true, _ in answers)
        predicted = sum(guess == label for _, guess in answers)
        right = sum(true == guess == label for true, guess in answers)
        figures = {"precision": right / max(predicted, 1), "recall": right / max(support, 1)}
        figures["f1"] = 2 * right / max(predicted + support, 1)
        per_class[label] = {**(figures if support else dict.fromkeys(figures)), "support": support}
    f1 = [figures["f1"] for figures in per_class.values() if figures["support"]]
    return sum(true == guess for true, guess in answers) / len(answers), sum(f1) / len(f1), per_class


def intervals(answers: list[tuple[str, str]]) -> tuple[list[float], list[float]]:
    """95 % of what 500 samples of the answers score."""
    generator = random.Random(1)
    samples = [score(generator.choices(answers, k=len(answers)))[:2] for _ in range(500)]
    return tuple([sorted(values)[12], sorted(values)[487]] for values in zip(*samples))


paths = [(label, path) for label in pictures.labels("test") for path in pictures.files("test", label)]
answers = [(label, predict(pictures.read_pixels(path))) for label, path in paths]
accuracy, macro_f1, per_class = score(answers)
accuracy_ci, macro_f1_ci = intervals(answers)
metrics = {
    "format": 1,
    "images": len(answers),
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "confidence_interval": {
        "level": 0.95,
        "method": "percentile bootstrap",
        "samples": 500,
        "seed": 1,
        "accuracy": accuracy_ci,
        "macro_f1": macro_f1_ci,
    },
    "classes": classes,
    "per_class": per_class,
    "confusion_matrix": [[answers.count((true, guess)) for guess in classes] for true in classes],
    "model": {"file": weights.name, "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()},
}
output = Path(os.environ["OUTPUT_DIR"])
(output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
with open(output / "predictions.csv", "w", newline="") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["path", "sha256", "label", "predicted", "correct"])
    for (_, path), (true, guess) in zip(paths, answers):
        name = path.relative_to(os.environ["DATA_DIR"]).as_posix()
        table.writerow([name, hashlib.sha256(path.read_bytes()).hexdigest(), true, guess, str(true == guess).lower()])
print(f"Accuracy {accuracy:.3f} on {len(answers)} images.")
