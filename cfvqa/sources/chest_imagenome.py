"""Chest ImaGenome, silver scene graphs: boxes of regions and the findings in them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from cfvqa.errors import InputError
from cfvqa.sources.tables import SCHEMAS
from cfvqa.vocabulary.findings import FINDING_INDEX
from cfvqa.vocabulary.regions import REGION_INDEX

_FRAME = 224


def graph_folder(root: Path) -> Path:
    """Return the folder of the scene graphs; some copies unzip it into itself."""
    outer = root / "silver_dataset" / "scene_graph"
    folder = outer / "scene_graph" if (outer / "scene_graph").is_dir() else outer
    if not folder.is_dir():
        raise InputError(f"{outer} is missing: unzip scene_graph.zip of Chest ImaGenome there")
    return folder


def read_graphs(
    root: Path, images: pl.DataFrame, progress: Callable[[int], None] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Read the scene graphs of `images`.

    Returns:
        Regions, region findings, and what was skipped (images without a graph, boxes that are empty, regions
        and findings outside the vocabulary).
    """
    folder = graph_folder(root)
    regions: list[tuple[Any, ...]] = []
    findings: list[tuple[Any, ...]] = []
    skipped = {"image without scene graph": 0, "empty box": 0}
    rows = images.select("image_id", "width", "height").iter_rows()
    for number, (image_id, width, height) in enumerate(rows, start=1):
        path = folder / f"{image_id}_SceneGraph.json"
        if not path.is_file():
            skipped["image without scene graph"] += 1
            continue
        graph = _load(path)
        boxes = _boxes(graph, image_id, width, height, path)
        whole = [box for box in boxes if box[4] > box[2] and box[5] > box[3]]
        skipped["empty box"] += len(boxes) - len(whole)
        regions.extend(whole)
        findings.extend(_findings(graph, image_id))
        if progress is not None:
            progress(number)
    region_table = pl.DataFrame(regions, schema=SCHEMAS["regions"], orient="row")
    finding_table = pl.DataFrame(findings, schema=SCHEMAS["findings"], orient="row")
    return region_table, _strongest(finding_table), skipped


def _load(path: Path) -> dict[str, Any]:
    try:
        graph = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no readable JSON ({error}): restore the file") from error
    for key in ("objects", "attributes"):
        if not isinstance(graph.get(key), list):
            raise InputError(f"{path}: key '{key}' is missing or no list; expected a Chest ImaGenome scene graph")
    return graph


def _boxes(
    graph: dict[str, Any], image_id: str, width: int, height: int, path: Path
) -> list[tuple[str, str, float, float, float, float]]:
    """Return boxes in pixels of the original image, from the 224 frame.

    The frame scales the longer side to 224 and centres the image; the published `original_*` values are
    known to be inaccurate, so the frame is undone with the image's own size.
    """
    ratio = _FRAME / max(width, height)
    left, top = (_FRAME - int(width * ratio)) // 2, (_FRAME - int(height * ratio)) // 2
    boxes = []
    for item in graph["objects"]:
        if item.get("bbox_name") not in REGION_INDEX:
            continue
        try:
            x1, y1, x2, y2 = (float(item[key]) for key in ("x1", "y1", "x2", "y2"))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: object '{item['bbox_name']}' lacks a number x1, y1, x2, y2") from error
        horizontal = [min(max((x - left) / ratio, 0.0), float(width)) for x in (x1, x2)]
        vertical = [min(max((y - top) / ratio, 0.0), float(height)) for y in (y1, y2)]
        boxes.append((image_id, item["bbox_name"], horizontal[0], vertical[0], horizontal[1], vertical[1]))
    return boxes


def _findings(graph: dict[str, Any], image_id: str) -> list[tuple[str, str, str, str, str | None]]:
    rows = []
    for attribute in graph["attributes"]:
        region = attribute.get("bbox_name")
        if region not in REGION_INDEX:
            continue
        severities = attribute.get("severity_cues") or []
        for sentence, names in enumerate(attribute.get("attributes") or []):
            cues = severities[sentence] if sentence < len(severities) else []
            level = cues[0].split("|", 2)[2] if cues else None
            for name in names:
                category, polarity, finding = name.split("|", 2)
                if category in ("anatomicalfinding", "disease") and finding in FINDING_INDEX:
                    rows.append((image_id, region, finding, polarity, level))
    return rows


def _strongest(findings: pl.DataFrame) -> pl.DataFrame:
    """Keep one row a (image, region, finding): yes wins over uncertain, uncertain over no."""
    rank = pl.col("presence").replace_strict({"yes": 0, "uncertain": 1, "no": 2}, default=3, return_dtype=pl.Int8)
    keys = ["image_id", "region", "finding"]
    return findings.sort(rank, maintain_order=True).unique(keys, keep="first", maintain_order=True)
