"""Knowledge groups: which regions and findings belong together (the five of EKAID, Hu et al., KDD 2023)."""

GROUPS: tuple[str, ...] = ("lung", "pleural", "heart", "mediastinum", "bone")

_OF_REGIONS = {
    "lung": "lung",
    "hilar": "lung",
    "apical": "lung",
    "costophrenic": "pleural",
    "hemidiaphragm": "pleural",
    "cardiac": "heart",
    "cavoatrial": "heart",
    "mediastinum": "mediastinum",
    "aortic": "mediastinum",
    "spine": "bone",
}
_OF_FINDINGS = {
    "pleural effusion": "pleural",
    "costophrenic angle blunting": "pleural",
    "pleural/parenchymal scarring": "pleural",
    "hydropneumothorax": "pleural",
    "pneumothorax": "pleural",
    "elevated hemidiaphragm": "pleural",
    "sub-diaphragmatic air": "pleural",
    "enlarged cardiac silhouette": "heart",
    "tortuous aorta": "mediastinum",
    "vascular calcification": "mediastinum",
    "mediastinal widening": "mediastinum",
    "mediastinal displacement": "mediastinum",
    "superior mediastinal mass/enlargement": "mediastinum",
    "pneumomediastinum": "mediastinum",
    "hernia": "mediastinum",
    "spinal degenerative changes": "bone",
    "scoliosis": "bone",
    "spinal fracture": "bone",
    "bone lesion": "bone",
}
"""What is not named here lies in the lung."""


def region_group(region: str) -> str:
    """Return the group of a region.

    Raises:
        KeyError: if it has none.
    """
    found = [group for word, group in _OF_REGIONS.items() if word in region.split()]
    if not found:
        raise KeyError(f"region '{region}' is in no knowledge group")
    return found[0]


def finding_group(finding: str) -> str:
    """Return the group of a finding."""
    return _OF_FINDINGS.get(finding, "lung")
