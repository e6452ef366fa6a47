"""How large the images are: in pixels, and in µm where the data set tells how wide a pixel is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common import Example, UserError, manifest_rows, names

SAMPLE = 200
"""Images of a class, from all over it; of each, the header alone is read."""


def sizes(folder: Path, examples: Sequence[Example], classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Long sides of each class: the 5th, 50th and 95th percentile."""
    scales = um_per_pixel(folder)
    paths: dict[str, list[str]] = {name: [] for name in classes}
    for example in examples:
        paths[example.label].append(example.path)
    return {name: size_of(folder, own, scales) for name, own in paths.items()}


def size_of(folder: Path, paths: Sequence[str], scales: dict[str, float]) -> dict[str, Any]:
    pixels, micrometres = [], []
    for path in paths[:: max(1, len(paths) // SAMPLE)]:
        try:
            with Image.open(folder / path) as image:
                side = max(image.size)
        except Exception:  # What can't be read has been named before.
            continue
        pixels.append(side)
        if path in scales:
            micrometres.append(side * scales[path])
    return {"pixels": percentiles(pixels), "um": percentiles(micrometres)}


def percentiles(values: Sequence[float]) -> list[float] | None:
    return [float(f"{value:.3g}") for value in np.percentile(values, (5, 50, 95))] if values else None


def in_unit(folder: Path, examples: list[Example], unit: str) -> list[Example]:
    """The images with their sizes in what SIZE_INPUT says; of a file, they are in pixels."""
    if unit != "um":
        return examples
    entries, scales = entries_of(folder), um_per_pixel(folder)
    lacking = [example.path for example in examples if example.path not in scales]
    unknown = [path for path in lacking if path not in entries]
    if unknown:
        raise UserError(
            "SIZE_INPUT=um needs to know by which entry of the file list each image came, and dataset.json and "
            f"manifest.csv in {folder} don't say it of {names(unknown)}. Take the data set as it was prepared, or "
            "SIZE_INPUT=pixels."
        )
    if lacking:
        raise UserError(
            "SIZE_INPUT=um needs um_per_pixel in all entries of the file list, and these have none: "
            f"{names(list({entry_name(entries[path]) for path in lacking}), 50)}. Add it to them and prepare the data "
            "set again, or take SIZE_INPUT=pixels."
        )
    return [
        replace(example, size=(example.size[0] * scales[example.path], example.size[1] * scales[example.path]))
        for example in examples
    ]


def entry_name(entry: dict[str, Any]) -> str:
    folder = f", folder “{entry['folder']}”" if entry["folder"] else ""
    return f"{entry['file_name']} (label “{entry['label']}”{folder})"


def um_per_pixel(data_dir: Path) -> dict[str, float]:
    """By the path in the data set, of the images whose entry in the file list tells it."""
    found = entries_of(data_dir).items()
    return {path: float(entry["um_per_pixel"]) for path, entry in found if "um_per_pixel" in entry}


def entries_of(data_dir: Path) -> dict[str, dict[str, Any]]:
    """By the path in the data set, the entry of the file list that an image came by; `dataset.json` has these."""
    try:
        entries: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for source in json.loads((data_dir / "dataset.json").read_bytes()).get("sources", []):
            entries.setdefault((source["file_name"], source["label"]), []).append(source)
        rows = manifest_rows(data_dir)
        found = ((row["path"], entry_of(row, entries[row["source_zip"], row["label"]])) for row in rows)
        return {path: entry for path, entry in found if entry is not None}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}  # The card is then without.


def entry_of(row: dict[str, str], entries: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The one that an image came by: of those with its zip and label, the one whose folder is nearest."""
    own = [one for one in entries if not one["folder"] or row["source_path"].startswith(f"{one['folder']}/")]
    return max(own, key=lambda entry: len(entry["folder"]), default=None)


def size_columns(known: dict[str, dict[str, Any]], names: Sequence[str]) -> dict[str, list[str]]:
    """For a table of classes: heads with a cell for each class; none in micrometres where no class has any."""
    columns = {
        f"Long side, {title}": [text(known.get(name, {}).get(key)) for name in names]
        for title, key in (("pixels", "pixels"), ("µm", "um"))
    }
    return {head: cells for head, cells in columns.items() if any(cell != "–" for cell in cells)}


def text(three: Sequence[float] | None) -> str:
    return "–" if three is None else "{1:g} ({0:g} – {2:g})".format(*three)
