"""
The page with labels to look at again. It stands alone: no network, no script, pictures embedded, and some 3 MB at most
whatever the data set holds. test.py adds the worst errors of the test to it.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from common import Example, load_image, write_text
from confident_learning import Findings

FILE = "label-issues.html"

# Embedding makes pictures a third larger.
SUSPECT_BYTES, PAIR_BYTES, ERROR_BYTES = 1_200_000, 500_000, 300_000
SUSPECTS, PAIRS, TYPICAL, CLASSES = 100, 6, 4, 20

SIDE = 160
"""Pixels of a picture's long side."""

START, END = "<!-- worst errors -->", "<!-- worst errors end -->"


@dataclass(frozen=True)
class Shown:
    """What the page is made of."""

    folder: Path
    classes: list[str]
    examples: list[Example]
    targets: np.ndarray
    answers: np.ndarray
    """Numbers of the classes that the images look like most, to a probe that has not learned from them."""
    found: Findings
    sources: dict[str, tuple[str, str]]
    """Zip and path in it, by the path in the data set."""

    def place(self, index: int) -> str:
        """Where an image is, to read and to click on."""
        return place(self.examples[index].path, self.sources)


@dataclass(frozen=True)
class WorstError:
    path: str
    label: str
    answer: str
    confidence: float
    image: Image.Image
    heated: Image.Image | None
    """With what speaks for the answer in red."""


class Pictures:
    """Small pictures as what an `img` shows, as long as there is room for them."""

    def __init__(self, room: int) -> None:
        self.room = room

    def element(self, make: Callable[[], Image.Image], text: str) -> str:
        try:
            image = make()
            image.thumbnail((SIDE, SIDE))
            content = io.BytesIO()
            image.save(content, "JPEG", quality=85)
        except Exception as error:  # Pillow's decoders raise almost anything on broken files.
            return f'<p class="none">can’t be shown: {escape(type(error).__name__)}</p>'
        if len(content.getvalue()) > self.room:
            return '<p class="none">no room for its picture</p>'
        self.room -= len(content.getvalue())
        source = base64.b64encode(content.getvalue()).decode()
        return f'<img alt="{escape(text)}" src="data:image/jpeg;base64,{source}">'


def page(shown: Shown) -> str:
    found = shown.found
    suspected = int(found.suspected.sum())
    figures = (("Images", len(shown.examples)), ("Judged", int(found.judged.sum())), ("To look at", suspected))
    return f"""<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Labels to look at again</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Labels to look at again</h1>
<p class="lead">Each image of the data set, in train and test, was classified by a probe that had not learned from it
or from another of its group. Where that is surer of another class than it usually is of that class’s own images, the
label may be wrong: a person has to decide. An image that is rare or hard is suspected, too, and a mistake in many
labels of a kind can be learned and go unseen.</p>
<dl>{"".join(f"<div><dt>{name}</dt><dd>{value:,}</dd></div>" for name, value in figures)}</dl>
{not_judged(shown)}<p class="soft">A click on a zip’s name selects it and the path in it, to be copied. The file names
are links that work where this page lies in the unpacked data set, beside <code>train</code> and <code>test</code>.</p>
<h2>Likeliest mistakes</h2>
{suspects(shown)}
{class_table(shown)}
<h2>Most confused pairs</h2>
{"".join(pairs(shown)) or "<p>No two classes were confused.</p>"}
{START}
{END}
</main>
</body>
</html>
"""


def not_judged(shown: Shown) -> str:
    small = Counter(shown.examples[index].label for index in np.flatnonzero(~shown.found.judged))
    if not small:
        return ""
    named = ", ".join(f"<bdi>{escape(name)}</bdi>" for name in sorted(small)[:CLASSES])
    more = f" and {len(small) - CLASSES:,} more" if len(small) > CLASSES else ""
    return (
        f"<p>Not judged: {small.total():,} image(s) of classes that have too few others to learn from: {named}{more}."
        "</p>\n"
    )


def suspects(shown: Shown) -> str:
    found, pictures = shown.found, Pictures(SUSPECT_BYTES)
    indexes = [int(index) for index in found.order if found.suspected[index]]
    if not indexes:
        return "<p>None: no image looks more like another class.</p>"
    cards = []
    for index in indexes[:SUSPECTS]:
        example = shown.examples[index]
        other = shown.classes[found.likelier[index]]
        picture = pictures.element(lambda example=example: load_image(shown.folder / example.path), example.label)
        cards.append(
            f"<li>{picture}<p>label <b><bdi>{escape(example.label)}</bdi></b> "
            f"({percent(found.self_confidence[index])} sure)</p><p>looks like <b><bdi>{escape(other)}</bdi></b></p>"
            f"{shown.place(index)}</li>\n"
        )
    more = len(indexes) - len(cards)
    rest = f"<p>{more:,} more are in <code>label-issues.csv</code>.</p>\n" if more else ""
    return f'<ul class="cards">\n{"".join(cards)}</ul>\n{rest}'


def class_table(shown: Shown) -> str:
    """Where the mistakes are, when there are many."""
    wrong = Counter(shown.targets[shown.found.suspected].tolist())
    if not wrong:
        return ""
    total = Counter(shown.targets.tolist())
    rows = "".join(
        f'<tr><th scope="row"><bdi>{escape(shown.classes[number])}</bdi></th><td>{total[number]:,}</td>'
        f"<td>{count:,}</td></tr>\n"
        for number, count in wrong.most_common(CLASSES)
    )
    more = f"<p>The {CLASSES} classes with most of them, of {len(wrong):,}.</p>\n" if len(wrong) > CLASSES else ""
    return (
        '<h2>By class</h2>\n<table>\n<thead><tr><th scope="col">Label</th><th scope="col">Images</th>'
        f'<th scope="col">To look at</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n{more}'
    )


def pairs(shown: Shown) -> Iterator[str]:
    """Of two classes that are taken for each other, images that are surely of the one and of the other."""
    judged, pictures = shown.found.judged, Pictures(PAIR_BYTES)
    taken = Counter(zip(shown.targets[judged].tolist(), shown.answers[judged].tolist()))
    both: Counter[tuple[int, int]] = Counter()
    for (label, answer), count in taken.items():
        if label != answer:
            both[min(label, answer), max(label, answer)] += count
    for pair, _ in sorted(both.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]:
        sides = []
        for label, other in (pair, pair[::-1]):
            name = f"<bdi>{escape(shown.classes[label])}</bdi>"
            images = "".join(
                f"<li>{picture}</li>"
                for picture in (
                    pictures.element(
                        lambda path=shown.folder / shown.examples[index].path: load_image(path), shown.classes[label]
                    )
                    for index in typical(shown, label)
                )
            )
            count = int((shown.targets[judged] == label).sum())
            sides.append(
                f"<div><h3>{name}</h3><p>{taken[label, other]:,} of {count:,} taken for "
                f'<bdi>{escape(shown.classes[other])}</bdi></p><ul class="cards">{images}</ul></div>\n'
            )
        yield f'<div class="pair">\n{"".join(sides)}</div>\n'


def typical(shown: Shown, label: int) -> list[int]:
    """The images of a class that are surest to be of it."""
    own = np.flatnonzero((shown.targets == label) & (shown.answers == label))
    return own[np.argsort(-shown.found.self_confidence[own], kind="stable")][:TYPICAL].tolist()


def add_errors(file: Path, errors: Sequence[WorstError], why_no_maps: str, sources: dict[str, tuple[str, str]]) -> None:
    """Writes the worst errors of the test into the page, in place of earlier ones."""
    text = file.read_text(encoding="utf-8")
    before, start, rest = text.partition(f"{START}\n")
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"{file} has no place for the errors of the test")
    write_text(file, f"{before}{start}{errors_section(errors, why_no_maps, sources)}{end}{after}")


def errors_section(errors: Sequence[WorstError], why_no_maps: str, sources: dict[str, tuple[str, str]]) -> str:
    pictures = Pictures(ERROR_BYTES)
    cards = []
    for error in errors:
        shown = pictures.element(error.image.copy, error.label)
        heated = error.heated
        if heated is not None:
            shown += pictures.element(heated.copy, f"what speaks for {error.answer}")
        cards.append(
            f'<li class="wide"><div class="two">{shown}</div><p>label <b><bdi>{escape(error.label)}</bdi></b></p>'
            f"<p>the model says <b><bdi>{escape(error.answer)}</bdi></b> ({percent(error.confidence)})</p>"
            f"{place(error.path, sources)}</li>\n"
        )
    note = why_no_maps or (
        "Red is where the model has seen the class that it names (Grad-CAM). Red on a scale bar, a bubble or the "
        "edge means that it has learned the wrong thing."
    )
    body = f'<p>{escape(note)}</p>\n<ul class="cards">\n{"".join(cards)}</ul>' if cards else "<p>None is wrong.</p>"
    return f"<h2>Test images that the model is surest about, and wrong</h2>\n{body}\n"


def place(path: str, sources: dict[str, tuple[str, str]]) -> str:
    zip_name, inside = sources.get(path, ("", ""))
    # In the zip, or where no manifest tells that, in the data set.
    where = f"{zip_name} › {inside}" if zip_name else path
    name = path.rsplit("/", 1)[-1]
    return (
        f'<p class="place"><a href="{escape(quote(path))}"><bdi>{escape(name)}</bdi></a> '
        f'({escape(path.split("/", 1)[0])})<bdi class="whole">{escape(where)}</bdi></p>'
    )


def percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "under 1 %"


STYLE = """
:root {
  color-scheme: light dark;
  --page: #faf8f4; --card: #ffffff; --ink: #1f2421; --soft: #5c655f; --line: #e3ded3; --plate: #efece4;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #131816; --card: #1b221f; --ink: #e8ece8; --soft: #a0aca5; --line: #2e3834; --plate: #252e2a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .3rem 0 .8rem; max-width: 48rem; }
.lead, .soft, dt, thead th { color: var(--soft); }
.lead { font-size: 1.05rem; }
a { color: inherit; text-underline-offset: .2em; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.2rem 0; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: .6rem 1.2rem; }
dd { margin: 0; font-size: 1.6rem; font-weight: 650; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem; list-style: none; }
.cards { margin: 0; padding: 0; }
.cards li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
.cards p { margin: .3rem .6rem; font-size: .8rem; line-height: 1.35; overflow-wrap: anywhere; }
.cards img { display: block; width: 100%; height: 8rem; object-fit: contain; background: var(--plate); padding: .4rem; }
.cards .none { height: 8rem; margin: 0; padding: .6rem; background: var(--plate); color: var(--soft); }
.cards .place { color: var(--soft); font-size: .72rem; }
.whole { display: block; user-select: all; -webkit-user-select: all; cursor: copy; margin-top: .2rem; }
.wide { grid-column: span 2; }
.two { display: grid; grid-template-columns: 1fr 1fr; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.25rem; margin: 0 0 1.5rem; }
.pair .cards { grid-template-columns: 1fr 1fr; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .35rem 1.5rem .35rem 0; border-top: 1px solid var(--line); }
th { font-weight: 500; overflow-wrap: anywhere; }
td { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) { .pair { grid-template-columns: 1fr; } .wide { grid-column: auto; } }
"""
