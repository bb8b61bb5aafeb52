"""The paper's data: MIMIC-CXR with Chest ImaGenome and Medical-Diff-VQA (the phantom writes the same)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
from cfvqa.sources.image_files import Corruption, measure_images
from cfvqa.sources.mimic_images import (
    Absence,
    count_resized,
    on_official_sides,
    on_sides_of_questions,
    one_a_study,
    with_files,
)
from cfvqa.sources.mimic_releases import MimicReleases
from cfvqa.sources.order import Policy, order_pairs
from cfvqa.sources.paths import existing_root
from cfvqa.sources.source import Listing, SourceFiles, Wanted, found_files
from cfvqa.sources.splits import (
    DIVIDED,
    FRACTIONS,
    first_subjects,
    held_out_split,
    on_two_sides,
    subject_split,
    training_share,
)
from cfvqa.sources.tables import Tables, conform, numbers_of

SplitRule = Literal["subject", "paper", "official", "gold"]


@dataclass(frozen=True)
class _Named:
    """What the tables name.

    Attributes:
        images: one a study.
        subjects: that `limit` leaves; None: all.
        studies: how many.
        skipped: how many of what was left out.
        left_out: paths of images whose file is missing.
    """

    images: pl.DataFrame
    subjects: pl.Series | None
    studies: int
    skipped: dict[str, int]
    left_out: dict[str, list[str]] = field(default_factory=dict)


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
        return found_files(existing_root(self.root), self._releases.image_root, self.wanted())

    def wanted(self) -> tuple[Wanted, ...]:
        """Return where the files of the releases are looked for."""
        self._check_split()
        existing_root(self.root)
        return self._releases.wanted(self.labels, self._gold_files)

    def listed(self) -> Listing:
        """Return one image a study, as `read` takes them where all files are there."""
        self._releases.check(self.version)
        named = self._named()
        images = self._some(named.images, named.studies)
        training = FRACTIONS[0] if self.split == "paper" else training_share(self._on_sides(images)["split"])
        return Listing(self._releases.image_root, images.select("subject_id", "path"), training)

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
        releases = self._releases
        releases.check(self.version)
        named = self._images()
        images, unreadable = measure_images(named.images, releases.image_root, self.on_corrupt, progress)
        left_out = named.left_out | unreadable | self._without_report(images)
        skipped = named.skipped | numbers_of(left_out)
        skipped["image file of another size than published (boxes are scaled)"] = count_resized(images)
        questions, question_skips = medical_diff_vqa.read_questions(
            releases.question_root, images, pairing=self.pairing, subjects=named.subjects
        )
        questions, pair_skips = order_pairs(questions, images, on_reversed=self.on_reversed)
        regions, local, graph_skips = chest_imagenome.read_graphs(releases.graph_root, images, self.boxes, progress)
        whole, finding_skips = key_information.read_key_information(releases.question_root, images)
        labels = mimic_cxr_jpg.read_labels(releases.table_root, images, self.labels)
        labels = labels.join(whole, on=["image_id", "finding"], how="anti")
        findings = pl.concat([conform(part, "findings") for part in (local, whole, labels)])
        images, questions = self._split(images, questions)
        if self.split == "gold":
            tested = images.filter(pl.col("split") == "test")["image_id"]
            regions, findings, gold_skips = gold_findings.judged_by_people(
                releases.graph_root, tested, regions, findings
            )
            skipped |= gold_skips
        skipped |= question_skips | pair_skips | graph_skips | finding_skips
        left_out[DIVIDED] = on_two_sides(questions, "subject_id").to_list()
        skipped[DIVIDED] = len(left_out[DIVIDED])
        return validate(
            Tables(
                images=conform(images, "images"),
                regions=conform(regions, "regions"),
                findings=findings,
                questions=conform(questions, "questions"),
                source=self.name,
                version=self.version,
                licence=self.licence,
                root=releases.image_root,
                skipped={reason: count for reason, count in skipped.items() if count},
                left_out=left_out,
            )
        )

    def _check_split(self) -> None:
        check_choice("source.split", self.split, get_args(SplitRule))
        if self.split == "gold" and self.boxes != "gold":
            raise InputError(f"source.split=gold needs source.boxes=gold, which is {self.boxes}: give both")

    @property
    def _releases(self) -> MimicReleases:
        return MimicReleases(self.root, self.images, self.graphs, self.questions, self.dicom, self.reports)

    @property
    def _gold_files(self) -> dict[str, Callable[[Path], Path]]:
        """What gold boxes need, and what a gold split needs besides."""
        boxes = {gold_boxes.BOXES: gold_boxes.boxes_file} if self.boxes == "gold" else {}
        return boxes | (gold_findings.FILES if self.split == "gold" else {})

    def _images(self) -> _Named:
        """Return what the tables name and is there."""
        named = self._named()
        images, missing = with_files(named.images, self._releases.image_root, self.on_missing)
        return replace(named, images=self._some(images, named.studies), left_out=missing)

    def _some(self, images: pl.DataFrame, studies: int) -> pl.DataFrame:
        """Return the images; refuse none at all, of so many studies."""
        if not len(images):
            raise InputError(
                f"none of the {studies} studies of {self._releases.studies} has a radiograph in "
                f"{self._releases.metadata} that can be used: give releases that belong together"
            )
        return images

    def _named(self) -> _Named:
        studies = medical_diff_vqa.read_studies(self._releases.question_root)
        subjects = None if self.limit is None else first_subjects(studies["subject_id"], self.limit)
        if subjects is not None:
            studies = studies.filter(pl.col("subject_id").is_in(subjects.implode()))
        published = mimic_cxr_jpg.read_images(self._releases.table_root, self._releases.suffix)
        images, skipped = one_a_study(published, studies, frontal_only=self.frontal_only, subjects=subjects)
        if self.split == "official":
            images, unsplit = on_official_sides(images)
            skipped |= unsplit
        return _Named(images.sort("subject_id", "study_order", "study_id"), subjects, len(studies), skipped)

    def _without_report(self, images: pl.DataFrame) -> dict[str, list[str]]:
        if self.reports is None:
            return {}
        return {"study without a report (kept)": report_files.without_report(images, self._releases.report_root)}

    def _split(self, images: pl.DataFrame, questions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if self.split == "paper":
            return on_sides_of_questions(images, questions), questions
        images = self._on_sides(images)
        of_image = images.select(pl.col("image_id").alias("main_image"), "split")
        return images, questions.drop("split").join(of_image, on="main_image", maintain_order="left")

    def _on_sides(self, images: pl.DataFrame) -> pl.DataFrame:
        """Divide images by their subjects; those of the official split are divided already."""
        subjects = images["subject_id"]
        if self.split == "subject":
            return images.with_columns(split=subject_split(subjects, seed=self.split_seed))
        if self.split == "gold":
            tested = subjects.is_in(gold_findings.read_subjects(self._releases.graph_root).implode())
            return images.with_columns(split=held_out_split(subjects, tested, seed=self.split_seed))
        return images
