"""The scene graph of a study in the form of Chest ImaGenome's silver data set."""

from typing import TYPE_CHECKING, Any

import numpy as np

from cfvqa.phantom.records import sentence
from cfvqa.phantom.study import FINDING_OF_NAME, Presence
from cfvqa.vocabulary.findings import NODE_OF_ANSWER
from cfvqa.vocabulary.regions import REGIONS

if TYPE_CHECKING:
    from cfvqa.phantom.layout import StudyRow

_CUES = ("mild", "moderate", "severe")


def scene_graph(row: "StudyRow", boxes: np.ndarray, before: "StudyRow | None") -> dict[str, Any]:
    """Return the graph of a study: located regions, findings in them, comparisons with the study before.

    Args:
        row: the study.
        boxes: (24, 4), pixels.
        before: the study before, or None.
    """
    return {
        "image_id": row.dicom_id,
        "viewpoint": row.truth.view,
        "patient_id": row.subject_id,
        "study_id": row.study_id,
        "gender": "",
        "age_decile": "",
        "reason_for_exam": "___",
        "StudyOrder": row.order,
        "StudyDateTime": f"{str(row.date)[:4]}-{str(row.date)[4:6]}-{str(row.date)[6:]} 00:00:00 UTC",
        "objects": [_object(row, name, box) for name, box in zip(REGIONS, boxes.tolist(), strict=True)],
        "attributes": _attributes(row),
        "relationships": [] if before is None else _relationships(row, before),
    }


def _object(row: "StudyRow", region: str, box: list[float]) -> dict[str, Any]:
    frame = [round(value * 224 / row.size) for value in box]
    original = [round(value) for value in box]
    item: dict[str, Any] = {
        "object_id": f"{row.dicom_id}_{region}",
        "bbox_name": region,
        "name": region,
        "synsets": [],
    }
    for prefix, values in (("", frame), ("original_", original)):
        x1, y1, x2, y2 = values
        sides = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "width": x2 - x1, "height": y2 - y1}
        item |= {prefix + key: value for key, value in sides.items()}
    return item


def _attributes(row: "StudyRow") -> list[dict[str, Any]]:
    found = []
    for region in REGIONS:
        here = [p for p in row.truth.findings if region in p.site.regions]
        absent = [NODE_OF_ANSWER[name] for name in row.absent if _touches(name, region)]
        if not here and not absent:
            continue
        texts = [_positive(p) for p in here]
        texts += [[f"anatomicalfinding|no|{node}"] for node in absent]
        phrases = [sentence(p) for p in here] + [f"No {name}." for name in row.absent if _touches(name, region)]
        count = len(texts)
        found.append(
            {
                region: True,
                "bbox_name": region,
                "name": region,
                "synsets": [],
                "attributes": texts,
                "attributes_ids": [[] for _ in texts],
                "phrases": phrases,
                "phrase_IDs": [f"{row.study_id}|{number}" for number in range(count)],
                "sections": ["finalreport"] * count,
                "comparison_cues": [[] for _ in texts],
                "temporal_cues": [[] for _ in texts],
                "severity_cues": [[f"severity|yes|{_CUES[p.severity - 1]}"] for p in here] + [[] for _ in absent],
                "texture_cues": [[] for _ in texts],
                "object_id": f"{row.dicom_id}_{region}",
            }
        )
    return found


def _positive(presence: Presence) -> list[str]:
    return [f"anatomicalfinding|yes|{NODE_OF_ANSWER[presence.name]}", "nlp|yes|abnormal"]


def _touches(name: str, region: str) -> bool:
    return any(region in site.regions for site in FINDING_OF_NAME[name].sites)


def _relationships(row: "StudyRow", before: "StudyRow") -> list[dict[str, Any]]:
    """Compare the findings that both studies show, in the regions of the later one."""
    earlier = {p.name: p.severity for p in before.truth.findings}
    relations = []
    for number, presence in enumerate(row.truth.findings):
        if presence.name not in earlier:
            continue
        step = presence.severity - earlier[presence.name]
        value = "no change" if step == 0 else "worsened" if step > 0 else "improved"
        for region in presence.site.regions:
            relations.append(
                {
                    "relationship_id": f"{row.study_id}|{number}_{before.study_id}_{region}",
                    "predicate": f"['{value.capitalize()}']",
                    "synsets": [],
                    "relationship_names": [f"comparison|yes|{value}"],
                    "relationship_contexts": [1.0],
                    "phrase": sentence(presence),
                    "attributes": _positive(presence),
                    "bbox_name": region,
                    "subject_id": f"{row.dicom_id}_{region}",
                    "object_id": f"{before.dicom_id}_{region}",
                }
            )
    return relations
