"""Radiographs with their region boxes and finding labels, as arrays ready for a detector or classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch.utils.data import Dataset

from cfvqa.data.batches import ImageBatch
from cfvqa.data.frames import Frame, frame_of, letterbox
from cfvqa.sources.image_files import check_image, read_image
from cfvqa.sources.paths import paths_below
from cfvqa.sources.tables import Tables
from cfvqa.vocabulary.findings import FINDING_INDEX, FINDINGS
from cfvqa.vocabulary.levels import SEVERITY
from cfvqa.vocabulary.regions import REGION_INDEX, REGIONS

UNKNOWN = -1
_PRESENCE = {"yes": 1, "no": 0, "uncertain": UNKNOWN}


@dataclass(frozen=True)
class DrawnFindings:
    """Where readers saw findings of an image.

    Attributes:
        finding: (K,) int64.
        box: (K, 4) float32, pixels of the original image.
    """

    finding: np.ndarray
    box: np.ndarray


NOTHING_DRAWN = DrawnFindings(np.zeros(0, dtype=np.int64), np.zeros((0, 4), dtype=np.float32))


@dataclass(frozen=True)
class ImageLabels:
    """What the tables say of N images.

    Attributes:
        image_ids: N identifiers.
        paths: N files.
        sizes: (N, 2) int, width and height in pixels.
        box: (N, R, 4) float32, pixels of the original image; zero where unknown.
        box_known: (N, R) bool.
        region_finding: (N, R, F) int8: 1 present, 0 absent, -1 unknown.
        image_finding: (N, F) int8, the same for the whole image.
        severity: (N, F) int8: 1 to 3; 0 unknown.
        drawn: N: boxes of findings that the whole image has.
    """

    image_ids: list[str]
    paths: list[Path]
    sizes: np.ndarray
    box: np.ndarray
    box_known: np.ndarray
    region_finding: np.ndarray
    image_finding: np.ndarray
    severity: np.ndarray
    drawn: list[DrawnFindings]

    def __len__(self) -> int:
        return len(self.image_ids)


def unlabelled(paths: Sequence[Path]) -> ImageLabels:
    """Return the labels of image files of which nothing is known but their size."""
    count = len(paths)
    return ImageLabels(
        image_ids=[str(path) for path in paths],
        paths=list(paths),
        sizes=np.array([check_image(path) for path in paths]),
        box=np.zeros((count, len(REGIONS), 4), dtype=np.float32),
        box_known=np.zeros((count, len(REGIONS)), dtype=bool),
        region_finding=np.full((count, len(REGIONS), len(FINDINGS)), UNKNOWN, dtype=np.int8),
        image_finding=np.full((count, len(FINDINGS)), UNKNOWN, dtype=np.int8),
        severity=np.zeros((count, len(FINDINGS)), dtype=np.int8),
        drawn=[NOTHING_DRAWN] * count,
    )


def labels_of(tables: Tables, images: pl.DataFrame) -> ImageLabels:
    """Collect the labels of the rows of `images` (a selection of `tables.images`)."""
    ids = images["image_id"].to_list()
    row_of = pl.DataFrame({"image_id": images["image_id"], "row": np.arange(len(ids))})
    box, box_known = _boxes(tables.regions.join(row_of, on="image_id"), len(ids))
    region_finding, image_finding = _findings(tables.findings.join(row_of, on="image_id"), len(ids))
    return ImageLabels(
        image_ids=ids,
        paths=list(map(paths_below(tables.root), images["path"])),
        sizes=images.select("width", "height").to_numpy(),
        box=box,
        box_known=box_known,
        region_finding=region_finding,
        image_finding=image_finding,
        severity=_severity(tables.findings.join(row_of, on="image_id"), len(ids)),
        drawn=_drawn(tables.finding_boxes.join(row_of, on="image_id", maintain_order="left"), image_finding),
    )


def _index(column: pl.Series, index: dict[str, int]) -> np.ndarray:
    return column.replace_strict(index, return_dtype=pl.Int64).to_numpy()


def _boxes(regions: pl.DataFrame, count: int) -> tuple[np.ndarray, np.ndarray]:
    box = np.zeros((count, len(REGIONS), 4), dtype=np.float32)
    known = np.zeros((count, len(REGIONS)), dtype=bool)
    if len(regions):
        rows, columns = regions["row"].to_numpy(), _index(regions["region"], REGION_INDEX)
        box[rows, columns] = regions.select("x1", "y1", "x2", "y2").to_numpy()
        known[rows, columns] = True
    return box, known


def _findings(findings: pl.DataFrame, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Spread the findings table into labels of regions and of whole images.

    What a described image does not mention is absent there: scene graphs and key information list what the
    report says, and a report says what is wrong. An image without any row stays unknown throughout.
    """
    region = np.full((count, len(REGIONS), len(FINDINGS)), UNKNOWN, dtype=np.int8)
    image = np.full((count, len(FINDINGS)), UNKNOWN, dtype=np.int8)
    if not len(findings):
        return region, image
    image[findings["row"].unique().to_numpy()] = 0
    local = findings.filter(pl.col("region").is_not_null())
    region[local["row"].unique().to_numpy()] = 0
    for presence in ("no", "uncertain", "yes"):  # yes is written last: it wins over a second mention
        part = local.filter(pl.col("presence") == presence)
        where = (
            part["row"].to_numpy(),
            _index(part["region"], REGION_INDEX),
            _index(part["finding"], FINDING_INDEX),
        )
        region[where] = _PRESENCE[presence]
        part = findings.filter(pl.col("presence") == presence)
        image[part["row"].to_numpy(), _index(part["finding"], FINDING_INDEX)] = _PRESENCE[presence]
    return region, image


def _severity(findings: pl.DataFrame, count: int) -> np.ndarray:
    severity = np.zeros((count, len(FINDINGS)), dtype=np.int8)
    graded = findings.filter(
        (pl.col("presence") == "yes") & pl.col("level").is_in(list(SEVERITY)) & pl.col("region").is_null()
    )
    if len(graded):
        values = graded["level"].replace_strict(SEVERITY, return_dtype=pl.Int64).to_numpy()
        severity[graded["row"].to_numpy(), _index(graded["finding"], FINDING_INDEX)] = values
    return severity


def _drawn(boxes: pl.DataFrame, image_finding: np.ndarray) -> list[DrawnFindings]:
    """Return the boxes of each image, without those of a finding that most readers did not see in it."""
    drawn = [NOTHING_DRAWN] * len(image_finding)
    for (row,), group in boxes.group_by("row", maintain_order=True):
        finding = _index(group["finding"], FINDING_INDEX)
        agreed = image_finding[row, finding] == _PRESENCE["yes"]
        box = group.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float32)
        drawn[row] = DrawnFindings(finding[agreed], box[agreed])
    return drawn


class ImageSet(Dataset[int]):
    """Decode radiographs into frames of `size` pixels; keep the decoded bytes while they fit `cache_gib`.

    Args:
        labels: the images and what is known of them.
        size: side of the frame in pixels.
        cache_gib: memory for decoded frames; 0 decodes every time.
    """

    def __init__(self, labels: ImageLabels, *, size: int, cache_gib: float = 2.0) -> None:
        self.labels = labels
        self.size = size
        self.frames = [frame_of(int(w), int(h), size) for w, h in labels.sizes]
        fits = len(labels) * size * size <= cache_gib * 2**30
        self._cache: dict[int, np.ndarray] | None = {} if fits else None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[int, np.ndarray]:
        """Return (index, frame (S, S) uint8)."""
        if self._cache is None:
            return index, self._decode(index)
        if index not in self._cache:
            self._cache[index] = self._decode(index)
        return index, self._cache[index]

    def frame(self, index: int) -> Frame:
        """Return the frame of an image, which maps boxes to original pixels and back."""
        return self.frames[index]

    def _decode(self, index: int) -> np.ndarray:
        return letterbox(read_image(self.labels.paths[index]), self.size)

    def collate(self, items: Sequence[tuple[int, np.ndarray]]) -> ImageBatch:
        """Stack decoded frames and look up their labels."""
        rows = np.array([index for index, _ in items])
        labels = self.labels
        box = np.stack([self.frames[i].to_frame(labels.box[i]) for i in rows])
        box[~labels.box_known[rows]] = 0
        drawn = [labels.drawn[i] for i in rows]
        drawn_box = [self.frames[i].to_frame(found.box) for i, found in zip(rows, drawn, strict=True)]
        drawn_at = [np.stack([np.full_like(found.finding, i), found.finding], 1) for i, found in enumerate(drawn)]
        return ImageBatch(
            image=torch.from_numpy(np.stack([image for _, image in items])).unsqueeze(1),
            box=torch.from_numpy(box),
            box_known=torch.from_numpy(labels.box_known[rows]),
            region_finding=torch.from_numpy(labels.region_finding[rows]),
            image_finding=torch.from_numpy(labels.image_finding[rows]),
            severity=torch.from_numpy(labels.severity[rows]),
            index=torch.from_numpy(rows),
            drawn_box=torch.from_numpy(np.concatenate(drawn_box)),
            drawn_at=torch.from_numpy(np.concatenate(drawn_at)),
        )
