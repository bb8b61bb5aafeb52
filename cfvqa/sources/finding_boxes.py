"""Boxes of findings: those of several readers fused, and what becomes of one that does not fit its image."""

import numpy as np
import polars as pl

from cfvqa.sources.tables import SCHEMAS

ROUNDING = 1.0
"""Pixels of the image file by which a published box may leave the image: it is cut there."""

UNFIT = "box of a finding that is empty or leaves its image"
"""Why a published box is left out."""

_CORNERS = ["x1", "y1", "x2", "y2"]


def within_images(boxes: pl.DataFrame, images: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return boxes cut to their images, and how many are left out: empty, inverted, or out by more than `ROUNDING`.

    Args:
        boxes: image_id, and x1, y1, x2, y2 in pixels of the image file.
        images: image_id, width, height. Boxes of other images are left out uncounted.
    """
    joined = boxes.join(images.select("image_id", "width", "height"), on="image_id", maintain_order="left")
    inside = (
        (pl.min_horizontal("x1", "y1") >= -ROUNDING)
        & (pl.col("x2") <= pl.col("width") + ROUNDING)
        & (pl.col("y2") <= pl.col("height") + ROUNDING)
    )
    cut = joined.filter(inside).with_columns(
        pl.col(name).clip(0, pl.col(side)) for name, side in zip(_CORNERS, ["width", "height"] * 2, strict=True)
    )
    kept = cut.filter((pl.col("x2") > pl.col("x1")) & (pl.col("y2") > pl.col("y1")))
    return kept.drop("width", "height"), len(joined) - len(kept)


def fuse(boxes: pl.DataFrame, overlap: float) -> pl.DataFrame:
    """Return the table `finding_boxes`: the boxes of the readers of an image fused, finding by finding.

    Args:
        boxes: image_id, finding, reader, x1, y1, x2, y2; what one reader says twice counts once.
        overlap: see `fuse_boxes`.
    """
    groups = boxes.unique(["image_id", "finding", "reader", *_CORNERS], maintain_order=True).group_by(
        "image_id", "finding", maintain_order=True
    )
    rows = []
    for (image, finding), group in groups:
        places, readers = fuse_boxes(group.select(_CORNERS).to_numpy(), group["reader"].to_list(), overlap)
        rows += [(image, finding, *map(float, box), count) for box, count in zip(places, readers, strict=True)]
    fused = pl.DataFrame(rows, schema=SCHEMAS["finding_boxes"], orient="row")
    return fused.unique(["image_id", "finding", *_CORNERS], keep="first", maintain_order=True)


def fuse_boxes(boxes: np.ndarray, readers: list[str], overlap: float) -> tuple[np.ndarray, list[int]]:
    """Fuse what several readers drew of one finding in one image.

    Weighted boxes fusion (Solovyev, Wang and Gabruseva, Image and Vision Computing 2021) with readers of equal weight:
    the largest first, each box joins the fused box that it overlaps most, and a fused box is the mean of those in it.
    Two boxes of one reader never join: who draws two sees two. The order of the rows does not matter.

    Args:
        boxes: (N, 4) x1, y1, x2, y2.
        readers: N names.
        overlap: least intersection over union of a box with the fused box that it joins.

    Returns:
        (M, 4) boxes and how many readers drew each, the largest first.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    members: list[list[int]] = []
    for row in sorted(range(len(boxes)), key=lambda row: (-areas[row], *boxes[row], readers[row])):
        open_ones = [group for group in members if readers[row] not in {readers[other] for other in group}]
        fused = np.array([boxes[group].mean(0) for group in open_ones]).reshape(-1, 4)
        shared = intersection_over_union(boxes[row], fused)
        if len(shared) and shared.max() >= overlap:
            open_ones[int(shared.argmax())].append(row)
        else:
            members.append([row])
    return np.array([boxes[group].mean(0) for group in members]), [len(group) for group in members]


def intersection_over_union(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (M,) the overlap of a box (4,) with others (M, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = sides.clip(min=0).prod(1)
    return common / ((box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - common)
