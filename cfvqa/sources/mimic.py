"""The paper's data: MIMIC-CXR-JPG with Chest ImaGenome and Medical-Diff-VQA (the phantom writes the same)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.sources import chest_imagenome, key_information, medical_diff_vqa, mimic_cxr_jpg
from cfvqa.sources.checks import validate
from cfvqa.sources.csv_files import find_csv
from cfvqa.sources.image_files import measure_images
from cfvqa.sources.order import Policy, order_pairs
from cfvqa.sources.paths import existing_file, existing_root
from cfvqa.sources.source import FileTree, Listing, SourceFiles, Wanted, found_files
from cfvqa.sources.splits import first_subjects, on_two_sides, subject_split
from cfvqa.sources.tables import Tables, conform

SplitRule = Literal["subject", "paper", "official"]


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
        frontal_only: whether studies without a PA or AP image are left out.
        limit: first N subjects by id; None takes all.
    """

    root: Path | str
    images: str = "mimic-cxr-jpg"
    graphs: str = "chest-imagenome"
    questions: str = "medical-diff-vqa"
    name: str = "mimic"
    version: str = "1.0.1"
    licence: str = "PhysioNet Credentialed Health Data License 1.5.0"
    split: SplitRule = "subject"
    split_seed: int = 1
    pairing: medical_diff_vqa.Pairing = "auto"
    on_reversed: Policy = "swap"
    frontal_only: bool = True
    limit: int | None = None

    def files(self) -> SourceFiles:
        """Return the tables of the three releases, the radiographs and the scene graphs."""
        image_root, _, _ = self._releases()
        return found_files(existing_root(self.root), image_root, self.wanted())

    def wanted(self) -> tuple[Wanted, ...]:
        """Return where the files of the three releases are looked for."""
        existing_root(self.root)
        published = (mimic_cxr_jpg.METADATA, mimic_cxr_jpg.SPLIT, mimic_cxr_jpg.CHEXPERT)
        asked = (medical_diff_vqa.STUDIES, medical_diff_vqa.QUESTIONS, key_information.RECORDS)

        return (
            *(Wanted(f"{self.images}/{name}", partial(self._published, name)) for name in published),
            *(Wanted(f"{self.questions}/{name}", partial(self._asked, name)) for name in asked),
            Wanted(f"{self.images}/files", lambda: FileTree(self._image_root() / "files", ".jpg")),
            Wanted(self.graphs, self._graph_tree),
        )

    def listed(self) -> Listing:
        """Return one image a study, as `read` takes them."""
        images, _, _ = self._images(self._image_root(), self._question_root())
        return Listing(self._image_root(), images.select("subject_id", "path"))

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read, join and check everything.

        One image a study: the one that `mimic_all.csv` names. Findings of whole images come from the key
        information, and from CheXpert where that says nothing of a finding.

        Args:
            progress: called with the number of images done, first while they are measured, then while their
                scene graphs are read.
        """
        check_choice("source.split", self.split, get_args(SplitRule))
        image_root, graph_root, question_root = self._releases()
        images, subjects, skipped = self._images(image_root, question_root)
        images = measure_images(images, image_root, progress)
        skipped["image file of another size than published (boxes are scaled)"] = _resized(images)
        questions, question_skips = medical_diff_vqa.read_questions(
            question_root, images, pairing=self.pairing, subjects=subjects
        )
        questions, pair_skips = order_pairs(questions, images, on_reversed=self.on_reversed)
        regions, local, graph_skips = chest_imagenome.read_graphs(graph_root, images, progress)
        whole, finding_skips = key_information.read_key_information(question_root, images)
        chexpert = mimic_cxr_jpg.read_chexpert(image_root, images).join(whole, on=["image_id", "finding"], how="anti")
        images, questions = self._split(images, questions)
        skipped |= question_skips | pair_skips | graph_skips | finding_skips
        skipped["subject on two sides of the split"] = len(on_two_sides(questions, "subject_id"))
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
                skipped={reason: count for reason, count in skipped.items() if count},
            )
        )

    def _releases(self) -> tuple[Path, Path, Path]:
        """Return the folders of the radiographs, the scene graphs and the questions."""
        return self._image_root(), self._graph_root(), self._question_root()

    def _published(self, name: str) -> Path:
        return find_csv(self._image_root(), name)

    def _asked(self, name: str) -> Path:
        return existing_file(self._question_root(), name, medical_diff_vqa.KEY)

    def _graph_tree(self) -> FileTree:
        return FileTree(chest_imagenome.graph_folder(self._graph_root()), "_SceneGraph.json")

    def _image_root(self) -> Path:
        return existing_root(existing_root(self.root) / self.images, "source.images")

    def _graph_root(self) -> Path:
        return existing_root(existing_root(self.root) / self.graphs, "source.graphs")

    def _question_root(self) -> Path:
        return existing_root(existing_root(self.root) / self.questions, medical_diff_vqa.KEY)

    def _images(self, image_root: Path, question_root: Path) -> tuple[pl.DataFrame, pl.Series | None, dict[str, int]]:
        """Return one image a study, the subjects that `limit` leaves (None: all), and what was skipped."""
        studies = medical_diff_vqa.read_studies(question_root)
        subjects = None if self.limit is None else first_subjects(studies["subject_id"], self.limit)
        if subjects is not None:
            studies = studies.filter(pl.col("subject_id").is_in(subjects.implode()))
        published = mimic_cxr_jpg.read_images(image_root)
        found = published.join(studies.drop("subject_id"), on=["image_id", "study_id"])
        frontal = found.filter(pl.col("view").is_in(["PA", "AP"]) | pl.lit(not self.frontal_only))
        skipped = {
            "study whose image is not in the metadata": len(studies) - len(found),
            "study without a frontal image": len(found) - len(frontal),
        }
        if not len(frontal):
            raise InputError(
                f"none of the {len(studies)} studies of {question_root / medical_diff_vqa.STUDIES} has a radiograph in "
                f"{find_csv(image_root, mimic_cxr_jpg.METADATA)} that can be used: give releases that belong together"
            )
        return frontal.sort("subject_id", "study_order", "study_id"), subjects, skipped

    def _split(self, images: pl.DataFrame, questions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        if self.split == "paper":
            return _split_of_last_question(images, questions), questions
        split = pl.col("official_split")
        if self.split == "subject":
            split = subject_split(images["subject_id"], seed=self.split_seed)
        images = images.with_columns(split.alias("split"))
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
