"""The paper's data: MIMIC-CXR with Chest ImaGenome and Medical-Diff-VQA (the phantom writes the same)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.sources import (
    chest_imagenome,
    gold_boxes,
    gold_findings,
    key_information,
    medical_diff_vqa,
    mimic_cxr_jpg,
    report_files,
)
from cfvqa.sources.checks import validate
from cfvqa.sources.csv_files import find_csv
from cfvqa.sources.image_files import Corruption, measure_images
from cfvqa.sources.mimic_images import (
    Absence,
    count_resized,
    on_official_sides,
    one_a_study,
    split_of_last_question,
    with_files,
)
from cfvqa.sources.order import Policy, order_pairs
from cfvqa.sources.paths import existing_file, existing_root
from cfvqa.sources.source import FileTree, Listing, SourceFiles, Wanted, found_files
from cfvqa.sources.splits import (
    DIVIDED,
    FRACTIONS,
    first_subjects,
    held_out_split,
    on_two_sides,
    subject_split,
    training_share,
)
from cfvqa.sources.tables import Tables, conform

SplitRule = Literal["subject", "paper", "official", "gold"]


@dataclass(frozen=True)
class _Releases:
    """Folders: of MIMIC-CXR-JPG and its tables, of the image files, of the scene graphs, of the questions."""

    tables: Path
    images: Path
    graphs: Path
    questions: Path


@dataclass(frozen=True)
class _Named:
    """What the tables name.

    Attributes:
        images: one a study.
        subjects: that `limit` leaves; None: all.
        studies: how many.
        skipped: how many of what was left out.
    """

    images: pl.DataFrame
    subjects: pl.Series | None
    studies: int
    skipped: dict[str, int]


@dataclass(frozen=True)
class MimicSource:
    """Read the releases into tables.

    Attributes:
        root: folder that holds them.
        images, graphs, questions: the folders of MIMIC-CXR-JPG, Chest ImaGenome and Medical-Diff-VQA below `root`.
        dicom: folder of MIMIC-CXR below `root`, whose DICOM files are read then in place of the JPEG files; the
            tables of MIMIC-CXR-JPG are needed all the same. None reads the JPEG files.
        reports: folder of MIMIC-CXR below `root` that holds the texts of its reports, so that studies without one are
            counted; None does not look.
        boxes: "silver" or "gold": who located the regions (see `chest_imagenome.read_graphs`).
        labels: "chexpert" or "negbio": who labelled the reports (see `mimic_cxr_jpg.read_labels`).
        name, version, licence: go into `dataset.json`.
        split: "subject" (hashed), "paper" (as published, by rows), "official" (MIMIC-CXR's), or "gold": Chest
            ImaGenome's gold subjects are tested, by what people drew and checked alone (see
            `gold_findings.judged_by_people`); the others are hashed to training and validation.
        split_seed: of the hashed splits.
        pairing: "auto" or "always" (see `medical_diff_vqa.read_questions`).
        on_reversed: "error", "swap" or "drop" (see `order.order_pairs`).
        on_missing: "error" or "drop": what to do with a study whose image file is not there.
        on_corrupt: "error" or "drop": what to do with one whose image file cannot be read (see
            `image_files.measure_images`).
        frontal_only: whether studies without a PA or AP image are left out.
        limit: first N subjects by id; None takes all.
    """

    root: Path | str
    images: str = "mimic-cxr-jpg"
    graphs: str = "chest-imagenome"
    questions: str = "medical-diff-vqa"
    dicom: str | None = None
    reports: str | None = None
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
    on_corrupt: Corruption = "error"
    frontal_only: bool = True
    limit: int | None = None

    def files(self) -> SourceFiles:
        """Return the tables of the releases, the radiographs and the scene graphs."""
        return found_files(existing_root(self.root), self._image_root(), self.wanted())

    def wanted(self) -> tuple[Wanted, ...]:
        """Return where the files of the releases are looked for."""
        existing_root(self.root)
        published = (mimic_cxr_jpg.METADATA, mimic_cxr_jpg.SPLIT)
        asked = (medical_diff_vqa.STUDIES, medical_diff_vqa.QUESTIONS)
        return (
            *(Wanted(f"{self.images}/{name}", partial(self._published, name)) for name in published),
            Wanted(f"{self.images}/{mimic_cxr_jpg.LABELS.get(self.labels, self.labels)}", self._labels),
            *(Wanted(f"{self.questions}/{name}", partial(self._asked, name)) for name in asked),
            Wanted(f"{self.questions}/{key_information.RECORDS}", self._records),
            *self._wanted_gold(),
            *([] if self.reports is None else [Wanted(f"{self.reports}/files", self._report_tree)]),
            Wanted(f"{self.dicom or self.images}/files", self._image_tree),
            Wanted(self.graphs, self._graph_tree),
        )

    def listed(self) -> Listing:
        """Return one image a study, as `read` takes them where all files are there."""
        releases = self._releases()
        images = self._named(releases).images
        training = training_share(images["split"]) if self.split == "official" else FRACTIONS[0]
        return Listing(releases.images, images.select("subject_id", "path"), training)

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read, join and check everything.

        One image a study (see `mimic_images.one_a_study`). Findings of whole images come from the key information,
        and from the labels where that says nothing of a finding. A study without key information has its labels alone,
        one without a report stays as it is: both are counted.

        Args:
            progress: called with the number of images done, first while they are measured, then while their
                scene graphs are read.
        """
        self._check_split()
        releases = self._releases()
        images, subjects, skipped = self._images(releases)
        images, unreadable = measure_images(images, releases.images, self.on_corrupt, progress)
        skipped |= unreadable | self._without_report(images)
        skipped["image file of another size than published (boxes are scaled)"] = count_resized(images)
        questions, question_skips = medical_diff_vqa.read_questions(
            releases.questions, images, pairing=self.pairing, subjects=subjects
        )
        questions, pair_skips = order_pairs(questions, images, on_reversed=self.on_reversed)
        regions, local, graph_skips = chest_imagenome.read_graphs(releases.graphs, images, self.boxes, progress)
        whole, finding_skips = key_information.read_key_information(releases.questions, images)
        labels = mimic_cxr_jpg.read_labels(releases.tables, images, self.labels)
        labels = labels.join(whole, on=["image_id", "finding"], how="anti")
        findings = pl.concat([conform(part, "findings") for part in (local, whole, labels)])
        images, questions = self._split(images, questions)
        if self.split == "gold":
            tested = images.filter(pl.col("split") == "test")["image_id"]
            regions, findings, gold_skips = gold_findings.judged_by_people(releases.graphs, tested, regions, findings)
            skipped |= gold_skips
        skipped |= question_skips | pair_skips | graph_skips | finding_skips
        skipped[DIVIDED] = len(on_two_sides(questions, "subject_id"))
        return validate(
            Tables(
                images=conform(images, "images"),
                regions=conform(regions, "regions"),
                findings=findings,
                questions=conform(questions, "questions"),
                source=self.name,
                version=self.version,
                licence=self.licence,
                root=releases.images,
                skipped={reason: count for reason, count in skipped.items() if count},
            )
        )

    def _check_split(self) -> None:
        check_choice("source.split", self.split, get_args(SplitRule))
        if self.split == "gold" and self.boxes != "gold":
            raise InputError(f"source.split is gold, source.boxes is {self.boxes}: choose gold boxes, too")

    def _wanted_gold(self) -> Iterator[Wanted]:
        """Yield what gold boxes need, and what a gold split needs besides."""
        if self.boxes == "gold":
            yield Wanted(f"{self.graphs}/{gold_boxes.BOXES}", self._gold(gold_boxes.boxes_file))
        if self.split == "gold":
            yield Wanted(f"{self.graphs}/{gold_findings.CHECKED}", self._gold(gold_findings.checked_file))
            yield Wanted(f"{self.graphs}/{gold_findings.AVOIDED}", self._gold(gold_findings.avoided_file))

    @property
    def _suffix(self) -> str:
        return ".jpg" if self.dicom is None else ".dcm"

    def _releases(self) -> _Releases:
        return _Releases(
            tables=self._table_root(),
            images=self._image_root(),
            graphs=self._graph_root(),
            questions=self._question_root(),
        )

    def _published(self, name: str) -> Path:
        return find_csv(self._table_root(), name, mimic_cxr_jpg.KEY)

    def _labels(self) -> Path:
        return mimic_cxr_jpg.labels_file(self._table_root(), self.labels)

    def _asked(self, name: str) -> Path:
        return find_csv(self._question_root(), name, medical_diff_vqa.KEY)

    def _records(self) -> Path:
        return existing_file(self._question_root(), key_information.RECORDS, medical_diff_vqa.KEY)

    def _gold(self, find: Callable[[Path], Path]) -> Callable[[], Path]:
        return lambda: find(self._graph_root())

    def _image_tree(self) -> FileTree:
        return FileTree(self._image_root() / "files", self._suffix)

    def _report_tree(self) -> FileTree:
        return FileTree(self._report_root() / "files", report_files.SUFFIX)

    def _graph_tree(self) -> FileTree:
        return FileTree(chest_imagenome.graph_folder(self._graph_root()), "_SceneGraph.json")

    def _table_root(self) -> Path:
        return existing_root(existing_root(self.root) / self.images, mimic_cxr_jpg.KEY)

    def _image_root(self) -> Path:
        return self._table_root() if self.dicom is None else existing_root(Path(self.root) / self.dicom, "source.dicom")

    def _graph_root(self) -> Path:
        return existing_root(existing_root(self.root) / self.graphs, "source.graphs")

    def _report_root(self) -> Path:
        return existing_root(Path(self.root) / str(self.reports), f"source.{report_files.KEY}")

    def _question_root(self) -> Path:
        return existing_root(existing_root(self.root) / self.questions, medical_diff_vqa.KEY)

    def _images(self, releases: _Releases) -> tuple[pl.DataFrame, pl.Series | None, dict[str, int]]:
        """Return one image a study, the subjects that `limit` leaves (None: all), and what was skipped."""
        named = self._named(releases)
        images, missing = with_files(named.images, releases.images, self.on_missing)
        if not len(images):
            metadata = self._published(mimic_cxr_jpg.METADATA)
            raise InputError(
                f"none of the {named.studies} studies of {self._asked(medical_diff_vqa.STUDIES)} has a radiograph in "
                f"{metadata} that can be used: give releases that belong together"
            )
        return images, named.subjects, named.skipped | missing

    def _named(self, releases: _Releases) -> _Named:
        studies = medical_diff_vqa.read_studies(releases.questions)
        subjects = None if self.limit is None else first_subjects(studies["subject_id"], self.limit)
        if subjects is not None:
            studies = studies.filter(pl.col("subject_id").is_in(subjects.implode()))
        published = mimic_cxr_jpg.read_images(releases.tables, self._suffix)
        images, skipped = one_a_study(published, studies, frontal_only=self.frontal_only)
        if self.split == "official":
            images, unsplit = on_official_sides(images)
            skipped |= unsplit
        return _Named(images.sort("subject_id", "study_order", "study_id"), subjects, len(studies), skipped)

    def _without_report(self, images: pl.DataFrame) -> dict[str, int]:
        if self.reports is None:
            return {}
        return {"study without a report (kept)": report_files.count_missing(images, self._report_root())}

    def _split(self, images: pl.DataFrame, questions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if self.split == "paper":
            return split_of_last_question(images, questions), questions
        subjects = images["subject_id"]
        if self.split == "subject":
            images = images.with_columns(split=subject_split(subjects, seed=self.split_seed))
        if self.split == "gold":
            tested = subjects.is_in(gold_findings.read_subjects(self._graph_root()).implode())
            images = images.with_columns(split=held_out_split(subjects, tested, seed=self.split_seed))
        of_image = images.select(pl.col("image_id").alias("main_image"), "split")
        return images, questions.drop("split").join(of_image, on="main_image", maintain_order="left")
