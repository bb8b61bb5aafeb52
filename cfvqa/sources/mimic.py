"""The paper's data: MIMIC-CXR-JPG with Chest ImaGenome and Medical-Diff-VQA (the phantom writes the same)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.sources import chest_imagenome, medical_diff_vqa, mimic_cxr_jpg
from cfvqa.sources.image_files import check_image
from cfvqa.sources.order import order_pairs
from cfvqa.sources.paths import existing_root, safe_path
from cfvqa.sources.splits import leaked_subjects, paper_split, subject_split
from cfvqa.sources.tables import Tables, conform, validate


@dataclass(frozen=True)
class MimicSource:
    """Read the three releases into tables.

    Attributes:
        root: folder that holds the three.
        images, graphs, questions: their folders below `root`.
        name, version, licence: go into `dataset.json`.
        split: "subject" (hashed), "paper" (the published row order), or "official" (MIMIC-CXR's).
        split_seed: of the hashed split.
        pairing: "auto" or "always" (see `medical_diff_vqa.read_questions`).
        on_reversed: "error", "swap" or "drop" (see `order.order_pairs`).
        limit: first N subjects by id; None takes all.
    """

    root: Path | str
    images: str = "mimic-cxr-jpg"
    graphs: str = "chest-imagenome"
    questions: str = "medical-diff-vqa"
    name: str = "mimic"
    version: str = "1.0.1"
    licence: str = "PhysioNet Credentialed Health Data License 1.5.0"
    split: str = "subject"
    split_seed: int = 1
    pairing: str = "auto"
    on_reversed: str = "swap"
    limit: int | None = None

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read, join and check everything.

        One image a study: the one that `mimic_all.csv` names. Findings of whole images come from the key
        information, and from CheXpert where that says nothing of a finding.
        """
        root = existing_root(self.root)
        image_root = existing_root(root / self.images, "source.images")
        images, skipped = self._images(root, image_root)
        questions, question_skips = medical_diff_vqa.read_questions(root / self.questions, images, pairing=self.pairing)
        questions, reversed_pairs = order_pairs(questions, images, on_reversed=self.on_reversed)
        regions, local, graph_skips = chest_imagenome.read_graphs(root / self.graphs, images, progress)
        whole, finding_skips = medical_diff_vqa.read_key_information(root / self.questions, images)
        chexpert = mimic_cxr_jpg.read_chexpert(image_root, images)
        chexpert = chexpert.join(whole, on=["image_id", "finding"], how="anti")
        images, questions = self._split(images, questions)
        skipped |= question_skips | graph_skips | finding_skips
        skipped[f"reversed pair ({self.on_reversed})"] = reversed_pairs
        skipped["subject on both sides of the split"] = len(leaked_subjects(questions))
        return validate(
            Tables(
                images=conform(images, "images"),
                regions=conform(regions, "regions"),
                findings=pl.concat([conform(part, "findings") for part in (local, whole, chexpert)]),
                questions=conform(questions, "questions"),
                source=self.name,
                version=self.version,
                licence=self.licence,
                root=image_root,
                skipped=skipped,
            )
        )

    def _images(self, root: Path, image_root: Path) -> tuple[pl.DataFrame, dict[str, int]]:
        everything = mimic_cxr_jpg.read_images(image_root)
        if everything["image_id"].is_duplicated().any():
            doubled = everything.filter(pl.col("image_id").is_duplicated())["image_id"][0]
            raise InputError(f"metadata of {image_root}: dicom_id '{doubled}' occurs more than once; ids are unique")
        studies = medical_diff_vqa.read_studies(root / self.questions)
        images = everything.join(studies.drop("study_id"), on="image_id").sort("subject_id", "study_order")
        if self.limit is not None:
            first = images["subject_id"].unique().sort().head(self.limit)
            images = images.filter(pl.col("subject_id").is_in(first.implode()))
        for path in images["path"]:
            check_image(safe_path(image_root, path))
        return images, {"image that no study names": len(everything) - len(images) if self.limit is None else 0}

    def _split(self, images: pl.DataFrame, questions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if self.split == "subject":
            split = subject_split(images["subject_id"], seed=self.split_seed)
            images = images.with_columns(split.alias("split"))
        elif self.split == "official":
            images = images.with_columns(pl.col("official_split").alias("split"))
        elif self.split == "paper":
            questions = questions.with_columns(paper_split(len(questions)))
            return _split_of_first_question(images, questions), questions
        else:
            raise InputError(f"source.split is '{self.split}': choose subject, paper or official")
        of_image = images.select(pl.col("image_id").alias("main_image"), "split")
        return images, questions.drop("split").join(of_image, on="main_image", maintain_order="left")


def _split_of_first_question(images: pl.DataFrame, questions: pl.DataFrame) -> pl.DataFrame:
    """Give a subject's images the split of its last question: only a subject that the cut divides has two."""
    first = questions.group_by("subject_id", maintain_order=True).agg(pl.col("split").last())
    joined = images.join(first, on="subject_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("split").fill_null("train"))
