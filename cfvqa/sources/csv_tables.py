"""Anybody's own radiographs and questions, as plain CSV files in one folder.

questions.csv   main, reference (blank: the question is about one image), question, answer
                [subject_id, question_type, question_id]
images.csv      path, subject_id, study_order (1 is the earliest) [view, split]
findings.csv    path, finding (as answers or Chest ImaGenome name it), presence (yes, no, uncertain) [region, level]
regions.csv     path, region, x1, y1, x2, y2, in pixels of the file
finding_boxes.csv  path, finding, x1, y1, x2, y2, in pixels of the file [readers: how many drew the box, 1]

The first alone is a data set: it then names the subject of each row, and a reference image is earlier than its main
image. What the classifier learns stands in the third, what the detector learns in the fourth, and where the classifier
shall see a finding, if no row of the third says its region, in the last.
Images are named by their path below the folder, everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.language.keywords import answer_keywords
from cfvqa.language.questions import QUESTION_TYPES, question_type
from cfvqa.sources.checks import validate
from cfvqa.sources.csv_files import check_filled, check_unique, check_values, integers, read_csv
from cfvqa.sources.csv_labels import (
    IMAGES,
    QUESTIONS,
    check_boxes,
    check_known,
    read_finding_boxes,
    read_findings,
    read_regions,
)
from cfvqa.sources.image_files import Corruption, measure_images
from cfvqa.sources.paths import check_paths, existing_file, existing_root, paths_below
from cfvqa.sources.source import Listing, SourceFiles, Wanted, found_files, if_there
from cfvqa.sources.splits import DIVIDED, SPLITS, of_first_subjects, on_two_sides, subject_split, training_share
from cfvqa.sources.tables import VIEWS, Tables, conform, numbers_of
from cfvqa.sources.threads import in_threads

SplitRule = Literal["subject", "given"]
LABELS, BOXES, FINDING_BOXES = "findings.csv", "regions.csv", "finding_boxes.csv"
_ABOUT_LOST = "question about an image that cannot be read"


@dataclass(frozen=True)
class CsvSource:
    """Read CSV files (see above) into tables.

    Attributes:
        root: folder of the files, to which the paths of images are relative.
        name, version, licence: go into `dataset.json`.
        split: "subject" (hashed), or "given": the column of images.csv.
        split_seed: of the hashed split.
        on_corrupt: "error" or "drop": what to do with an image file that cannot be read (see
            `image_files.measure_images`).
        limit: first N subjects by id; None takes all.
    """

    root: Path | str
    name: str = "csv"
    version: str = "1"
    licence: str = "not said"
    split: SplitRule = "subject"
    split_seed: int = 1
    on_corrupt: Corruption = "error"
    limit: int | None = None

    def files(self) -> SourceFiles:
        """Return the tables that are there, and the radiographs that they name."""
        root = existing_root(self.root)
        found = found_files(root, root, self.wanted())
        return replace(found, listed=tuple(in_threads(paths_below(root), self.listed().images["path"])))

    def wanted(self) -> tuple[Wanted, ...]:
        """Return the questions, and the tables that may be left out."""
        root = existing_root(self.root)
        return (
            Wanted(QUESTIONS, partial(existing_file, root, QUESTIONS)),
            *(Wanted(name, partial(if_there, root / name)) for name in (IMAGES, LABELS, BOXES, FINDING_BOXES)),
        )

    def listed(self) -> Listing:
        """Return the images of `images.csv`, or of the questions where there is none."""
        root = existing_root(self.root)
        named = _named_images(_read_questions(existing_file(root, QUESTIONS)), root)
        images = of_first_subjects(named.with_columns(self._split(named, root / IMAGES)), self.limit)
        return Listing(root, images.select("subject_id", "path"), training_share(images["split"]))

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read the tables and check every image file.

        Args:
            progress: called with the number of image files checked so far.
        """
        root = existing_root(self.root)
        asked = _read_questions(existing_file(root, QUESTIONS))
        images = _named_images(asked, root)
        known = images["path"]
        for column in ("main", "reference"):
            check_known(asked, column, known, root / QUESTIONS)
        regions, findings = read_regions(root / BOXES, known), read_findings(root / LABELS, known)
        boxes = read_finding_boxes(root / FINDING_BOXES, known)
        images = images.with_columns(self._split(images, root / IMAGES))
        chosen = of_first_subjects(images, self.limit)
        images, left_out = measure_images(chosen, root, self.on_corrupt, progress)
        images = images.with_columns(image_id="path", study_id="path")
        check_boxes(regions, "region", images, root / BOXES)
        check_boxes(boxes, "finding", images, root / FINDING_BOXES)
        lost = chosen.join(images, on="path", how="anti")["path"]
        about_lost = pl.any_horizontal(pl.col("main", "reference").is_in(lost.implode())).fill_null(value=False)
        left_out[DIVIDED] = on_two_sides(images, "subject_id").to_list()
        skipped = {_ABOUT_LOST: len(asked.filter(about_lost))} | numbers_of(left_out)
        kept = images["path"].implode()
        return validate(
            Tables(
                images=conform(images, "images"),
                regions=regions.filter(pl.col("image_id").is_in(kept)),
                findings=findings.filter(pl.col("image_id").is_in(kept)),
                questions=_questions(asked.filter(~about_lost), images),
                source=self.name,
                version=self.version,
                licence=self.licence,
                root=root,
                skipped={reason: count for reason, count in skipped.items() if count},
                left_out=left_out,
                finding_boxes=boxes.filter(pl.col("image_id").is_in(kept)),
            )
        )

    def _split(self, images: pl.DataFrame, path: Path) -> pl.Series:
        check_choice("source.split", self.split, get_args(SplitRule))
        if self.split == "subject":
            return subject_split(images["subject_id"], seed=self.split_seed).alias("split")
        if not path.is_file():
            raise InputError(f"source.split=given takes the column split of {path}, which is missing: add the file")
        check_values(images, "split", SPLITS, path, blanks=False)
        return images["split"]


def _read_questions(path: Path) -> pl.DataFrame:
    optional = ["reference", "subject_id", "question_type", "question_id"]
    table = read_csv(path, ["main", "question", "answer"], optional=optional)
    for column in ("main", "question", "answer"):
        check_filled(table, column, path)
    for column in ("main", "reference"):
        check_paths(table, column, path)
    check_values(table, "question_type", QUESTION_TYPES, path)
    kinds = [question_type(question) for question in table["question"]]
    table = table.with_columns(pl.col("question_type").fill_null(pl.Series(kinds, dtype=pl.String)))
    if table["question_type"].null_count():
        row = int(table["question_type"].is_null().arg_true()[0])
        raise InputError(
            f"{path}, row {row + 2}: '{table['question'][row]}' is worded like no question of Medical-Diff-VQA: give "
            f"the column question_type, one of {', '.join(QUESTION_TYPES)}"
        )
    check_unique(table, ["main", "reference", "question"], path)
    number = pl.int_range(pl.len()).cast(pl.String)
    table = table.with_columns(pl.col("question_id").fill_null(pl.format("q{}", number)))
    check_unique(table, ["question_id"], path)
    return table


def _named_images(asked: pl.DataFrame, root: Path) -> pl.DataFrame:
    """Return the images of `images.csv`, or what the questions say of theirs where there is none."""
    if not (root / IMAGES).is_file():
        return _images_of(asked, root / QUESTIONS)
    images = _read_images(root / IMAGES)
    _check_same_subject(asked, images, root / QUESTIONS)
    return images


def _check_same_subject(asked: pl.DataFrame, images: pl.DataFrame, path: Path) -> None:
    """Refuse a question whose subject_id, where it has one, is not that of its main image."""
    known = images.select(main="path", known="subject_id")
    rows = asked.with_row_index("row", offset=2).join(known, on="main", maintain_order="left")
    for wrong in rows.filter(pl.col("subject_id") != pl.col("known")).head(1).iter_rows(named=True):
        raise InputError(
            f"{path}, row {wrong['row']}: subject_id is '{wrong['subject_id']}', but {IMAGES} says '{wrong['known']}' "
            f"of main '{wrong['main']}': correct one of them"
        )


def _read_images(path: Path) -> pl.DataFrame:
    """Return path, subject_id, study_order, view and split of every image."""
    table = read_csv(path, ["path", "subject_id", "study_order"], optional=["view", "split"])
    for column in ("path", "subject_id"):
        check_filled(table, column, path)
    check_paths(table, "path", path)
    check_unique(table, ["path"], path)
    check_values(table, "view", VIEWS, path)
    order = integers(table, "study_order", path)
    return table.with_columns(order, pl.col("view").fill_null("unknown"))


def _images_of(asked: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Return what the questions say of their images, as `_read_images` does."""
    check_filled(asked, "subject_id", path)
    rows = asked.with_row_index("row", offset=2)
    named = [rows.select("row", "subject_id", pl.col(column).alias("path")) for column in ("main", "reference")]
    images = pl.concat(named).drop_nulls("path").unique(["subject_id", "path"], keep="first", maintain_order=True)
    _check_one_subject(images, path)
    order = _orders(asked, path)
    return images.with_columns(
        study_order=pl.col("path").replace_strict(order, return_dtype=pl.Int64),
        view=pl.lit("unknown"),
        split=pl.lit(None, dtype=pl.String),
    )


def _check_one_subject(images: pl.DataFrame, path: Path) -> None:
    """Refuse an image that rows give to two subjects."""
    divided = images.filter(pl.col("path") == pl.col("path").filter(pl.col("path").is_duplicated()).first())
    if len(divided):
        (first, one, image), (second, other, _) = divided.rows()[:2]
        raise InputError(
            f"{path}, rows {first} and {second}: image '{image}' is of subject_id '{one}' in the one and of '{other}' "
            "in the other: correct one of the rows"
        )


def _orders(asked: pl.DataFrame, path: Path) -> dict[str, int]:
    """Return image -> 1 if no other is its reference, and one more than the latest of its references otherwise.

    Raises:
        InputError: naming two images, each of which would be earlier than the other.
    """
    earlier: dict[str, set[str]] = {}
    for main, reference in asked.select("main", "reference").iter_rows():
        earlier.setdefault(main, set()).update([] if reference is None else [reference])
    order: dict[str, int] = {}
    try:
        for image in TopologicalSorter(earlier).static_order():
            order[image] = 1 + max((order[before] for before in earlier.get(image, ())), default=0)
    except CycleError as error:
        first, second, *_ = error.args[1]
        raise InputError(
            f"{path}: '{first}' and '{second}' are each an earlier image of the other, or both of a third: correct "
            f"the rows, or give their study_order in {IMAGES}"
        ) from error
    return order


def _questions(asked: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Return the table of questions about these images; subject and split are those of the main image."""
    of_main = images.select("path", "subject_id", "split")
    joined = asked.drop("subject_id").join(of_main, left_on="main", right_on="path", maintain_order="left")
    keywords = [answer_keywords(*row) for row in joined.select("question_type", "answer").iter_rows()]
    return conform(
        joined.with_columns(
            pl.Series("keywords", keywords, dtype=pl.String), main_image="main", reference_image="reference"
        ),
        "questions",
    )
