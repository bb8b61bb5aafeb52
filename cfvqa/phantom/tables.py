"""The CSV and JSON tables of the three releases, from the rows of all subjects."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from cfvqa.phantom.layout import GRAPHS, IMAGES, QUESTIONS, StudyRow, SubjectRows

CHEXPERT: tuple[str, ...] = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture",
    "Lung Lesion", "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia",
    "Pneumothorax", "Support Devices",
)  # fmt: skip
_CHEXPERT_OF_NAME = {
    "atelectasis": "Atelectasis",
    "cardiomegaly": "Cardiomegaly",
    "consolidation": "Consolidation",
    "edema": "Edema",
    "granuloma": "Lung Lesion",
    "pleural effusion": "Pleural Effusion",
    "pleural thickening": "Pleural Other",
    "pneumothorax": "Pneumothorax",
}
_MEANING = {"PA": "postero-anterior", "AP": "antero-posterior"}


def write_tables(root: Path, subjects: Sequence[SubjectRows]) -> None:
    """Write every table; the questions come last."""
    studies = [row for subject in subjects for row in subject.studies]
    _write_images(root / IMAGES, studies)
    _write_splits(root / GRAPHS / "silver_dataset" / "splits", studies)
    folder = root / QUESTIONS
    folder.mkdir(parents=True, exist_ok=True)
    records = [record for subject in subjects for record in subject.records()]
    (folder / "all_diseases.json").write_text(json.dumps(records, indent=4))
    header = ["subject_id", "study_id", *CHEXPERT, "dicom_id", "view", "split", "study_date", "study_order"]
    rows = [
        [
            r.subject_id,
            r.study_id,
            *_chexpert(r),
            r.dicom_id,
            _MEANING[r.truth.view],
            _official(r),
            r.date,
            r.order,
        ]
        for r in studies
    ]
    (folder / "mimic_all.csv").write_bytes(_csv(header, rows))
    _write_questions(folder, subjects)


def _write_images(root: Path, studies: list[StudyRow]) -> None:
    metadata = [
        "dicom_id",
        "subject_id",
        "study_id",
        "PerformedProcedureStepDescription",
        "ViewPosition",
        "Rows",
    ]
    metadata += ["Columns", "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning"]
    metadata += ["ViewCodeSequence_CodeMeaning", "PatientOrientationCodeSequence_CodeMeaning"]
    rows = []
    for r in studies:
        procedure = "CHEST (PA AND LAT)" if r.truth.view == "PA" else "CHEST (PORTABLE AP)"
        shown = [
            procedure,
            r.truth.view,
            r.size,
            r.size,
            r.date,
            r.time,
            procedure,
            _MEANING[r.truth.view],
            "Erect",
        ]
        rows.append([r.dicom_id, r.subject_id, r.study_id, *shown])
    _gzip(root / "mimic-cxr-2.0.0-metadata.csv.gz", metadata, rows)
    split = [[r.dicom_id, r.study_id, r.subject_id, _official(r)] for r in studies]
    _gzip(root / "mimic-cxr-2.0.0-split.csv.gz", ["dicom_id", "study_id", "subject_id", "split"], split)
    chexpert = [[r.subject_id, r.study_id, *_chexpert(r)] for r in studies]
    _gzip(root / "mimic-cxr-2.0.0-chexpert.csv.gz", ["subject_id", "study_id", *CHEXPERT], chexpert)
    (root / "IMAGE_FILENAMES").write_text("".join(f"{r.path}\n" for r in studies))


def _write_splits(folder: Path, studies: list[StudyRow]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    header = ["", "subject_id", "study_id", "dicom_id", "path", "ViewPosition"]
    for ours, theirs in (("train", "train"), ("validate", "valid"), ("test", "test")):
        rows = [
            [n, r.subject_id, r.study_id, r.dicom_id, r.path.replace(".jpg", ".dcm"), r.truth.view]
            for n, r in enumerate(studies)
            if _official(r) == ours
        ]
        (folder / f"{theirs}.csv").write_bytes(_csv(header, rows))


def _write_questions(folder: Path, subjects: Sequence[SubjectRows]) -> None:
    rows = [
        [study, subject.studies[0].subject_id, reference, kind, question, answer]
        for subject in subjects
        for study, reference, kind, question, answer in subject.questions
    ]
    first, second = -(-len(rows) * 8 // 10), -(-len(rows) * 9 // 10)
    split = ["train" if n < first else "val" if n < second else "test" for n in range(len(rows))]
    header = ["study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split"]
    complete = [[*row, name] for row, name in zip(rows, split, strict=True)]
    (folder / "mimic_pair_questions.csv").write_bytes(_csv(header, complete))


def _chexpert(row: StudyRow) -> list[str]:
    there = {_CHEXPERT_OF_NAME.get(p.name) for p in row.truth.findings}
    absent = {_CHEXPERT_OF_NAME.get(name) for name in row.absent}
    values = ["1.0" if label in there else "0.0" if label in absent else "" for label in CHEXPERT]
    values[CHEXPERT.index("No Finding")] = "" if row.truth.findings else "1.0"
    return values


def _official(row: StudyRow) -> str:
    place = row.subject_id % 100
    return "train" if place < 90 else "validate" if place < 95 else "test"


def _csv(header: Sequence[object], rows: Iterable[Sequence[object]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _gzip(path: Path, header: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
    path.write_bytes(gzip.compress(_csv(header, rows), mtime=0))
