"""Words of reports: the library that Medical-Diff-VQA's records were read with, as plain data in its own order."""

from cfvqa.vocabulary.levels import LEVEL_WORDS

LIBRARY: dict[str, tuple[str, ...]] = {
    "pleural effusion": ("pleural effusions", "pleural effusion", "effusion", "effusions", "pleural fluid"),
    "atelectasis": (
        "volume loss", "collapse", "atelectasis", "atelectases", "atelectatic changes", "atelectatic change",
    ),
    "cardiomegaly": ("cardiomegaly", "enlarged"),
    "enlargement of the cardiac silhouette": ("enlargement of the cardiac silhouette",),
    "edema": ("pulmonary edema", "edema"),
    "hernia": ("hiatal hernia", "hiatus hernia", "hernia"),
    "vascular congestion": ("pulmonary vascular congestion", "vascular congestion"),
    "hilar congestion": ("hilar congestion",),
    "pneumothorax": ("pneumothorax",),
    "heart failure": ("cardiac decompensation", "chf", "congestive heart failure", "heart failure"),
    "lung opacity": (
        "lung opacification", "airspace opacities", "airspace opacity", "opacification", "opacity", "opacities",
        "lung opacity", "lung opacities",
    ),
    "pneumonia": ("pneumonia", "infection"),
    # The blank belongs to the library: without one behind it, the finding is not found, and its name keeps it.
    "tortuosity of the descending aorta ": ("tortuosity of the descending aorta ",),
    "scoliosis": ("thoracolumbar scoliosis", "scoliosis"),
    "gastric distention": ("gastric distention",),
    "hypoxemia": ("hypoxemia",),
    "hypertensive heart disease": ("hypertensive heart disease", "htn"),
    "hematoma": ("hematoma",),
    "tortuosity of the thoracic aorta": ("tortuosity of the thoracic aorta",),
    "contusion": ("pulmonary contusion", "contusion"),
    "emphysema": ("emphysema",),
    "granuloma": ("granulomatous disease", "granuloma"),
    "calcification": ("calcifications", "calcification"),
    "pleural thickening": ("pleural thickening",),
    "thymoma": ("thymoma",),
    "blunting of the costophrenic angle": (
        "blunting of the costophrenic angles", "blunting of the right costophrenic angle",
        "blunting of the left costophrenic angle", "blunting of the costophrenic angle",
        "blunting of the left costodiaphragmatic", "blunting of the right costodiaphragmatic",
    ),
    "consolidation": ("consolidation",),
    "fracture": ("fractures", "fracture"),
    "pneumomediastinum": ("pneumomediastinum",),
    "air collection": ("air collection",),
}  # fmt: skip
"""Official name -> synonyms, each in the order in which it is looked for."""

LIBRARY_LEVELS: tuple[str, ...] = tuple(word for word in LEVEL_WORDS if word != "trace")
"""Level words of the library; "trace" stood in an older one."""

TYPE_WORDS: tuple[str, ...] = (
    "interstitial", "layering", "dense", "parenchymal", "compressive", "obstructive", "linear", "plate-like",
    "patchy", "ground-glass", "calcified", "scattered", "focal", "multifocal", "multi-focal",
)  # fmt: skip

LOCATION_WORDS: tuple[str, ...] = (
    "mid to lower", "left", "right", "retrocardiac", "pericardial", "bibasilar", "bilateral", "basilar",
    "apicolateral", "basal", "left-sided", "lobe", "lung", "area", "base", "right-sided", "apical", "pleural",
    "upper", "lower", "middle", "mid", "rib",
)  # fmt: skip

POST_LOCATIONS: dict[str, tuple[str, ...]] = {
    "the lower and probably also middle lobe": ("lower", "middle", "mid"),
    "the lower lobe": ("lower",),
    "the upper lobe": ("upper",),
    "the middle lobe": ("middle", "mid"),
    "the left lung base": ("left",),
    "the right lung base": ("right",),
    "the lung bases": ("base", "bases"),
    "the left base": ("left",),
    "the right base": ("right",),
    "the right upper lung": ("right",),
    "the left upper lung": ("left",),
    "the right middle lung": ("right",),
    "the left middle lung": ("left",),
    "the right mid lung": ("right",),
    "the left mid lung": ("left",),
    "the right lower lung": ("right",),
    "the left lower lung": ("left",),
    "the right upper lobe": ("right",),
    "the left upper lobe": ("left",),
    "the right middle lobe": ("right",),
    "the left middle lobe": ("left",),
    "the right mid lobe": ("right",),
    "the left mid lobe": ("left",),
    "the right lower lobe": ("right",),
    "the left lower lobe": ("left",),
    "the left apical area": ("left",),
    "the left apical region": ("left",),
    "the right apical area": ("right",),
    "the right apical region": ("right",),
    "the apical region": ("apical", "upper"),
    "the apical area": ("apical", "upper"),
    "the right mid to lower lung": ("right",),
    "the left mid to lower lung": ("left",),
    "the medial right lung base": ("right",),
    "the medial left lung base": ("left",),
    "the upper lungs": ("upper",),
    "the lower lungs": ("lower",),
    "the upper lobes": ("upper",),
    "the lower lobes": ("lower",),
    "the right mid to lower hemithorax": ("right",),
    "the left mid to lower hemithorax": ("left",),
    "the soft tissues": ("tissues", "tissue"),
}
"""Phrase of a place -> words that a place elsewhere does not have."""

SPELLINGS: tuple[tuple[str, str], ...] = (
    ("mid ", "middle "),
    ("lobe", "lung"),
    ("lobes", "lungs"),
    ("left base", "left lung base"),
    ("right base", "right lung base"),
    ("region", "area"),
    ("left-sided", "left"),
    ("right-sided", "right"),
)
"""What is written for what in a place, one rule after the other."""
