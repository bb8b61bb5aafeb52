"""NIH ChestX-ray14: public radiographs with follow-ups; pairs and questions are made from its labels."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice, quoted
from cfvqa.sources.checks import validate
from cfvqa.sources.csv_files import check_unique, integers, read_csv
from cfvqa.sources.image_files import Corruption, measure_images
from cfvqa.sources.image_labels import whole_image_findings
from cfvqa.sources.nih_boxes import BOXES, IMAGE_NAME, LABELS, read_finding_boxes
from cfvqa.sources.nih_questions import ask_questions
from cfvqa.sources.paths import check_ids, existing_file, existing_root, refuse_unlisted
from cfvqa.sources.source import FileTree, Listing, SourceFiles, Wanted, found_files, if_there
from cfvqa.sources.splits import held_out_split, of_first_subjects, subject_split, training_share
from cfvqa.sources.tables import Tables, conform, empty, numbers_of
from cfvqa.vocabulary.findings import ANSWER_FINDINGS, NODE_OF_ANSWER

CAVEATS = (
    "labels were found in reports by text rules, more than nine in ten of them right by its authors' estimate (Wang et "
    "al., CVPR 2017); radiologists who looked at the images found fewer (Oakden-Rayner, Academic Radiology 2020).",
    "findings have neither level nor place, and follow-ups no dates: a change of level or place does not show.",
)

SplitRule = Literal["subject", "official"]
_NO_FINDING = "No Finding"
_ENTRIES, _NEWER, _IMAGES = "Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv", "images"
_LISTS = ("test_list.txt", "train_val_list.txt")


@dataclass(frozen=True)
class NihSource:
    """Read ChestX-ray14 into tables: consecutive follow-ups of a patient are pairs, the later the main image.

    It has boxes of some findings, drawn by a radiologist in about one image of 130, none of regions.

    Attributes:
        root: folder with `Data_Entry_2017.csv` or `Data_Entry_2017_v2020.csv`, and `images/` or `images_*/images/`;
            optional are the list of boxes `BBox_List_2017.csv`, and with split=subject the two lists of images.
        name, version, licence: go into `dataset.json`.
        split: "subject" (hashed), or "official" (its two lists; an eighth of the first is hashed to validation).
        split_seed: of the hashed split.
        question_seed: of the findings that presence questions ask for.
        on_corrupt: "error" or "drop": what to do with an image file that cannot be read (see
            `image_files.measure_images`).
        limit: first N subjects by id; None takes all.
    """

    root: Path | str
    name: str = "nih"
    version: str = "2017"
    licence: str = "NIH Clinical Center: unrestricted use; cite Wang et al., CVPR 2017"
    split: SplitRule = "subject"
    split_seed: int = 1
    question_seed: int = 1
    on_corrupt: Corruption = "error"
    limit: int | None = None

    def files(self) -> SourceFiles:
        """Return the tables that are there, and the radiographs."""
        root = existing_root(self.root)
        return found_files(root, root, self.wanted())

    def wanted(self) -> tuple[Wanted, ...]:
        """Return the table of labels, those that may be left out, and the radiographs."""
        root = existing_root(self.root)
        lists = existing_file if self.split == "official" else _optional_file
        folders = _image_folders(root) or [root / _IMAGES]
        return (
            Wanted(_ENTRIES, partial(_entry_table, root)),
            Wanted(BOXES, partial(_optional_file, root, BOXES)),
            *(Wanted(name, partial(lists, root, name)) for name in _LISTS),
            *(Wanted(os.path.relpath(folder, root), partial(FileTree, folder, ".png")) for folder in folders),
        )

    def listed(self) -> Listing:
        """Return the images of the table of labels."""
        root = existing_root(self.root)
        images = _place(of_first_subjects(_read_entries(root), self.limit), root)
        return Listing(root, images.select("subject_id", "path"), training_share(self._split(images, root)))

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read labels and images, and ask the questions that the labels answer.

        Args:
            progress: called with the number of image files checked so far.
        """
        root = existing_root(self.root)
        labelled = _read_entries(root)
        images = _place(of_first_subjects(labelled, self.limit), root)
        images, unreadable = measure_images(images, root, self.on_corrupt, progress)
        for folder in _image_folders(root):
            refuse_unlisted(folder, ".png", labelled["image_id"] + ".png", _entry_table(root))
        images = images.with_columns(self._split(images, root))
        boxes, skipped = read_finding_boxes(root, labelled.select("image_id"), images)
        if self.split == "official":
            named = pl.Series([name for part in _LISTS for name in _names_in(root / part)], dtype=pl.String)
            rows = (labelled["image_id"] + ".png").implode()
            skipped["name in the official lists without a row"] = int((~named.is_in(rows)).sum())
        return validate(
            Tables(
                images=conform(images, "images"),
                regions=empty("regions"),
                findings=whole_image_findings(images, [NODE_OF_ANSWER[name] for name in LABELS.values()]),
                questions=ask_questions(images, list(LABELS.values()), self.question_seed),
                source=self.name,
                version=self.version,
                licence=self.licence,
                root=root,
                skipped={reason: count for reason, count in (numbers_of(unreadable) | skipped).items() if count},
                left_out=unreadable,
                caveats=CAVEATS,
                finding_boxes=boxes,
            )
        )

    def _split(self, images: pl.DataFrame, root: Path) -> pl.Series:
        check_choice("source.split", self.split, get_args(SplitRule))
        subjects = images["subject_id"]
        if self.split == "subject":
            return subject_split(subjects, seed=self.split_seed).alias("split")
        listed, others = (_names_in(existing_file(root, name)) for name in _LISTS)
        _refuse_overlap(listed, others, root)
        known = set(listed) | set(others)
        names = images["image_id"] + ".png"
        if not names.is_in(list(known)).all():
            stranger = names.filter(~names.is_in(list(known)))[0]
            raise InputError(f"image '{stranger}' is in neither list of {root}: restore the lists, or split=subject")
        return held_out_split(subjects, names.is_in(listed), seed=self.split_seed).alias("split")


def _entry_table(root: Path) -> Path:
    newer = if_there(root / _NEWER)
    if newer is not None and (root / _ENTRIES).is_file():
        raise InputError(f"{root} has both {_ENTRIES} and {_NEWER}: keep the one that the labels shall come from")
    return newer or existing_file(root, _ENTRIES)


def _optional_file(root: Path, name: str) -> Path | None:
    return if_there(root / name)


def _image_folders(root: Path) -> list[Path]:
    return [folder for folder in (root / _IMAGES, *sorted(root.glob("images_*/images"))) if folder.is_dir()]


def _names_in(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a list of image names ({error}): restore the file") from error


def _refuse_overlap(test: list[str], others: list[str], root: Path) -> None:
    """Refuse lists that share a patient, whose number a name begins with: the published ones are disjoint."""
    shared = {name.partition("_")[0] for name in test} & {name.partition("_")[0] for name in others}
    if shared:
        names = " and ".join(_LISTS)
        raise InputError(f"{root}: {names} both have images of patient '{min(shared)}': restore the lists")


def _read_entries(root: Path) -> pl.DataFrame:
    """Return image_id, study_id, subject_id, study_order, view and found of every row, in order of time."""
    path = _entry_table(root)
    needed = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID"]
    table = read_csv(path, needed, optional=["View Position"])
    check_ids(table, "Image Index", IMAGE_NAME, path)
    check_ids(table, "Patient ID", "[0-9]+", path)
    check_unique(table, ["Image Index"], path)
    _check_patients(table, path)
    name = pl.col("Image Index").str.strip_suffix(".png")
    patient = pl.col("Patient ID").str.strip_chars_start("0")
    view = pl.col("View Position")
    order = integers(table, "Follow-up #", path)
    return (
        table.select(
            name.alias("image_id"),
            name.alias("study_id"),
            patient.str.zfill(8).alias("subject_id"),
            order.alias("study_order"),
            pl.when(view.is_in(["PA", "AP"])).then(view).otherwise(pl.lit("unknown")).alias("view"),
            _found(table["Finding Labels"], path),
        )
        .with_columns(
            pl.col("found")
            .list.eval(pl.element().replace_strict(NODE_OF_ANSWER, return_dtype=pl.String))
            .alias("nodes")
        )
        .sort("subject_id", "study_order", "image_id")
    )


def _check_patients(table: pl.DataFrame, path: Path) -> None:
    """Refuse a row whose patient is not the one that the name of its image begins with."""
    named = table["Image Index"].str.extract("^0*([0-9]*)_")
    wrong = named != table["Patient ID"].str.strip_chars_start("0")
    if wrong.any():
        row = int(wrong.arg_true()[0])
        image, patient = table.select("Image Index", "Patient ID").row(row)
        raise InputError(
            f"{path}, row {row + 2}: Patient ID is '{patient}', but the name of image '{image}' begins with another: "
            "correct the row"
        )


def _found(texts: pl.Series, path: Path) -> pl.Series:
    """Return the findings of label texts as lists of answer names, in canonical order.

    Raises:
        InputError: naming the first row with a label that does not exist.
    """
    place = {label: ANSWER_FINDINGS.index(answer) for label, answer in LABELS.items()}
    labels = texts.fill_null("").str.split("|")
    either = pl.element().is_in(list(LABELS)).all() | (pl.element() == _NO_FINDING).all()
    good = labels.list.eval(either).list.first()
    if not good.all():
        row = int((~good).arg_true()[0])
        raise InputError(
            f"{path}, row {row + 2}: Finding Labels is {quoted(texts[row])}; expected some of the 14 labels, joined by "
            f"|, or '{_NO_FINDING}': correct the row"
        )
    known = labels.list.set_difference([_NO_FINDING])
    order = pl.element().replace_strict(place, return_dtype=pl.Int64).sort()
    names = dict(enumerate(ANSWER_FINDINGS))
    canonical = known.list.eval(order.replace_strict(names, return_dtype=pl.String))
    return canonical.alias("found")


def _place(entries: pl.DataFrame, root: Path) -> pl.DataFrame:
    """Return the table with the path of every image below `root`; a missing one is where it should be.

    Raises:
        InputError: naming two files of one image.
    """
    place: dict[str, str] = {}
    for file in (file for folder in _image_folders(root) for file in folder.glob("*.png")):
        path = file.relative_to(root).as_posix()
        other = place.setdefault(file.name, path)
        if other != path and not file.samefile(root / other):
            raise InputError(f"{root}: {other} and {path} are of one image: remove one of them")
    names = entries["image_id"] + ".png"
    paths = [place.get(name, f"{_IMAGES}/{name}") for name in names]
    return entries.with_columns(pl.Series("path", paths, dtype=pl.String))
