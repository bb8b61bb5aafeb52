"""What lies on two sides of a split, and which radiographs are there twice."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cfvqa.files import digest_of
from cfvqa.sources.splits import on_two_sides
from cfvqa.sources.tables import Tables
from cfvqa.sources.threads import in_threads

_PIECE = 64 * 1024  # bytes


@dataclass(frozen=True)
class Leakage:
    """What a split does not keep apart. A side is where the questions about something are asked.

    Attributes:
        subjects: with questions on more than one side.
        studies: that questions of more than one side are about.
        images: radiographs of one side that are equal, byte by byte, to one of another side.
        unasked: the same, where a side is that of the radiograph itself, whether anything is asked about it or not:
            detector and classifier learn from all.
        doubled: radiographs that are equal to an earlier one, wherever it is.
    """

    subjects: int
    studies: int
    images: int
    unasked: int
    doubled: int


def leakage(tables: Tables) -> Leakage:
    """Look for leaks; image files are read where another one has the same size."""
    asked = tables.questions.select("subject_id", "main_image", "reference_image", "split")
    seen = pl.concat([asked.select("split", image_id=column) for column in ("main_image", "reference_image")])
    content = contents([tables.root / path for path in tables.images["path"]])
    images = tables.images.select("image_id", "study_id", "split").with_columns(pl.Series("content", content))
    seen = seen.drop_nulls().unique().join(images.drop("split"), on="image_id")
    return Leakage(
        subjects=len(on_two_sides(asked, "subject_id")),
        studies=len(on_two_sides(seen, "study_id")),
        images=_alike(seen),
        unasked=_alike(images),
        doubled=len(content) - len(set(content)),
    )


def _alike(sides: pl.DataFrame) -> int:
    """Return how many images are of equal content to one of another side."""
    return sides.filter(pl.col("content").is_in(on_two_sides(sides, "content").implode()))["image_id"].n_unique()


def contents(paths: Sequence[Path]) -> list[str]:
    """Return for each file a text that only files of the same content share.

    Most are told apart by their size, and most others by a piece of their middle: files without compression, as of
    VinDr-CXR, often have one size, and all of them together are too much to read.
    """
    keys = list(in_threads(lambda path: str(path.stat().st_size), paths))
    for finer in (_middle, digest_of):
        common = Counter(keys)
        alike = [place for place, key in enumerate(keys) if common[key] > 1]
        for place, more in zip(alike, in_threads(finer, [paths[place] for place in alike]), strict=True):
            keys[place] += f" {more}"
    return keys


def _middle(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, (path.stat().st_size - _PIECE) // 2))
        return hashlib.sha256(file.read(_PIECE)).hexdigest()
