"""Radiographs as pictures: regions outlined, and those that a reader attended to in colour, numbered for a legend.

The colours run from amber to orange: they stand out from grey for people with any colour vision, and how strong
they are rises with the weight alone.
"""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cfvqa.vocabulary.regions import REGIONS, label_text

Box = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels of the picture; x2 and y2 lie outside."""

_LOW = np.array([255.0, 214.0, 120.0])
_HIGH = np.array([236.0, 92.0, 0.0])
_COVER = 0.45  # of the heaviest region: the radiograph must stay visible beneath
_OUTLINE = (160, 196, 222)
_INK = (255, 224, 150, 255)
_PAPER = (16, 16, 20, 205)
_SMALLEST_FONT = 8
_LEAST = 0.005  # share of a region that is named: below, the legend would read 0%
_JPEG_QUALITY = 88
_PAD = 2  # pixels around the number of a region
_NEAR = 24  # places that are tried for one away from all boxes: further off, it would name nothing


@dataclass(frozen=True)
class _Region:
    """One region that is drawn.

    Attributes:
        name: of the region.
        box: in the picture.
        share: its weight, a part of all attention.
        strength: of its colour, 0 to 1: how far its weight lies above the mean, against the heaviest.
    """

    name: str
    box: Box
    share: float
    strength: float

    @property
    def label(self) -> str:
        return f"{label_text(self.name)} {self.share:.0%}"


@dataclass(frozen=True)
class Drawing:
    """A radiograph with its regions.

    Attributes:
        picture: RGB; the heaviest regions carry the numbers 1, 2, ... as far as there is room.
        legend: name and share of these regions, in the order of their numbers.
    """

    picture: Image.Image
    legend: tuple[str, ...]


def draw_regions(
    image: np.ndarray,
    boxes: np.ndarray,
    *,
    weight: np.ndarray | None,
    side: int,
    named: int = 3,
    heaviest: float | None = None,
) -> Drawing:
    """Draw a radiograph with its regions.

    Args:
        image: (H, W) float32 in [0, 1].
        boxes: (R, 4) x1, y1, x2, y2 in pixels of `image`, in the order of `REGIONS`; an empty box is not drawn.
        weight: (R,) the share of each region in all attention; regions above the mean are coloured. None draws
            plain outlines.
        side: pixels of the square that the picture fits into; the aspect is kept.
        named: how many of the heaviest regions are numbered.
        heaviest: weight of the strongest colour, for pictures to compare; None takes that of this picture.
    """
    grey = _fit(image, side)
    regions = _regions(boxes, weight, image.shape, grey.size, heaviest)
    picture = _tint(grey, regions).convert("RGBA")
    chosen = sorted((r for r in regions if r.share >= _LEAST), key=lambda region: -region.share)[:named]
    layer = Image.new("RGBA", picture.size)
    _outline(ImageDraw.Draw(layer), regions, chosen, line=max(1, side // 360))
    picture = Image.alpha_composite(picture, layer)
    words = Image.new("RGBA", picture.size)
    _number(ImageDraw.Draw(words), chosen, picture.size, size=max(_SMALLEST_FONT + 2, side // 28))
    return Drawing(Image.alpha_composite(picture, words).convert("RGB"), tuple(region.label for region in chosen))


def place_labels(sizes: list[tuple[int, int]], boxes: list[Box], area: tuple[int, int]) -> list[tuple[int, int] | None]:
    """Find a place for each label near its box, beside what is labelled where there is room.

    Args:
        sizes: width and height of each label.
        boxes: what each label names.
        area: width and height of the picture.

    Returns:
        The upper left corner of each label: inside the picture and apart from the others; None without room.
    """
    taken: list[Box] = []
    places: list[tuple[int, int] | None] = []
    for (width, height), box in zip(sizes, boxes, strict=True):
        corners = ((x, y, x + width, y + height) for x, y in _candidates(width, height, box, area))
        free = [label for label in corners if _inside(label, area) and not any(_meet(label, o) for o in taken)]
        clear = (label for label in free[:_NEAR] if not any(_meet(label, other) for other in boxes))
        label = next(clear, free[0] if free else None)
        places.append(None if label is None else label[:2])
        taken += [] if label is None else [label]
    return places


def _fit(image: np.ndarray, side: int) -> Image.Image:
    height, width = image.shape
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    values = np.clip(np.nan_to_num(image), 0, 1) * 255
    return Image.fromarray(values.round().astype(np.uint8)).resize(size, Image.Resampling.LANCZOS)


def _regions(
    boxes: np.ndarray,
    weight: np.ndarray | None,
    shape: tuple[int, int],
    size: tuple[int, int],
    heaviest: float | None,
) -> list[_Region]:
    """Return the regions whose boxes show in a picture of `size`."""
    limit = np.array([*size, *size])
    scaled = np.clip(np.nan_to_num(boxes) * limit / np.array([shape[1], shape[0], shape[1], shape[0]]), 0, limit)
    pixels = np.column_stack([np.floor(scaled[:, :2]), np.ceil(scaled[:, 2:])]).astype(int)
    seen = np.flatnonzero((scaled[:, 2] > scaled[:, 0]) & (scaled[:, 3] > scaled[:, 1]))
    values = np.zeros(len(boxes)) if weight is None else np.clip(np.nan_to_num(weight), 0, None)
    strength = _strengths(values, values[seen].max(initial=0.0) if heaviest is None else heaviest)
    return [_Region(REGIONS[row], tuple(pixels[row].tolist()), values[row], strength[row]) for row in seen]


def _strengths(values: np.ndarray, heaviest: float) -> np.ndarray:
    """Return (R,) how strong to colour: what is no more than the mean has none, so that even weights stay plain."""
    highest = heaviest - values.mean()
    return np.clip((values - values.mean()) / highest, 0, 1) if highest > 0 else np.zeros(len(values))


def _tint(grey: Image.Image, regions: list[_Region]) -> Image.Image:
    """Colour each pixel by the heaviest region over it: regions overlap, and their weights must not add up."""
    heat = np.zeros((grey.height, grey.width, 1))
    for region in regions:
        x1, y1, x2, y2 = region.box
        heat[y1:y2, x1:x2] = np.maximum(heat[y1:y2, x1:x2], region.strength)
    cover = _COVER * heat
    base = np.asarray(grey, dtype=np.float64)[..., None]
    mixed = base * (1 - cover) + (_LOW + (_HIGH - _LOW) * heat) * cover
    return Image.fromarray(mixed.round().astype(np.uint8))


def _outline(draw: ImageDraw.ImageDraw, regions: list[_Region], chosen: list[_Region], line: int) -> None:
    opacity = 70 if chosen else 150  # beside colours an outline steps back
    for region in regions:
        draw.rectangle(_edge(region.box), outline=(*_OUTLINE, opacity), width=line)
    for region in reversed(chosen):
        colour = _LOW + (_HIGH - _LOW) * region.strength
        draw.rectangle(_edge(region.box), outline=(*colour.astype(int).tolist(), 235), width=2 * line)


def _edge(box: Box) -> Box:
    """Return the box as PIL wants it: its last pixels belong to it."""
    return box[0], box[1], box[2] - 1, box[3] - 1


def _number(draw: ImageDraw.ImageDraw, chosen: list[_Region], area: tuple[int, int], size: int) -> None:
    """Write numbers beside the boxes: names would hide what they point at."""
    font, side = ImageFont.load_default(size), size + 2 * _PAD
    places = place_labels([(side, side)] * len(chosen), [region.box for region in chosen], area)
    for number, place in enumerate(places, start=1):
        if place is not None:
            x, y = place
            draw.rounded_rectangle((x, y, x + side - 1, y + side - 1), radius=3, fill=_PAPER)
            draw.text((x + side / 2, y + side / 2), str(number), font=font, fill=_INK, anchor="mm")


def _candidates(width: int, height: int, box: Box, area: tuple[int, int]) -> list[tuple[int, int]]:
    """List places from best to worst: beside the box, above and below it, in its corners, then anywhere near."""
    x1, y1, x2, y2 = box
    beside = [(x, y) for x in (x1 - width, x2) for y in (y1, y2 - height)]
    over = [(x, y) for y in (y1 - height, y2) for x in (x1, x2 - width)]
    within = [(x, y) for y in (y1, y2 - height) for x in (x1, x2 - width)]
    grid = [(x, y) for y in range(0, area[1] - height + 1, 4) for x in range(0, area[0] - width + 1, 4)]
    return beside + over + within + sorted(grid, key=lambda place: abs(place[0] - x1) + abs(place[1] - y1))


def _inside(label: Box, area: tuple[int, int]) -> bool:
    return label[0] >= 0 and label[1] >= 0 and label[2] <= area[0] and label[3] <= area[1]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def data_uri(picture: Image.Image) -> str:
    """Return a picture as text that a page holds in itself."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
