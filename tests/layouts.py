"""Tiny data sets in the published layouts, with invented values, for the tests of the readers."""

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHEXPERT = [
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture",
    "Lung Lesion", "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax",
    "Support Devices",
]  # fmt: skip
METADATA = [
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows",
    "Columns", "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
]  # fmt: skip
QUESTIONS = [
    "study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split",
]  # fmt: skip
WHAT_CHANGED = "what has changed compared to the reference image?"
ADDED = "the main image has an additional finding of edema than the reference image. "


def write_image(path: Path, width: int = 60, height: int = 48) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.arange(width * height, dtype=np.uint32).reshape(height, width) % 251
    Image.fromarray(values.astype(np.uint8)).save(path)


def dicom_id(study: int) -> str:
    return f"aaaaaaaa-bbbbbbbb-cccccccc-dddddddd-{study:08d}"


def csv_text(header: list[str], rows: list[list[Any]]) -> str:
    def quoted(value: Any) -> str:
        text = "" if value is None else str(value)
        return f'"{text}"' if "," in text else text

    return "".join(",".join(map(quoted, row)) + "\n" for row in (header, *rows))


@dataclass
class MimicTree:
    """Subjects 19000001, ..., each with two studies: an earlier 590000N1 and a later 590000N2.

    Change the rows before `write`, or the files after it.
    """

    root: Path
    subjects: int = 12
    width: int = 60
    height: int = 48
    metadata: list[dict[str, Any]] = field(default_factory=list)
    studies: list[dict[str, Any]] = field(default_factory=list)
    chexpert: list[dict[str, Any]] = field(default_factory=list)
    split: list[dict[str, Any]] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    graphs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number in range(1, self.subjects + 1):
            subject, first = 19_000_000 + number, 59_000_000 + 10 * number + 1
            for order in (1, 2):
                self._add_study(subject, first + order - 1, order)
            self._add_questions(subject, first + 1, first)

    def _add_study(self, subject: int, study: int, order: int) -> None:
        ids = {"subject_id": subject, "study_id": study}
        image = {"dicom_id": dicom_id(study)}
        view = ("PA", "postero-anterior") if order == 1 else ("AP", "antero-posterior")
        size = {"Rows": self.height, "Columns": self.width}
        named = {"ViewPosition": view[0], "ViewCodeSequence_CodeMeaning": view[1], "StudyDate": 21500100 + order}
        self.metadata.append(image | ids | size | named)
        official = ("train", "validate", "test")[subject % 3]
        self.split.append(image | ids | {"split": official})
        self.studies.append(ids | image | {"view": view[1], "split": official, "study_order": f"{order}.0"})
        self.chexpert.append(ids | {"Atelectasis": "1.0", "Edema": "-1.0", "Pneumothorax": "0.0"})
        self.records.append(
            {"study_id": str(study), "subject_id": str(subject), "entity": [], "no_entity": ["edema", "pneumothorax"]}
        )
        self.graphs[dicom_id(study)] = self._graph(subject, study)

    def _graph(self, subject: int, study: int) -> dict[str, Any]:
        box = {"bbox_name": "left lung", "x1": 112, "y1": 72, "x2": 168, "y2": 152}
        attribute = {
            "bbox_name": "left lung",
            "attributes": [
                ["anatomicalfinding|yes|lung opacity", "nlp|yes|abnormal"],
                ["anatomicalfinding|no|pneumothorax"],
            ],
            "severity_cues": [["severity|yes|mild"], []],
        }
        top = {"image_id": dicom_id(study), "patient_id": subject, "study_id": study}
        return top | {"objects": [box], "attributes": [attribute], "relationships": []}

    def _add_questions(self, subject: int, study: int, reference: int) -> None:
        ids = {"study_id": study, "subject_id": subject, "ref_id": reference, "split": ""}
        for kind, question, answer in (
            ("abnormality", "what abnormalities are seen in this image?", "edema, hernia"),
            ("presence", "is there edema?", "yes"),
            ("difference", WHAT_CHANGED, ADDED),
        ):
            self.questions.append(ids | {"question_type": kind, "question": question, "answer": answer})

    @property
    def image_root(self) -> Path:
        return self.root / "mimic-cxr-jpg"

    @property
    def question_root(self) -> Path:
        return self.root / "medical-diff-vqa"

    @property
    def graph_root(self) -> Path:
        return self.root / "chest-imagenome" / "silver_dataset" / "scene_graph"

    def image_path(self, study: int) -> Path:
        subject = next(row["subject_id"] for row in self.metadata if row["study_id"] == study)
        return self.image_root / f"files/p{str(subject)[:2]}/p{subject}/s{study}/{dicom_id(study)}.jpg"

    def write(self) -> "MimicTree":
        self.image_root.mkdir(parents=True)
        for name, header, rows in (
            ("metadata", METADATA, self.metadata),
            ("split", ["dicom_id", "study_id", "subject_id", "split"], self.split),
            ("chexpert", ["subject_id", "study_id", *CHEXPERT], self.chexpert),
        ):
            text = csv_text(header, [[row.get(column) for column in header] for row in rows])
            (self.image_root / f"mimic-cxr-2.0.0-{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        for row in self.metadata:
            write_image(self.image_path(row["study_id"]), self.width, self.height)
        self.graph_root.mkdir(parents=True)
        for image, graph in self.graphs.items():
            (self.graph_root / f"{image}_SceneGraph.json").write_text(json.dumps(graph))
        self.question_root.mkdir()
        header = ["subject_id", "study_id", *CHEXPERT, "dicom_id", "view", "split", "study_date", "study_order"]
        self._write_csv("mimic_all.csv", header, self.studies)
        self._write_csv("mimic_pair_questions.csv", QUESTIONS, self.questions)
        (self.question_root / "all_diseases.json").write_text(json.dumps(self.records, indent=4))
        return self

    def _write_csv(self, name: str, header: list[str], rows: list[dict[str, Any]]) -> None:
        text = csv_text(header, [[row.get(column) for column in header] for row in rows])
        (self.question_root / name).write_text(text)


NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
NIH_LABELS = ("No Finding", "Cardiomegaly|Effusion", "Mass", "Effusion|Pleural_Thickening")


def write_nih(root: Path, subjects: int = 30, *, end: str = ",") -> Path:
    """Write ChestX-ray14 with three images a subject; `end` is what every line of its table ends with."""
    lines = [NIH_HEADER + end]
    for number in range(1, subjects + 1):
        for follow_up in range(3):
            name = f"{number:08d}_{follow_up:03d}.png"
            labels = NIH_LABELS[(number + follow_up) % len(NIH_LABELS)]
            view = ("PA", "AP", "")[follow_up]
            lines.append(f"{name},{labels},{follow_up},{number},058Y,,{view},2500,2048,0.168,0.168{end}")
            write_image(root / "images" / name, 64, 64)
    (root / "Data_Entry_2017.csv").write_text("\n".join(lines) + "\n")
    return root


VINDR_LABELS = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation", "Edema",
    "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst", "Mediastinal shift",
    "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture",
    "Other lesion", "COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding",
)  # fmt: skip


def write_dicom(path: Path, width: int = 60, height: int = 48) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "DX", "MONOCHROME2", 1
    dataset.Rows, dataset.Columns = height, width
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = (np.arange(width * height, dtype=np.uint16) % 4001).tobytes()
    dataset.save_as(path, enforce_file_format=True)


@dataclass
class VindrTree:
    """Images a00..01, a00..02, ... that three readers agree on, and test images b00..01, ... of a consensus.

    Every third has no finding, every third a large heart, every third an effusion on the right of the image.
    Change the rows before `write`, or the files after it.
    """

    root: Path
    images: int = 18
    test_images: int = 6
    labels: list[dict[str, Any]] = field(default_factory=list)
    boxes: list[dict[str, Any]] = field(default_factory=list)
    test_labels: list[dict[str, Any]] = field(default_factory=list)
    test_boxes: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(1, self.images + 1):
            for place, reader in enumerate(("R1", "R2", "R3")):
                rows = self._rows(f"a{number:031x}", number, place)
                self.labels.append({"rad_id": reader} | rows[0])
                self.boxes.append({"rad_id": reader} | rows[1])
        for number in range(1, self.test_images + 1):
            label, box = self._rows(f"b{number:031x}", number, 0)
            self.test_labels.append(label)
            self.test_boxes.append(box)

    def _rows(self, image: str, number: int, shift: int) -> tuple[dict[str, Any], dict[str, Any]]:
        label = ("No finding", "Cardiomegaly", "Pleural effusion")[number % 3]
        corners = {"Cardiomegaly": (20, 16, 44, 40), "Pleural effusion": (36, 20, 56, 44)}.get(label)
        box = {} if corners is None else {
            name: corner + shift for name, corner in zip(("x_min", "y_min", "x_max", "y_max"), corners, strict=True)
        }  # fmt: skip
        return {"image_id": image, label: 1}, {"image_id": image, "class_name": label} | box

    def image_path(self, image: str) -> Path:
        return self.root / ("train" if image.startswith("a") else "test") / f"{image}.dicom"

    def table(self, name: str) -> Path:
        return self.root / "annotations" / f"{name}.csv"

    def write(self) -> "VindrTree":
        (self.root / "annotations").mkdir(parents=True)
        corners = ["class_name", "x_min", "y_min", "x_max", "y_max"]
        test_names = [name.replace("diseases", "disease") for name in VINDR_LABELS]  # as the test table spells it
        for name, header, rows in (
            ("image_labels_train", ["image_id", "rad_id", *VINDR_LABELS], self.labels),
            ("image_labels_test", ["image_id", *test_names], self.test_labels),
            ("annotations_train", ["image_id", "rad_id", *corners], self.boxes),
            ("annotations_test", ["image_id", *corners], self.test_boxes),
        ):
            blank = 0 if name.startswith("image_labels") else None
            text = csv_text(header, [[row.get(column, blank) for column in header] for row in rows])
            self.table(name).write_text(text)
        for row in (*self.labels, *self.test_labels):
            if not self.image_path(row["image_id"]).exists():
                write_dicom(self.image_path(row["image_id"]))
        return self
