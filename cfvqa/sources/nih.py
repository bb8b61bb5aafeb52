"""NIH ChestX-ray14: public radiographs with follow-ups; pairs and questions are made from its labels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cfvqa.errors import InputError
from cfvqa.language import questions as ask
from cfvqa.language.grammar import Change, ChangeKind, write_changes
from cfvqa.language.keywords import answer_keywords
from cfvqa.sources.csv_files import read_csv
from cfvqa.sources.image_files import check_image
from cfvqa.sources.paths import existing_root, safe_path
from cfvqa.sources.splits import subject_split
from cfvqa.sources.tables import SCHEMAS, Tables, conform, empty, validate
from cfvqa.vocabulary.findings import ANSWER_FINDINGS, NODE_OF_ANSWER

LABELS: dict[str, str] = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Effusion": "pleural effusion",
    "Infiltration": "infiltration",
    "Mass": "mass",
    "Nodule": "nodule",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Pleural_Thickening": "pleural thickening",
    "Hernia": "hernia",
}
"""Name in answers of each of the 14 labels."""

_NO_FINDING = "No Finding"


@dataclass(frozen=True)
class NihSource:
    """Read ChestX-ray14 into tables: consecutive follow-ups of a patient are pairs, the later the main image.

    Attributes:
        root: folder with `Data_Entry_2017*.csv` and `images/` or `images_*/images/`.
        name, version, licence: go into `dataset.json`.
        split_seed: of the split by subject.
        question_seed: of the findings that presence questions ask for.
        limit: first N subjects by id; None takes all.
    """

    root: Path | str
    name: str = "nih"
    version: str = "2017"
    licence: str = "NIH Clinical Center: unrestricted use; cite Wang et al., CVPR 2017"
    split_seed: int = 1
    question_seed: int = 1
    limit: int | None = None

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read labels and images, and ask the questions that the labels answer."""
        root = existing_root(self.root)
        entries = self._entries(root)
        images = self._images(root, entries, progress)
        rows = _question_rows(images, self.question_seed)
        questions = pl.DataFrame(rows, schema=SCHEMAS["questions"], orient="row")
        boxes = len(list(root.glob("BBox_List_2017.csv")))
        return validate(
            Tables(
                images=conform(images, "images"),
                regions=empty("regions"),
                findings=_findings(images),
                questions=questions,
                source=self.name,
                version=self.version,
                licence=self.licence,
                root=root,
                skipped={"file of finding boxes (no region has one)": boxes},
            )
        )

    def _entries(self, root: Path) -> pl.DataFrame:
        found = sorted(root.glob("Data_Entry_2017*.csv"))
        if not found:
            raise InputError(f"{root / 'Data_Entry_2017.csv'} is missing: check source.root")
        columns = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID", "View Position"]
        entries = read_csv(found[0], columns)
        if entries["Image Index"].is_duplicated().any():
            doubled = entries.filter(pl.col("Image Index").is_duplicated())["Image Index"][0]
            raise InputError(f"{found[0]}: Image Index '{doubled}' occurs more than once; ids must be unique")
        _check_labels(entries, found[0])
        entries = entries.with_columns(
            pl.col("Patient ID").str.zfill(8).alias("subject_id"),
            pl.col("Follow-up #").cast(pl.Int32, strict=False).alias("study_order"),
        )
        if entries["study_order"].null_count():
            row = int(entries["study_order"].is_null().arg_true()[0])
            raise InputError(f"{found[0]}, row {row + 2}: Follow-up # '{entries['Follow-up #'][row]}' is no number")
        if self.limit is not None:
            first = entries["subject_id"].unique().sort().head(self.limit)
            entries = entries.filter(pl.col("subject_id").is_in(first.implode()))
        return entries.sort("subject_id", "study_order")

    def _images(self, root: Path, entries: pl.DataFrame, progress: Callable[[int], None] | None) -> pl.DataFrame:
        folders = [f.relative_to(root).as_posix() for f in (root / "images", *sorted(root.glob("images_*/images")))]
        paths, sizes = [], []
        for number, name in enumerate(entries["Image Index"], start=1):
            candidates = [f"{folder}/{name}" for folder in folders]
            path = next((p for p in candidates if safe_path(root, p).is_file()), candidates[0])
            paths.append(path)
            sizes.append(check_image(safe_path(root, path)))
            if progress is not None:
                progress(number)
        name = pl.col("Image Index").str.replace(r"\.png$", "")
        view = pl.when(pl.col("View Position").is_in(["PA", "AP"])).then("View Position").otherwise(pl.lit("unknown"))
        return entries.select(
            name.alias("image_id"),
            name.alias("study_id"),
            "subject_id",
            "study_order",
            view.alias("view"),
            pl.Series("path", paths, dtype=pl.String),
            pl.Series("width", [w for w, _ in sizes], dtype=pl.Int32),
            pl.Series("height", [h for _, h in sizes], dtype=pl.Int32),
            subject_split(entries["subject_id"], seed=self.split_seed).alias("split"),
            pl.col("Finding Labels").alias("labels"),
        )


def _check_labels(entries: pl.DataFrame, path: Path) -> None:
    for row, text in enumerate(entries["Finding Labels"]):
        for label in (text or "").split("|"):
            if label != _NO_FINDING and label not in LABELS:
                raise InputError(
                    f"{path}, row {row + 2}: finding '{label}' is none of the 14 labels or '{_NO_FINDING}'"
                )


def _found(labels: str) -> list[str]:
    """Return the findings of a label text in canonical order."""
    names = {LABELS[label] for label in labels.split("|") if label != _NO_FINDING}
    return sorted(names, key=ANSWER_FINDINGS.index)


def _findings(images: pl.DataFrame) -> pl.DataFrame:
    rows = [
        (image_id, None, NODE_OF_ANSWER[answer], "yes" if answer in found else "no", None)
        for image_id, found in zip(images["image_id"], map(_found, images["labels"]), strict=True)
        for answer in LABELS.values()
    ]
    return pl.DataFrame(rows, schema=SCHEMAS["findings"], orient="row")


def _question_rows(images: pl.DataFrame, seed: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    before: dict[str, Any] | None = None
    for number, image in enumerate(images.iter_rows(named=True)):
        rng = np.random.default_rng((seed, int(image["subject_id"]), image["study_order"]))
        found = _found(image["labels"])
        asked = list(_single_questions(found, image["view"], rng))
        rows += [_row(f"n{number:06d}-{k}", image, None, *parts) for k, parts in enumerate(asked)]
        if before is not None and before["subject_id"] == image["subject_id"]:
            answer = write_changes(_changes(_found(before["labels"]), found))
            parts = ("difference", ask.WHAT_CHANGED, answer)
            rows.append(_row(f"n{number:06d}-d", image, before["image_id"], *parts))
        before = image
    return rows


def _row(
    question_id: str, image: dict[str, Any], reference: str | None, kind: str, question: str, answer: str
) -> tuple[Any, ...]:
    keywords = answer_keywords(kind, answer)
    subject, main, split = image["subject_id"], image["image_id"], image["split"]
    return (question_id, subject, main, reference, kind, question, answer, keywords, split)


def _single_questions(found: list[str], view: str, rng: np.random.Generator) -> list[tuple[str, str, str]]:
    asked = [("abnormality", ask.ANY_ABNORMALITY, ask.yes_no(bool(found)))]
    if found:
        asked.append(("abnormality", ask.ABNORMALITIES, ask.list_answer(found)))
        asked.append(("presence", ask.presence(str(rng.choice(found))), "yes"))
    absent = [answer for answer in LABELS.values() if answer not in found]
    asked.append(("presence", ask.presence(str(rng.choice(absent))), "no"))
    if view in ("PA", "AP"):
        asked.append(("view", ask.VIEW, ask.view_answer(view)))
    return asked


def _changes(before: list[str], after: list[str]) -> list[Change]:
    added = [Change(finding, ChangeKind.ADDED) for finding in after if finding not in before]
    return added + [Change(finding, ChangeKind.REMOVED) for finding in before if finding not in after]
