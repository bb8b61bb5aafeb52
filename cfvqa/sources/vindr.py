"""VinDr-CXR 1.0.0: radiographs with labels and boxes of several readers; questions are about one image each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.sources.checks import validate
from cfvqa.sources.finding_boxes import UNFIT, fuse, within_images
from cfvqa.sources.image_files import Corruption, measure_images
from cfvqa.sources.image_labels import Labels, question_row, questions_about, whole_image_findings
from cfvqa.sources.paths import existing_root, refuse_unlisted
from cfvqa.sources.source import FileTree, Listing, SourceFiles, Wanted, found_files
from cfvqa.sources.splits import held_out_split, of_first_subjects, subject_split, training_share
from cfvqa.sources.tables import SCHEMAS, Tables, conform, empty, numbers_of
from cfvqa.sources.vindr_names import ANSWERS, NODES
from cfvqa.sources.vindr_tables import NO_FINDING, PARTS, box_table, label_table, read_boxes, read_labels
from cfvqa.vocabulary.findings import ANSWER_FINDINGS

CAVEATS = (
    "no patient is named: an image counts as a subject, and two images of one patient may be on two sides of a split.",
    "a training image has a finding where more than half of its three readers say so, a test image where the consensus "
    "of five does (Nguyen et al., Scientific Data 2022): the two are labels of different quality.",
    "the side of a finding is the half of the image that its boxes lie in, as the image is shown: left on the right.",
)

SplitRule = Literal["official", "subject"]
_SUFFIX = ".dicom"
_UNNAMED = "box of a finding without a node of the graph"
_TABLES = {"labels": label_table, "boxes": box_table}


@dataclass(frozen=True)
class VindrSource:
    """Read VinDr-CXR into tables. It has boxes of findings, none of regions, and no follow-ups.

    Attributes:
        root: folder with `train/`, `test/` and `annotations/`.
        name, version, licence: go into `dataset.json`.
        split: "official" (its test images; an eighth of the others is hashed to validation), or "subject" (hashed).
        split_seed: of what is hashed.
        question_seed: of the findings that questions ask for.
        box_overlap: intersection over union from which boxes of two readers are one (see `finding_boxes.fuse_boxes`).
        on_corrupt: "error" or "drop": what to do with an image file that cannot be read (see
            `image_files.measure_images`).
        limit: first N images by id; None takes all.
    """

    root: Path | str
    name: str = "vindr"
    version: str = "1.0.0"
    licence: str = "PhysioNet Credentialed Health Data License 1.5.0"
    split: SplitRule = "official"
    split_seed: int = 1
    question_seed: int = 1
    box_overlap: float = 0.4
    on_corrupt: Corruption = "error"
    limit: int | None = None

    def files(self) -> SourceFiles:
        """Return the annotation tables and the radiographs."""
        root = existing_root(self.root)
        return found_files(root, root, self.wanted())

    def wanted(self) -> tuple[Wanted, ...]:
        """Return the annotation tables and the radiographs of both parts."""
        root = existing_root(self.root)
        tables = {f"{kind} of {part}": partial(find, root, part) for part in PARTS for kind, find in _TABLES.items()}
        return (
            *(Wanted(name, find) for name, find in tables.items()),
            *(Wanted(part, partial(FileTree, root / part, _SUFFIX)) for part in PARTS),
        )

    def listed(self) -> Listing:
        """Return the images that have labels."""
        root = existing_root(self.root)
        images = of_first_subjects(_images(root), self.limit)
        return Listing(root, images.select("subject_id", "path"), training_share(self._split(images)))

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read labels, boxes and headers of images, and ask the questions that the labels answer.

        Args:
            progress: called with the number of image files checked so far.
        """
        if not 0 < self.box_overlap <= 1:
            raise InputError(f"source.box_overlap is {self.box_overlap}: give a number above 0, and 1 at most")
        root = existing_root(self.root)
        images = _images(root)
        drawn = [_boxes(root, part, images) for part in PARTS]
        chosen = of_first_subjects(images, self.limit)
        images, unreadable = measure_images(chosen, root, self.on_corrupt, progress)
        images = images.with_columns(self._split(images))
        boxes, unfit = within_images(pl.concat(drawn), images)
        named = boxes.filter(pl.col("finding").is_in(list(NODES)))
        return validate(
            Tables(
                images=conform(images, "images"),
                regions=empty("regions"),
                findings=whole_image_findings(images, list(dict.fromkeys(NODES.values()))),
                questions=_questions(images, _sides(boxes, images), self.question_seed),
                source=self.name,
                version=self.version,
                licence=self.licence,
                root=root,
                skipped=_skipped(images, numbers_of(unreadable) | {_UNNAMED: len(boxes) - len(named), UNFIT: unfit}),
                caveats=CAVEATS,
                left_out=unreadable,
                finding_boxes=fuse(named.with_columns(pl.col("finding").replace_strict(NODES)), self.box_overlap),
            )
        )

    def _split(self, images: pl.DataFrame) -> pl.Series:
        check_choice("source.split", self.split, get_args(SplitRule))
        subjects = images["subject_id"]
        if self.split == "subject":
            return subject_split(subjects, seed=self.split_seed).alias("split")
        return held_out_split(subjects, images["part"] == "test", seed=self.split_seed).alias("split")


def _images(root: Path) -> pl.DataFrame:
    """Return one row an image, as the images table has it, with its part, its labels (`said`) and their `nodes`.

    Raises:
        InputError: if an image is in both parts, or a file has no labels.
    """
    labels = [read_labels(root, part).with_columns(part=pl.lit(part)) for part in PARTS]
    images = pl.concat(labels)
    doubled = images.filter(pl.col("image_id").is_duplicated())
    if len(doubled):
        tables = " and ".join(str(label_table(root, part)) for part in PARTS)
        raise InputError(f"image '{doubled['image_id'][0]}' is in both {tables}: remove it from one of them")
    for part, table in zip(PARTS, labels, strict=True):
        refuse_unlisted(root / part, _SUFFIX, table["image_id"] + _SUFFIX, label_table(root, part))
    name = pl.col("image_id")
    return images.with_columns(
        name.alias("study_id"),
        name.alias("subject_id"),
        pl.lit(1).alias("study_order"),
        pl.lit("PA").alias("view"),
        pl.format("{}/{}{}", "part", name, pl.lit(_SUFFIX)).alias("path"),
        pl.col("said")
        .list.eval(pl.element().replace_strict(NODES, default=None, return_dtype=pl.String))
        .list.drop_nulls()
        .alias("nodes"),
    )


def _boxes(root: Path, part: str, images: pl.DataFrame) -> pl.DataFrame:
    """Return what was drawn in the images of a part.

    Raises:
        InputError: naming the first row about an image that has no labels there.
    """
    boxes = read_boxes(root, part)
    labelled = images.filter(pl.col("part") == part)
    strange = boxes.join(labelled, on="image_id", how="anti", maintain_order="left")
    if len(strange):
        row, image = strange.select("row", "image_id").row(0)
        raise InputError(
            f"{box_table(root, part)}, row {row}: image '{image}' has no labels in {label_table(root, part)}: "
            "restore the two files"
        )
    return boxes


def _sides(boxes: pl.DataFrame, images: pl.DataFrame) -> dict[str, dict[str, str]]:
    """Return image -> finding -> the side of the patient, for findings of which all boxes lie in one half.

    The left of the patient is on the right of the image.
    """
    middle = pl.col("width") / 2
    side = pl.when(pl.col("x1") >= middle).then(pl.lit("left")).when(pl.col("x2") <= middle).then(pl.lit("right"))
    placed = (
        boxes.filter(pl.col("finding").is_in(list(ANSWERS)))
        .join(images.select("image_id", "width"), on="image_id")
        .with_columns(pl.col("finding").replace_strict(ANSWERS), side=side.otherwise(pl.lit("both")))
        .group_by("image_id", "finding")
        .agg(pl.col("side").unique())
        .filter((pl.col("side").list.len() == 1) & (pl.col("side").list.first() != "both"))
        .sort("image_id", "finding")
    )
    sides: dict[str, dict[str, str]] = {}
    for image, finding, found in placed.iter_rows():
        sides.setdefault(image, {})[finding] = found[0]
    return sides


def _questions(images: pl.DataFrame, sides: dict[str, dict[str, str]], seed: int) -> pl.DataFrame:
    """Return the questions that labels answer; what is drawn for an image depends on the seed and the image alone."""
    rows: list[tuple[Any, ...]] = []
    for image in images.iter_rows(named=True):
        rng = np.random.default_rng((seed, int(image["image_id"], 16)))
        labels = _labels(image["said"], sides.get(image["image_id"], {}))
        rows += [question_row(image, None, number, asked) for number, asked in enumerate(questions_about(labels, rng))]
    return pl.DataFrame(rows, schema=SCHEMAS["questions"], orient="row")


def _labels(said: list[str], sides: dict[str, str]) -> Labels:
    names = [name for name in ANSWER_FINDINGS if name in ANSWERS.values()]
    there = [label for label in said if label != NO_FINDING]
    found = {ANSWERS[label] for label in there if label in ANSWERS}
    return Labels(
        found=[name for name in names if name in found],
        absent=[name for name in names if name not in found],
        view="PA",
        abnormal=bool(there) or NO_FINDING not in said,
        complete=set(there) <= set(ANSWERS),
        side={name: side for name, side in sides.items() if name in found},
    )


def _skipped(images: pl.DataFrame, left_out: dict[str, int]) -> dict[str, int]:
    """Return how often a label has no node, by label, and what else was left out, by reason."""
    said = images["said"].explode().drop_nulls()
    others = said.filter(~said.is_in([*NODES, NO_FINDING])).value_counts(sort=True, name="count")
    counts = {f"label without a node of the graph: {label}": count for label, count in others.iter_rows()}
    return counts | {reason: count for reason, count in left_out.items() if count}
