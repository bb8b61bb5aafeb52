"""The paper's data: MIMIC-CXR with Chest ImaGenome and Medical-Diff-VQA (the phantom writes the same)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.sources import chest_imagenome, gold_boxes, key_information, medical_diff_vqa, mimic_cxr_jpg
from cfvqa.sources.checks import validate
from cfvqa.sources.csv_files import find_csv
from cfvqa.sources.image_files import measure_images
from cfvqa.sources.mimic_images import Absence, on_official_sides, one_a_study, with_files
from cfvqa.sources.order import Policy, order_pairs
from cfvqa.sources.paths import existing_file, existing_root
from cfvqa.sources.source import FileTree, SourceFiles
from cfvqa.sources.splits import first_subjects, on_two_sides, subject_split
from cfvqa.sources.tables import Tables, conform

SplitRule = Literal["subject", "paper", "official"]


@dataclass(frozen=True)
class _Releases:
    """Folders: of MIMIC-CXR-JPG and its tables, of the image files, of the scene graphs, of the questions."""

    tables: Path
    images: Path
    graphs: Path
    questions: Path


@dataclass(frozen=True)
class MimicSource:
    """Read the releases into tables.

    Attributes:
        root: folder that holds them.
        images, graphs, questions: the folders of MIMIC-CXR-JPG, Chest ImaGenome and Medical-Diff-VQA below `root`.
        dicom: folder of MIMIC-CXR below `root`, whose DICOM files are read then in place of the JPEG files; the
            tables of MIMIC-CXR-JPG are needed all the same. None reads the JPEG files.
        boxes: "silver" or "gold": who located the regions (see `chest_imagenome.read_graphs`).
        labels: "chexpert" or "negbio": who labelled the reports (see `mimic_cxr_jpg.read_labels`).
        name, version, licence: go into `dataset.json`.
        split: "subject" (hashed), "paper" (the published row order), or "official" (MIMIC-CXR's).
        split_seed: of the hashed split.
        pairing: "auto" or "always" (see `medical_diff_vqa.read_questions`).
        on_reversed: "error", "swap" or "drop" (see `order.order_pairs`).
        on_missing: "error" or "drop": what to do with a study whose image file is not there.
        frontal_only: whether studies without a PA or AP image are left out.
        limit: first N subjects by id; None takes all.
    """

    root: Path | str
    images: str = "mimic-cxr-jpg"
    graphs: str = "chest-imagenome"
    questions: str = "medical-diff-vqa"
    dicom: str | None = None
    boxes: chest_imagenome.Boxes = "silver"
    labels: mimic_cxr_jpg.Labeller = "chexpert"
    name: str = "mimic"
    version: str = "1.0.1"
    licence: str = "PhysioNet Credentialed Health Data License 1.5.0"
    split: SplitRule = "subject"
    split_seed: int = 1
    pairing: medical_diff_vqa.Pairing = "auto"
    on_reversed: Policy = "swap"
    on_missing: Absence = "error"
    frontal_only: bool = True
    limit: int | None = None

    def files(self) -> SourceFiles:
        """Return the tables of the releases, the radiographs and the scene graphs."""
        releases = self._releases()
        published = (mimic_cxr_jpg.METADATA, mimic_cxr_jpg.SPLIT)
        asked = (medical_diff_vqa.STUDIES, medical_diff_vqa.QUESTIONS)
        return SourceFiles(
            root=existing_root(self.root),
            images=releases.images,
            tables=(
                *(find_csv(releases.tables, name, mimic_cxr_jpg.KEY) for name in published),
                mimic_cxr_jpg.labels_file(releases.tables, self.labels),
                *(find_csv(releases.questions, name, medical_diff_vqa.KEY) for name in asked),
                existing_file(releases.questions, key_information.RECORDS, medical_diff_vqa.KEY),
                *([gold_boxes.boxes_file(releases.graphs)] if self.boxes == "gold" else []),
            ),
            trees=(
                FileTree(releases.images / "files", self._suffix),
                FileTree(chest_imagenome.graph_folder(releases.graphs), "_SceneGraph.json"),
            ),
        )

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read, join and check everything.

        One image a study (see `mimic_images.one_a_study`). Findings of whole images come from the key information,
        and from the labels where that says nothing of a finding.

        Args:
            progress: called with the number of images done, first while they are measured, then while their
                scene graphs are read.
        """
        check_choice("source.split", self.split, get_args(SplitRule))
        releases = self._releases()
        images, subjects, skipped = self._images(releases)
        images = measure_images(images, releases.images, progress)
        skipped["image file of another size than published (boxes are scaled)"] = _resized(images)
        questions, question_skips = medical_diff_vqa.read_questions(
            releases.questions, images, pairing=self.pairing, subjects=subjects
        )
        questions, pair_skips = order_pairs(questions, images, on_reversed=self.on_reversed)
        regions, local, graph_skips = chest_imagenome.read_graphs(releases.graphs, images, self.boxes, progress)
        whole, finding_skips = key_information.read_key_information(releases.questions, images)
        labels = mimic_cxr_jpg.read_labels(releases.tables, images, self.labels)
        labels = labels.join(whole, on=["image_id", "finding"], how="anti")
        images, questions = self._split(images, questions)
        skipped |= question_skips | pair_skips | graph_skips | finding_skips
        skipped["subject on two sides of the split"] = len(on_two_sides(questions, "subject_id"))
        return validate(
            Tables(
                images=conform(images, "images"),
                regions=conform(regions, "regions"),
                findings=pl.concat([conform(part, "findings") for part in (local, whole, labels)]),
                questions=conform(questions, "questions"),
                source=self.name,
                version=self.version,
                licence=self.licence,
                root=releases.images,
                skipped={reason: count for reason, count in skipped.items() if count},
            )
        )

    @property
    def _suffix(self) -> str:
        return ".jpg" if self.dicom is None else ".dcm"

    def _releases(self) -> _Releases:
        root = existing_root(self.root)
        tables = existing_root(root / self.images, mimic_cxr_jpg.KEY)
        return _Releases(
            tables=tables,
            images=tables if self.dicom is None else existing_root(root / self.dicom, "source.dicom"),
            graphs=existing_root(root / self.graphs, "source.graphs"),
            questions=existing_root(root / self.questions, medical_diff_vqa.KEY),
        )

    def _images(self, releases: _Releases) -> tuple[pl.DataFrame, pl.Series | None, dict[str, int]]:
        """Return one image a study, the subjects that `limit` leaves (None: all), and what was skipped."""
        studies = medical_diff_vqa.read_studies(releases.questions)
        subjects = None if self.limit is None else first_subjects(studies["subject_id"], self.limit)
        if subjects is not None:
            studies = studies.filter(pl.col("subject_id").is_in(subjects.implode()))
        published = mimic_cxr_jpg.read_images(releases.tables, self._suffix)
        images, skipped = one_a_study(published, studies, frontal_only=self.frontal_only)
        if self.split == "official":
            images, unsplit = on_official_sides(images)
            skipped |= unsplit
        images, missing = with_files(images, releases.images, self.on_missing)
        skipped |= missing
        if not len(images):
            raise InputError(
                f"none of the {len(studies)} studies of {releases.questions / medical_diff_vqa.STUDIES} has a "
                f"radiograph in {find_csv(releases.tables, mimic_cxr_jpg.METADATA, mimic_cxr_jpg.KEY)} that can be "
                "used: give releases that belong together"
            )
        return images.sort("subject_id", "study_order", "study_id"), subjects, skipped

    def _split(self, images: pl.DataFrame, questions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if self.split == "paper":
            return _split_of_last_question(images, questions), questions
        if self.split == "subject":
            images = images.with_columns(subject_split(images["subject_id"], seed=self.split_seed).alias("split"))
        of_image = images.select(pl.col("image_id").alias("main_image"), "split")
        return images, questions.drop("split").join(of_image, on="main_image", maintain_order="left")


def _resized(images: pl.DataFrame) -> int:
    return len(
        images.filter((pl.col("width") != pl.col("original_width")) | (pl.col("height") != pl.col("original_height")))
    )


def _split_of_last_question(images: pl.DataFrame, questions: pl.DataFrame) -> pl.DataFrame:
    """Give a subject's images the split of its last question, so that no test image trains a detector.

    Only a subject that the cut divides has questions of two splits. One without questions goes to training.
    """
    last = questions.group_by("subject_id", maintain_order=True).agg(pl.col("split").last())
    joined = images.join(last, on="subject_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("split").fill_null("train"))
