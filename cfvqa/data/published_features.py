"""The features that EKAID's program leaves, read as features of ours: `cmb_bbox_di_feats.hdf5` and `dicom2id.pkl`.

A row of the first is an image, the second says which one. It holds 26 nodes of an anatomy detector, each with a class,
and behind them 26 of what a disease detector saw at the same places. Of our 24 regions 20 are among the classes. There
are no probabilities, neither of regions nor of findings: a region is there or not, and of a finding one half is said.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import torch

from cfvqa.data.batches import ImageFeatures
from cfvqa.data.plain_pickle import read_numbers
from cfvqa.errors import InputError
from cfvqa.files import DAMAGE, digest_of
from cfvqa.sources.paths import existing_file, existing_root
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGION_INDEX, REGIONS

KEY = "extraction.published"
FEATURES, ROWS = "cmb_bbox_di_feats.hdf5", "dicom2id.pkl"

CLASSES = (
    "right lung", "right upper lung zone", "right mid lung zone", "right lower lung zone", "right hilar structures",
    "right apical zone", "right costophrenic angle", "right hemidiaphragm",
    "left lung", "left upper lung zone", "left mid lung zone", "left lower lung zone", "left hilar structures",
    "left apical zone", "left costophrenic angle", "left hemidiaphragm",
    "trachea", "right clavicle", "left clavicle", "aortic arch", "upper mediastinum", "svc", "cardiac silhouette",
    "cavoatrial junction", "right atrium", "carina",
)  # fmt: skip
"""Classes of the anatomy detector by number. The file holds numbers alone; the names are those in the program."""

MISSING = tuple(region for region in REGIONS if region not in CLASSES)
"""Regions that the detector does not know: they are found in no image."""

_NODES = len(CLASSES)
_COLUMN = np.array([REGION_INDEX.get(name, -1) for name in CLASSES])  # of a class among our regions; -1: none
_SIDE = 1024  # pixels: the program squeezes every image into a square of this side, whatever its shape
_LARGE = np.finfo(np.float16).max  # what our shards hold
_UNKNOWN = 0.5
_AT_ONCE = 128  # rows that are read together at most: 27 MB


@dataclass(frozen=True)
class PublishedFeatures:
    """An open file of features, and the rows of its images.

    Attributes:
        path: of the file.
        features: (M, 52, W).
        boxes: (M, 52, 4), x1, y1, x2, y2 in the square; zero of a node that was not found.
        classes: (M, 52) int; 0 too of a node that was not found.
        row_of: row by image id.
    """

    path: Path
    features: h5py.Dataset
    boxes: h5py.Dataset
    classes: h5py.Dataset
    row_of: dict[str, int]

    def in_order(self, images: pl.DataFrame) -> pl.DataFrame:
        """Return the images (`image_id`, `width`, `height`) with their `row`, in the order of the rows.

        Raises:
            InputError: if any has no row.
        """
        row = pl.col("image_id").replace_strict(self.row_of, default=None, return_dtype=pl.Int64)
        placed = images.select("image_id", "width", "height", row=row)
        without = placed.filter(pl.col("row").is_null())["image_id"].sort()
        if len(without):
            raise InputError(
                f"{len(without)} of the {len(images)} images of the tables have no row in {self.path.with_name(ROWS)}, "
                f"for instance {', '.join(without[:3])}: give files made of all of them"
            )
        return placed.sort("row")

    def read(self, placed: pl.DataFrame) -> ImageFeatures:
        """Return the features of N rows of what `in_order` gives, boxes in pixels of the images; halves of floats.

        Neighbours are read together, so that a chunk of the file is read once, or twice at most.

        Raises:
            InputError: if the file is damaged there, or the program was stopped before it wrote a row.
        """
        length = min((self.features.chunks or (_AT_ONCE,))[0], _AT_ONCE)
        neighbours = placed.with_columns(chunk=pl.col("row") // length).partition_by("chunk", maintain_order=True)
        parts = [self._read_neighbours(near) for near in neighbours]
        return ImageFeatures(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(ImageFeatures)))

    def _read_neighbours(self, placed: pl.DataFrame) -> ImageFeatures:
        rows = placed["row"].to_numpy()
        low, high = int(rows[0]), int(rows[-1]) + 1
        with _readable(self.path):
            features, boxes, classes = (
                table[low:high][rows - low] for table in (self.features, self.boxes, self.classes)
            )
        boxes, classes = boxes[:, :_NODES], classes[:, :_NODES]  # those behind are the same, and labels of diseases
        self._check(features, boxes, classes, placed)
        scale = placed.select("width", "height", width2="width", height2="height").to_numpy() / _SIDE
        return _placed(features, boxes * scale[:, None], classes)

    def _check(self, features: np.ndarray, boxes: np.ndarray, classes: np.ndarray, placed: pl.DataFrame) -> None:
        """Refuse rows that are not what the program writes; what is no number is not between two either."""
        wrong = {
            "holds no region: the program was stopped before it wrote it": ~_found(boxes).any(1),
            f"holds boxes that are not inside 0 to {_SIDE}": ~((boxes >= 0) & (boxes <= _SIDE)).all((1, 2)),
            f"holds classes that are not 0 to {_NODES - 1}": ~((classes >= 0) & (classes < _NODES)).all(1),
            "holds features that are no numbers, or too large": ~(np.abs(features) < _LARGE).all((1, 2)),
        }
        for what, where in wrong.items():
            if where.any():
                image, row = placed.select("image_id", "row").row(int(where.argmax()))
                raise InputError(f"{self.path}, row {row} ({image}) {what}: give a file that is whole, with {KEY}")


def _found(boxes: np.ndarray) -> np.ndarray:
    return (boxes[..., 2:] > boxes[..., :2]).all(-1)


def _placed(features: np.ndarray, boxes: np.ndarray, classes: np.ndarray) -> ImageFeatures:
    """Return N rows as features of our regions: each node goes where its class says."""
    count, regions, findings = len(features), len(REGIONS), len(FINDINGS)
    # From the last node to the first: were a region there twice, the first would stay, which a detector is surer of.
    image, node = (places[::-1] for places in np.nonzero(_found(boxes) & (_COLUMN[classes] >= 0)))
    column = _COLUMN[classes[image, node]]

    def spread(values: np.ndarray, dtype: type) -> torch.Tensor:
        table = np.zeros((count, regions, *values.shape[1:]), dtype)
        table[image, column] = values
        return torch.from_numpy(table)

    return ImageFeatures(
        region=spread(features[image, node], np.float16),
        finding=spread(features[image, _NODES + node], np.float16),
        probability=torch.full((count, regions, findings), _UNKNOWN),
        severity=torch.full((count, findings, 2), _UNKNOWN),
        box=spread(boxes[image, node], np.float32),
        score=spread(np.ones(len(image)), np.float16),
    )


def published_fingerprint(folder: str) -> str:
    """Return what changes when a file of the folder does: content of the small one, size and time of the large one.

    Raises:
        InputError: if one is missing.
    """
    features, rows = _files(folder)
    state = features.stat()
    return f"{digest_of(rows)} {state.st_size} {state.st_mtime_ns}"


@contextmanager
def open_published(folder: str) -> Iterator[PublishedFeatures]:
    """Open the two files of a folder.

    Raises:
        InputError: naming the file that is missing, damaged or of another shape, or if they do not belong together.
    """
    path, rows = _files(folder)
    row_of = read_numbers(rows)
    with _readable(path):
        file = h5py.File(path, "r")
    with file:
        with _readable(path):
            features = _table(file, path, "image_features", "f", (2 * _NODES, None))
            boxes = _table(file, path, "image_bb", "f", (2 * _NODES, 4))
            classes = _table(file, path, "bbox_label", "i", (2 * _NODES,))
        if not len(features) == len(boxes) == len(classes):
            raise InputError(f"{path}: its data sets have {len(features)}, {len(boxes)} and {len(classes)} rows")
        _check_rows(row_of, rows, len(features))
        yield PublishedFeatures(path, features, boxes, classes, row_of)


def _files(folder: str) -> tuple[Path, Path]:
    root = existing_root(folder, KEY)
    return existing_file(root, FEATURES, KEY), existing_file(root, ROWS, KEY)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, *DAMAGE, RuntimeError) as error:
        raise InputError(f"{path} is no whole HDF5 file ({error}): copy it again") from error


def _table(file: h5py.File, path: Path, name: str, kind: str, shape: tuple[int | None, ...]) -> h5py.Dataset:
    """Return a data set of rows of a shape, None being any width; its kind is that of numpy, "f" or "i"."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink | None):
        raise InputError(f"{path}: {name} is a link, which may lead out of the file: copy the data set into it")
    table = file.get(name)
    if isinstance(table, h5py.Dataset) and (table.is_virtual or table.external):
        raise InputError(f"{path}: {name} lies in other files: copy the data set into this one")
    if not isinstance(table, h5py.Dataset):
        raise InputError(f"{path} holds no data set {name}: give one that combine_dicts.py of EKAID wrote")
    wanted, rank = ("M", *(side or "W" for side in shape)), len(shape) + 1
    right = table.ndim == rank and all(
        one in (side, "W") for one, side in zip(wanted[1:], table.shape[1:], strict=True)
    )
    if table.dtype.kind != kind or not right or not table.size:
        words = {"f": "floats", "i": "whole numbers"}[kind]
        raise InputError(
            f"{path}: {name} is {table.shape} {table.dtype}; it must be {words} ({', '.join(map(str, wanted))})"
        )
    return table


def _check_rows(row_of: dict[str, int], path: Path, count: int) -> None:
    """Refuse rows that the file does not have, or that two images share."""
    image_at: dict[int, str] = {}
    for image, row in row_of.items():
        if not 0 <= row < count:
            raise InputError(
                f"{path}: {image} has row {row}, and {FEATURES} has rows 0 to {count - 1}: give two files that were "
                "made together"
            )
        if row in image_at:
            raise InputError(f"{path}: {image_at[row]} and {image} have the same row {row}: give each image its own")
        image_at[row] = image
