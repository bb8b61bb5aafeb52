"""Showing a prediction: as JSON for programs, as a table for people, as a picture for both."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cfvqa.errors import InputError
from cfvqa.evaluation.pictures import draw_regions
from cfvqa.files import whole
from cfvqa.sharing.answers import FindingSeen, Place, Prediction
from cfvqa.sources.image_files import read_image
from cfvqa.vocabulary.findings import label_text as finding_text
from cfvqa.vocabulary.regions import REGION_INDEX
from cfvqa.vocabulary.regions import label_text as region_text

_ROWS = 5  # findings and regions that a person is shown
_PAPER, _INK, _FAINT = (18, 18, 22), (240, 240, 240), (150, 156, 166)
_MARGIN, _HEAD, _GAP, _LINE = 20, 32, 6, 22  # pixels around the parts, of the label above, and the lines below an image
_CAUTION = "Research software, no medical device."


def as_json(prediction: Prediction) -> str:
    """Return a prediction as one JSON object, with all findings and regions."""
    return json.dumps(asdict(prediction), indent=2, allow_nan=False)


def show(prediction: Prediction, console: Console) -> None:
    """Print the answer, the findings that stand out, and the regions that were attended to most."""
    head = Table(box=None, show_header=False, pad_edge=False)
    head.add_row("question", Text(prediction.question))
    head.add_row("answer", Text(prediction.answer or "(no words)", style="bold"))
    head.add_row("score", f"{prediction.score:.3f}")
    console.print(head, highlight=False)
    console.print(_finding_table(prediction), highlight=False)
    if prediction.regions[0].attention is not None:
        console.print(_region_table(prediction), highlight=False)


def striking(findings: list[FindingSeen]) -> list[FindingSeen]:
    """Return the most probable findings of each image and those that differ most, in the order given."""
    chosen = set()
    for measure in (_of_main, _of_reference, _of_difference):
        chosen |= {seen.finding for seen in sorted(findings, key=measure, reverse=True)[:_ROWS]}
    return [seen for seen in findings if seen.finding in chosen]


def _of_main(seen: FindingSeen) -> float:
    return seen.main.probability


def _of_reference(seen: FindingSeen) -> float:
    return seen.main.probability if seen.reference is None else seen.reference.probability


def _of_difference(seen: FindingSeen) -> float:
    return _of_main(seen) if seen.difference is None else abs(seen.difference)


def _finding_table(prediction: Prediction) -> Table:
    """Return the findings that stand out, each with the region of the image where it is most likely."""
    table = Table("findings", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("main",) if prediction.reference is None else ("main", "reference", "difference"):
        table.add_column(name, justify="right")
    table.add_column("most likely in")
    for seen in striking(prediction.findings):
        cells, where = [f"{seen.main.probability:.2f}"], seen.main
        if seen.reference is not None:
            cells += [f"{seen.reference.probability:.2f}", f"{seen.difference:+.2f}"]
            where = max(seen.main, seen.reference, key=lambda likelihood: likelihood.probability)
        table.add_row(finding_text(seen.finding), *cells, region_text(where.region))
    return table


def _region_table(prediction: Prediction) -> Table:
    """Return the most attended regions with their shares of all attention, in each image."""
    images = ("main",) if prediction.reference is None else ("main", "reference")
    table = Table("regions by attention", *images, box=box.SIMPLE_HEAD, pad_edge=False)
    for region in prediction.regions[:_ROWS]:
        places = (region.main, region.reference)[: len(images)]
        table.add_row(region_text(region.region), *(f"{place.attention:.3f}" for place in places))
    return table


def picture(prediction: Prediction, *, side: int = 640) -> Image.Image:
    """Draw the images with their regions and the attention, the reference at the left, and the words below.

    Args:
        prediction: what is shown.
        side: of the square that an image is fitted into, in pixels.
    """
    main, reference = _places(prediction)
    heaviest = max(place.attention or 0.0 for place in main + reference)
    panels = [_panel("main image", prediction.main, main, side, heaviest)]
    if prediction.reference is not None:
        panels.insert(0, _panel("reference image", prediction.reference, reference, side, heaviest))
    width = _MARGIN + sum(panel.width + _MARGIN for panel in panels)
    words = _words(prediction, width - 2 * _MARGIN)
    height = max(panel.height for panel in panels)
    page = Image.new("RGB", (width, height + words.height + 3 * _MARGIN), _PAPER)
    for number, panel in enumerate(panels):
        page.paste(panel, (_MARGIN + number * (side + _MARGIN), _MARGIN))
    page.paste(words, (_MARGIN, height + 2 * _MARGIN))
    return page


def write_picture(prediction: Prediction, path: Path) -> None:
    """Write the picture, whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    page, form = picture(prediction), Image.registered_extensions()[path.suffix.lower()]
    try:
        with whole(path) as temporary:
            page.save(temporary, format=form, quality=92)
    except OSError as error:
        raise InputError(f"output_image: cannot write {path} ({error.strerror}): give another file") from error


def _places(prediction: Prediction) -> tuple[list[Place], list[Place]]:
    """Return where the regions are in main and reference image, in the order of the vocabulary."""
    ordered = sorted(prediction.regions, key=lambda seen: REGION_INDEX[seen.region])
    return [seen.main for seen in ordered], [seen.reference for seen in ordered if seen.reference is not None]


def _panel(label: str, file: str, places: list[Place], side: int, heaviest: float) -> Image.Image:
    """Draw an image, fitted into a square of `side` pixels, below its label and above its legend."""
    boxes = np.array([place.box for place in places])
    weight = None if places[0].attention is None else np.array([place.attention for place in places])
    drawing = draw_regions(read_image(Path(file)), boxes, weight=weight, side=side, heaviest=heaviest)
    drawn = drawing.picture
    panel = Image.new("RGB", (side, _HEAD + side + _GAP + _LINE * len(drawing.legend)), _PAPER)
    draw = ImageDraw.Draw(panel)
    draw.text((0, 0), label, font=ImageFont.load_default(20), fill=_INK)
    panel.paste(drawn, ((side - drawn.width) // 2, _HEAD + (side - drawn.height) // 2))
    for number, line in enumerate(drawing.legend):
        place = (0, _HEAD + side + _GAP + _LINE * number)
        draw.text(place, f"{number + 1}  {line} of the attention", font=ImageFont.load_default(16), fill=_FAINT)
    return panel


def _words(prediction: Prediction, width: int) -> Image.Image:
    """Draw question, answer and score, wrapped to `width` pixels."""
    blocks = [
        (prediction.question, 20, _FAINT),
        (prediction.answer or "(no words)", 26, _INK),
        (f"score {prediction.score:.2f}. {_CAUTION}", 16, _FAINT),
    ]
    lines = [(line, size, colour) for text, size, colour in blocks for line in wrap(text, size, width)]
    heights = [round(size * 1.4) for _, size, _ in lines]
    page = Image.new("RGB", (width, sum(heights)), _PAPER)
    draw, top = ImageDraw.Draw(page), 0
    for (line, size, colour), height in zip(lines, heights, strict=True):
        draw.text((0, top), line, font=ImageFont.load_default(size), fill=colour)
        top += height
    return page


def wrap(text: str, size: int, width: int) -> list[str]:
    """Break a text into lines that are at most `width` pixels wide in letters of `size` pixels."""
    font = ImageFont.load_default(size)
    lines = [""]
    for word in _pieces(text, font, width):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _pieces(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Yield the words of a text, words that are wider than a line in pieces."""
    for word in text.split():
        start = 0
        for end in range(1, len(word) + 1):
            if end > start + 1 and font.getlength(word[start:end]) > width:
                yield word[start : end - 1]
                start = end - 1
        yield word[start:]
