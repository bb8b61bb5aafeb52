"""Chest ImaGenome: boxes of regions and the findings in them, from the silver scene graphs; boxes from gold, too."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.processes import cores, ordered
from cfvqa.sources import gold_boxes
from cfvqa.sources.paths import paths_below
from cfvqa.sources.scene_graphs import load_graph
from cfvqa.sources.tables import SCHEMAS, empty, strongest
from cfvqa.sources.threads import in_threads
from cfvqa.vocabulary.findings import FINDING_INDEX
from cfvqa.vocabulary.levels import LEVEL_WORDS
from cfvqa.vocabulary.regions import REGION_INDEX

_FRAME = 224
_ROUNDING = 2  # pixels of the frame
_GRAPHS_AT_ONCE = 64  # a process, of a megabyte or so each, once they are loaded
_GRAPHS_A_PROCESS = 2000  # fewer, and to start another process takes longer than it saves
_PROCESSES = 16  # at most: each has some threads

Boxes = Literal["silver", "gold"]


KINDS = ("anatomicalfinding", "disease")
"""Categories of attributes that are findings."""


@dataclass(frozen=True)
class _Objects:
    """Boxes of an image, as objects of a scene graph, and the place where they are found."""

    items: list[dict[str, Any]]
    place: str


@dataclass(frozen=True)
class _Part:
    """Some images, the scene graph files of each, and the gold boxes of those that have them."""

    images: list[dict[str, Any]]
    paths: list[Path]
    gold: dict[str, _Objects]


@dataclass(frozen=True)
class _Read:
    """What scene graphs say: rows of regions and of findings, and what was skipped."""

    boxes: list[tuple[Any, ...]]
    findings: list[tuple[Any, ...]]
    skipped: Counter[str]


def graph_folder(root: Path) -> Path:
    """Return the folder of the scene graphs; some copies unzip it into itself."""
    outer = root / "silver_dataset" / "scene_graph"
    folder = outer / "scene_graph" if (outer / "scene_graph").is_dir() else outer
    if not folder.is_dir():
        raise InputError(f"{outer} is missing: unzip scene_graph.zip of Chest ImaGenome there")
    return folder


def read_graphs(
    root: Path, images: pl.DataFrame, boxes: Boxes, progress: Callable[[int], None] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Read the scene graphs of `images`, on all processors.

    Args:
        root: folder of the release.
        images: image_id, subject_id, study_id, width and height (pixels of the file), original_width and
            original_height.
        boxes: "silver" takes those of the scene graphs; "gold" those of `gold_boxes` where an image has them.
        progress: called with the number of images read so far.

    Returns:
        Regions, region findings, and what was skipped, by reason.

    Raises:
        InputError: naming file and object of what is wrong, or the folder if it holds no box of these images.
    """
    check_choice("source.boxes", boxes, get_args(Boxes))
    folder, below = graph_folder(root), paths_below(root)
    place = folder.relative_to(root)
    gold = _gold(root) if boxes == "gold" else {}
    regions, findings = [empty("regions")], [empty("findings")]
    skipped: Counter[str] = Counter()
    done = 0

    def parts() -> Iterator[_Part]:
        for part in images.iter_slices(_GRAPHS_AT_ONCE):
            names = part["image_id"].to_list()
            paths = [below(f"{place}/{name}_SceneGraph.json") for name in names]
            yield _Part(part.to_dicts(), paths, {name: gold[name] for name in names if name in gold})

    processes = min(cores(), _PROCESSES, 1 + len(images) // _GRAPHS_A_PROCESS)
    for read in ordered(_read_part, parts(), processes):
        regions.append(pl.DataFrame(read.boxes, schema=SCHEMAS["regions"], orient="row"))
        findings.append(pl.DataFrame(read.findings, schema=SCHEMAS["findings"], orient="row"))
        skipped += read.skipped
        done = min(done + _GRAPHS_AT_ONCE, len(images))
        if progress is not None:
            progress(done)
    located = pl.concat(regions)
    if not len(located):
        raise InputError(
            f"{folder} holds no box of any of the {len(images)} images: unzip scene_graph.zip of Chest ImaGenome there"
        )
    return located, strongest(pl.concat(findings)), dict(+skipped)


def _gold(root: Path) -> dict[str, _Objects]:
    path = gold_boxes.boxes_file(root)
    return {image: _Objects(items, f"{path}, {image}") for image, items in gold_boxes.read_boxes(root).items()}


def _read_part(part: _Part) -> _Read:
    """Read the scene graphs of some images."""
    read = _Read([], [], Counter())
    graphs = in_threads(_graph, list(zip(part.paths, part.images, strict=True)))
    for image, path, graph in zip(part.images, part.paths, graphs, strict=True):
        objects = part.gold.get(image["image_id"])
        if graph is not None:
            read.findings.extend(_findings(graph["attributes"], image["image_id"], path, read.skipped))
            read.skipped["scene graph without a box"] += not graph["objects"]
            read.skipped["scene graph whose boxes gold ones stand for"] += objects is not None
            objects = objects or _Objects(graph["objects"], str(path))
        else:
            read.skipped["image without a scene graph"] += 1
        read.boxes.extend([] if objects is None else _boxes(objects, image, read.skipped))
    return read


def _graph(place: tuple[Path, dict[str, Any]]) -> dict[str, Any] | None:
    path, image = place
    return load_graph(path, image) if path.is_file() else None


def _boxes(
    objects: _Objects, image: dict[str, Any], skipped: Counter[str]
) -> list[tuple[str, str, float, float, float, float]]:
    """Return boxes in pixels of the image file, from the 224 frame.

    The frame scales the longer side to 224 and centres the image. The published `original_*` values are known to
    be inaccurate, so the frame is undone with the original size; a resized copy scales the outcome. Published boxes
    reach from the image into the empty margins of the frame: they are cut at the border of the image, and counted
    where that is more than rounding. A box that leaves the frame or misses the image is left out, and counted.
    """
    original = image["original_width"], image["original_height"]
    ratio = _FRAME / max(original)
    margins = tuple((_FRAME - int(side * ratio)) // 2 for side in original)
    boxes: dict[str, tuple[str, str, float, float, float, float]] = {}
    for item in objects.items:
        region = item.get("bbox_name")
        if region not in REGION_INDEX:
            skipped["box of a region outside the 24"] += 1
            continue
        box = _frame_box(item, objects.place)
        if _is_outside(box, margins):
            skipped["box outside the image"] += 1
            continue
        horizontal = [_unframe(x - margins[0], ratio, original[0], image["width"]) for x in (box[0], box[2])]
        vertical = [_unframe(y - margins[1], ratio, original[1], image["height"]) for y in (box[1], box[3])]
        if region in boxes or horizontal[1] <= horizontal[0] or vertical[1] <= vertical[0]:
            skipped["box that is empty or a region's second"] += 1
            continue
        if _overhang(box, margins) > _ROUNDING:
            skipped["box cut at the border"] += 1
        boxes[region] = (image["image_id"], region, horizontal[0], vertical[0], horizontal[1], vertical[1])
    return list(boxes.values())


def _frame_box(item: dict[str, Any], place: str) -> tuple[float, float, float, float]:
    """Return the box of an object in pixels of the frame."""
    try:
        x1, y1, x2, y2 = (float(item[key]) for key in ("x1", "y1", "x2", "y2"))
        if not all(map(math.isfinite, (x1, y1, x2, y2))):
            raise ValueError("a corner is infinite, or no number")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{place}: object '{item.get('bbox_name')}' lacks a number among x1, y1, x2, y2: restore the file"
        ) from error
    return x1, y1, x2, y2


def _is_outside(box: tuple[float, ...], margins: tuple[int, ...]) -> bool:
    """Return whether a box misses the image, or leaves the frame by more than rounding."""
    (left, top), (x1, y1, x2, y2) = margins, box
    missed = x2 < left or y2 < top or x1 > _FRAME - left or y1 > _FRAME - top
    return missed or _overhang(box, (0, 0)) > _ROUNDING


def _overhang(box: tuple[float, ...], margins: tuple[int, ...]) -> float:
    """Return by how many pixels of the frame a box reaches over a border, at its farthest."""
    left, top = margins
    return max(left - box[0], top - box[1], box[2] - (_FRAME - left), box[3] - (_FRAME - top))


def _unframe(place: float, ratio: float, original: int, actual: int) -> float:
    """Return a place along one side in pixels of the file, inside the image."""
    return min(max(place / ratio / original, 0.0), 1.0) * actual


def _findings(
    attributes: list[dict[str, Any]], image_id: str, path: Path, skipped: Counter[str]
) -> list[tuple[str, str, str, str, str | None]]:
    rows = []
    for attribute in attributes:
        region = attribute.get("bbox_name")
        severities = attribute.get("severity_cues") or []
        for sentence, names in enumerate(attribute.get("attributes") or []):
            level = _level(severities[sentence] if sentence < len(severities) else [])
            for name in names:
                category, polarity, finding = _attribute_parts(name, path)
                if category not in KINDS:
                    continue
                if region not in REGION_INDEX or finding not in FINDING_INDEX:
                    skipped["finding outside the 24 regions or the 38 findings"] += 1
                    continue
                rows.append((image_id, region, finding, polarity, level if polarity == "yes" else None))
    return rows


def _attribute_parts(name: str, path: Path) -> list[str]:
    parts = name.split("|", 2)
    if len(parts) != 3 or parts[1] not in ("yes", "no"):
        raise InputError(f"{path}: attribute {name!r} is not of the form category|yes or no|name: restore the file")
    return parts


def _level(cues: list[str]) -> str | None:
    """Return the level of a sentence: the first severity cue that is a level word."""
    words = [cue.split("|")[-1] for cue in cues]
    return next((word for word in words if word in LEVEL_WORDS), None)
