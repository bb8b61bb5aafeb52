"""Findings: the 38 nodes of the knowledge graph, the official names of answers, and how they meet.

Two vocabularies exist side by side. The *nodes* are the findings of Chest ImaGenome that the published
pipeline classifies a region into; tables, detectors and features use them. The *official names* are the
words of Medical-Diff-VQA's questions and answers. `NODE_OF_OFFICIAL` joins them.
"""

FINDINGS: tuple[str, ...] = (
    "lung opacity",
    "pleural effusion",
    "atelectasis",
    "lobar/segmental collapse",
    "enlarged cardiac silhouette",
    "airspace opacity",
    "consolidation",
    "tortuous aorta",
    "calcified nodule",
    "lung lesion",
    "mass/nodule (not otherwise specified)",
    "pulmonary edema/hazy opacity",
    "costophrenic angle blunting",
    "vascular congestion",
    "vascular calcification",
    "linear/patchy atelectasis",
    "elevated hemidiaphragm",
    "pleural/parenchymal scarring",
    "hydropneumothorax",
    "pneumothorax",
    "enlarged hilum",
    "multiple masses/nodules",
    "hyperaeration",
    "mediastinal widening",
    "vascular redistribution",
    "mediastinal displacement",
    "spinal degenerative changes",
    "superior mediastinal mass/enlargement",
    "scoliosis",
    "sub-diaphragmatic air",
    "hernia",
    "spinal fracture",
    "bone lesion",
    "increased reticular markings/ild pattern",
    "infiltration",
    "pneumomediastinum",
    "bronchiectasis",
    "cyst/bullae",
)

FINDING_INDEX: dict[str, int] = {name: index for index, name in enumerate(FINDINGS)}

OFFICIAL_FINDINGS: tuple[str, ...] = (
    "pleural effusion",
    "atelectasis",
    "cardiomegaly",
    "enlargement of the cardiac silhouette",
    "edema",
    "hernia",
    "vascular congestion",
    "hilar congestion",
    "pneumothorax",
    "heart failure",
    "lung opacity",
    "pneumonia",
    "tortuosity of the descending aorta",
    "scoliosis",
    "gastric distention",
    "hypoxemia",
    "hematoma",
    "thymoma",
    "hypertensive heart disease",
    "tortuosity of the thoracic aorta",
    "contusion",
    "emphysema",
    "granuloma",
    "calcification",
    "pleural thickening",
    "blunting of the costophrenic angle",
    "consolidation",
    "fracture",
    "pneumomediastinum",
    "air collection",
)
"""The 30 names of Medical-Diff-VQA, in the order of its library (the order of findings in an answer)."""

# Four labels of ChestX-ray14 have no official name; they stand in answers under their own.
EXTRA_FINDINGS: tuple[str, ...] = ("infiltration", "mass", "nodule", "fibrosis")

ANSWER_FINDINGS: tuple[str, ...] = OFFICIAL_FINDINGS + EXTRA_FINDINGS
"""Every finding that an answer may name, in canonical order."""

NODE_OF_ANSWER: dict[str, str] = {
    "pleural effusion": "pleural effusion",
    "atelectasis": "atelectasis",
    "cardiomegaly": "enlarged cardiac silhouette",
    "enlargement of the cardiac silhouette": "enlarged cardiac silhouette",
    "edema": "pulmonary edema/hazy opacity",
    "hernia": "hernia",
    "vascular congestion": "vascular congestion",
    "hilar congestion": "enlarged hilum",
    "pneumothorax": "pneumothorax",
    "lung opacity": "lung opacity",
    "pneumonia": "airspace opacity",
    "tortuosity of the descending aorta": "tortuous aorta",
    "scoliosis": "scoliosis",
    "tortuosity of the thoracic aorta": "tortuous aorta",
    "contusion": "lung opacity",
    "emphysema": "hyperaeration",
    "granuloma": "mass/nodule (not otherwise specified)",
    "calcification": "calcified nodule",
    "pleural thickening": "pleural/parenchymal scarring",
    "blunting of the costophrenic angle": "costophrenic angle blunting",
    "consolidation": "consolidation",
    "fracture": "spinal fracture",
    "pneumomediastinum": "pneumomediastinum",
    "air collection": "sub-diaphragmatic air",
    "infiltration": "infiltration",
    "mass": "lung lesion",
    "nodule": "mass/nodule (not otherwise specified)",
    "fibrosis": "increased reticular markings/ild pattern",
}
"""Node of the knowledge graph that shows a finding named in answers; names without a node are absent."""

# The words that the published graph embeds for a node, where they differ from its name.
_LABEL_TEXTS: dict[str, str] = {
    "lobar/segmental collapse": "lobar collapse",
    "enlarged cardiac silhouette": "cardiomegaly",
    "tortuous aorta": "tortuosity of the thoracic aorta",
    "calcified nodule": "calcification",
    "mass/nodule (not otherwise specified)": "granuloma",
    "pulmonary edema/hazy opacity": "edema",
    "costophrenic angle blunting": "blunting of the costophrenic angle",
    "linear/patchy atelectasis": "linear atelectasis",
    "pleural/parenchymal scarring": "pleural thickening",
    "enlarged hilum": "hilar congestion",
    "multiple masses/nodules": "multiple masses",
    "hyperaeration": "emphysema",
    "superior mediastinal mass/enlargement": "superior mediastinal mass",
    "sub-diaphragmatic air": "air collection",
    "increased reticular markings/ild pattern": "interstitial disease",
}


def label_text(node: str) -> str:
    """Return the words that name a node to the text encoder.

    The official name where one exists, so that the graph and the answers share words. The published graph
    gave 12 of its 38 nodes a text of another node; here every node has a text of its own.
    """
    return _LABEL_TEXTS.get(node, node)
