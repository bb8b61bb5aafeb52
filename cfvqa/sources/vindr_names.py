"""How the labels of VinDr-CXR are called in answers and in the graph."""

from cfvqa.vocabulary.findings import NODE_OF_ANSWER

ANSWERS: dict[str, str] = {
    "Atelectasis": "atelectasis",
    "Calcification": "calcification",
    "Cardiomegaly": "cardiomegaly",
    "Clavicle fracture": "fracture",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Emphysema": "emphysema",
    "Infiltration": "infiltration",
    "Lung Opacity": "lung opacity",
    "Pleural effusion": "pleural effusion",
    "Pleural thickening": "pleural thickening",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Pulmonary fibrosis": "fibrosis",
    "Rib fracture": "fracture",
}
"""Name in answers of a label that has one."""

NODES: dict[str, str] = {label: NODE_OF_ANSWER[answer] for label, answer in ANSWERS.items()} | {
    "ILD": "increased reticular markings/ild pattern",
    "Lung cyst": "cyst/bullae",
    "Lung tumor": "lung lesion",
    "Mediastinal shift": "mediastinal displacement",
    "Nodule/Mass": "mass/nodule (not otherwise specified)",
}
"""Node of a label that has one.

None shows an enlarged aorta or pulmonary artery (a tortuous aorta and a large hilum are other findings), a cavity, COPD
or tuberculosis; "Other" lesions and diseases are anything.
"""
