"""Subjects on disk, in the layouts of MIMIC-CXR-JPG, Chest ImaGenome and Medical-Diff-VQA."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cfvqa.phantom.evolution import sample_subject
from cfvqa.phantom.questioning import question_rows
from cfvqa.phantom.records import choose_absent, key_information, report
from cfvqa.phantom.scene_graph import scene_graph
from cfvqa.phantom.study import StudyTruth, draw_study

IMAGES, GRAPHS, QUESTIONS = "mimic-cxr-jpg", "chest-imagenome", "medical-diff-vqa"


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A written study, for the tables."""

    subject_id: int
    study_id: int
    dicom_id: str
    order: int
    date: int
    time: float
    size: int
    truth: StudyTruth
    absent: tuple[str, ...]

    @property
    def path(self) -> str:
        """Path of the picture below the images' root."""
        subject = f"p{self.subject_id}"
        return f"files/{subject[:3]}/{subject}/s{self.study_id}/{self.dicom_id}.jpg"


@dataclass(frozen=True, slots=True)
class SubjectRows:
    """What one subject adds to the tables: its studies, and its rows of questions (study, reference, ...)."""

    studies: tuple[StudyRow, ...]
    questions: tuple[tuple[int, int, str, str, str], ...]

    def records(self) -> list[dict[str, Any]]:
        """Return the key-information records."""
        return [
            {"study_id": str(row.study_id), "subject_id": str(row.subject_id)} | key_information(row.truth, row.absent)
            for row in self.studies
        ]


def write_subject(root: Path, seed: int, number: int, size: int) -> SubjectRows:
    """Draw subject `number` and write its pictures, reports and scene graphs.

    Everything follows from (seed, number); identifiers are random, so their order says nothing.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, number)))
    subject = sample_subject(rng)
    subject_id = 10_000_000 + _scattered(number, seed)
    rows = []
    date = 21000101 + 10000 * int(rng.integers(50))
    for order, truth in enumerate(subject.studies, start=1):
        date = _later(date, rng)
        row = StudyRow(
            subject_id=subject_id,
            study_id=50_000_000 + _scattered(number * 8 + order, seed + 1),
            dicom_id="-".join(f"{int(part):08x}" for part in rng.integers(0, 2**32, 5)),
            order=order,
            date=date,
            time=float(rng.integers(0, 24) * 10000 + rng.integers(0, 60) * 100),
            size=size,
            truth=truth,
            absent=choose_absent(truth, rng),
        )
        drawing = draw_study(rng, subject.anatomy, truth, size)
        _write_study(root, row, drawing.image, drawing.boxes, rows, rng)
        rows.append(row)
    return SubjectRows(studies=tuple(rows), questions=tuple(_questions(rows, rng)))


def _scattered(number: int, seed: int) -> int:
    """Return a number below ten million: distinct for distinct `number`, and in no order."""
    prime = 9_999_991
    return (number * 5_736_119 + seed * 7_919 + 1_234_577) % prime


def _later(date: int, rng: np.random.Generator) -> int:
    day = np.datetime64(f"{date // 10000}-{date // 100 % 100:02d}-{date % 100:02d}")
    later = day + np.timedelta64(int(rng.integers(1, 400)), "D")
    return int(str(later).replace("-", ""))


def _write_study(
    root: Path,
    row: StudyRow,
    image: np.ndarray,
    boxes: np.ndarray,
    earlier: list[StudyRow],
    rng: np.random.Generator,
) -> None:
    picture = root / IMAGES / row.path
    picture.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=92)
    picture.write_bytes(buffer.getvalue())
    text = report(row.truth, row.absent, first=not earlier, rng=rng)
    picture.parent.with_suffix(".txt").write_text(text)
    graph = scene_graph(row, boxes, earlier[-1] if earlier else None)
    path = root / GRAPHS / "silver_dataset" / "scene_graph" / f"{row.dicom_id}_SceneGraph.json"
    path.write_text(json.dumps(graph))


def _questions(rows: list[StudyRow], rng: np.random.Generator) -> list[tuple[int, int, str, str, str]]:
    """Ask about every study but the first, each with a random earlier study as its reference."""
    asked = []
    for place, main in enumerate(rows[1:], start=1):
        reference = rows[int(rng.integers(place))]
        for kind, question, answer in question_rows(main.truth, reference.truth, main.absent, rng):
            asked.append((main.study_id, reference.study_id, kind, question, answer))
    return asked
