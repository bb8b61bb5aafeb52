"""Anatomical regions: the 24 that the published pipeline keeps of Chest ImaGenome, in its order."""

REGIONS: tuple[str, ...] = (
    "right lung",
    "right upper lung zone",
    "right mid lung zone",
    "right lower lung zone",
    "right hilar structures",
    "right apical zone",
    "right costophrenic angle",
    "right hemidiaphragm",
    "left lung",
    "left upper lung zone",
    "left mid lung zone",
    "left lower lung zone",
    "left hilar structures",
    "left apical zone",
    "left costophrenic angle",
    "left hemidiaphragm",
    "spine",
    "aortic arch",
    "mediastinum",
    "upper mediastinum",
    "cardiac silhouette",
    "left cardiac silhouette",
    "right cardiac silhouette",
    "cavoatrial junction",
)

REGION_INDEX: dict[str, int] = {name: index for index, name in enumerate(REGIONS)}


def label_text(region: str) -> str:
    """Return the words that name a region in the knowledge graph (shorter than the ImaGenome name)."""
    return region.replace(" zone", "").replace(" structures", "").replace("aortic arch", "aorta")
