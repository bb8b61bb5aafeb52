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
class Divided:
    """What lies on more than one side of a split.

    Attributes:
        subjects: how many.
        studies: how many.
        images: radiographs of one side that are equal, byte by byte, to one of another side, or lie on both.
    """

    subjects: int
    studies: int
    images: int


@dataclass(frozen=True)
class Leakage:
    """What a split does not keep apart.

    Attributes:
        asked: where a side is that of the questions about something.
        learned: where it is that of the radiograph itself too, whether anything is asked about it or not: detector and
            classifier learn from all.
        doubled: radiographs that are equal to an earlier one, wherever it is.
    """

    asked: Divided
    learned: Divided
    doubled: int


def leakage(tables: Tables) -> Leakage:
    """Look for leaks; image files are read where another one has the same size."""
    content = contents([tables.root / path for path in tables.images["path"]])
    known = ("image_id", "study_id", "subject_id", "content")
    images = tables.images.with_columns(pl.Series("content", content)).select(*known, "split")
    asked = [tables.questions.select("split", image_id=column) for column in ("main_image", "reference_image")]
    seen = pl.concat(asked).drop_nulls().unique().join(images.drop("split"), on="image_id").select(*known, "split")
    return Leakage(_divided(seen), _divided(pl.concat([seen, images])), doubled=len(content) - len(set(content)))


def _divided(sides: pl.DataFrame) -> Divided:
    alike = sides.filter(pl.col("content").is_in(on_two_sides(sides, "content").implode()))
    return Divided(
        subjects=len(on_two_sides(sides, "subject_id")),
        studies=len(on_two_sides(sides, "study_id")),
        images=alike["image_id"].n_unique(),
    )


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
