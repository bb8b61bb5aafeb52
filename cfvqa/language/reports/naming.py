"""Which findings a sentence names, however it words them."""

import re
from dataclasses import dataclass
from functools import lru_cache

from cfvqa.language.grammar import any_of
from cfvqa.vocabulary.levels import LEVEL_WORDS

_ABBREVIATIONS: dict[str, str] = {
    "w/o": "without", "r/o": "rule out", "s/p": "status post", "h/o": "history of", "hx of": "history of",
    "c/w": "consistent with", "b/l": "bilateral", "bilat": "bilateral", "bilaterally": "bilateral",
    "rul": "right upper lobe", "rml": "right middle lobe", "rll": "right lower lobe", "lul": "left upper lobe",
    "lll": "left lower lobe", "r": "right", "l": "left", "biapical": "bilateral apical", "bibasal": "bibasilar",
    "can not": "cannot", "can't": "cannot", "mild-to-moderate": "mild to moderate",
    "moderate-to-large": "moderate to large", "moderate-to-severe": "moderate to severe",
    "both lung bases": "the lung bases", "both bases": "the lung bases", "bilateral lung bases": "the lung bases",
    "the bases": "the lung bases",
}  # fmt: skip
_COMPARED = re.compile(r"\b(?:left|right|l|r) ?(?:>|(?:greater|larger|more|worse) than) ?(?:left|right|l|r)\b")
_SIZED = rf"(?:{'|'.join((*LEVEL_WORDS, 'large', 'tiny'))}) (?:left|right)\b"
_OTHER_SIDE = re.compile(
    rf"\b({_SIZED}),? (?:and|but) no (?:left|right)\b|\bno (?:left|right),? (?:and|but) (?=(?:a )?{_SIZED})"
    r"|((?:^|\b(?:is|are|an?|with|has|shows?|only) )(?:left|right)),? but (?:not|no) (?:left|right)\b"
)

_DENIED_SIDE = re.compile("not? (?:left|right)")
_ABBREVIATION = re.compile(rf"\b{any_of(_ABBREVIATIONS)}\b(?!/)")

_PREDICATE = r"(?:, which)?(?: (?!and\b|but\b|with\b|normal\b)[\w-]+){0,5}?"
_CLAUSE_ENDS = r"(?= ?(?:[,.;]|$)| (?:with|but|compared|since|from)\b)"
_WINDING = r"(?: (?!but\b|with\b)[\w-]+){0,5}?"


def _is(adjective: str) -> str:
    """Return the pattern of words that say this of what stands before: "is stable and mildly enlarged", too.

    Behind "and" the clause must end, or the adjective is of a noun of its own ("and enlarged nodes").
    """
    return rf"{_PREDICATE}(?: {adjective}| and(?: [\w-]+ly)? {adjective}{_CLAUSE_ENDS})"


_WORDINGS: dict[str, tuple[str, ...]] = {
    "pleural effusion": ("effusions?", "pleural effusions?", "pleural fluid"),
    "atelectasis": ("atelecta(?:sis|ses|tic changes?)", "volume loss", "collapse"),
    "cardiomegaly": (
        "cardiomegaly", "cardiac enlargement", "enlarged (?:heart|cardiac silhouette|cardiac contour)",
        f"heart:?{_is('enlarged')}", f"cardiac (?:silhouette|size|contour):?{_is('enlarged')}",
        f"cardiomediastinal silhouette:?{_is('enlarged')}",
    ),
    "enlargement of the cardiac silhouette": ("enlargement of the (?:cardiac|cardiomediastinal) silhouette",),
    "edema": ("edema",),
    "hernia": ("hernias?",),
    "vascular congestion": (
        "vascular (?:congestion|engorgement)", "venous (?:congestion|engorgement)",
        "(?:congestion|engorgement) of the (?:pulmonary )?(?:vasculature|vessels)",
        f"(?:vasculature|vessels){_is('(?:congested|engorged)')}",
    ),
    "hilar congestion": ("hilar congestion", "congestion of the hila"),
    "pneumothorax": ("pneumothora(?:x|ces)", "hydropneumothora(?:x|ces)", "ptx"),
    "heart failure": ("heart failure", "cardiac failure", "cardiac decompensation", "chf"),
    "lung opacity": ("opaci(?:ty|ties|fications?)",),
    "pneumonia": ("pneumonias?", "bronchopneumonias?", "infections?", "infectious process", "pna"),
    "tortuosity of the descending aorta": (
        "tortuosity of the descending (?:thoracic )?aorta", "tortuous descending (?:thoracic )?aorta",
        f"descending (?:thoracic )?aorta{_WINDING} tortuous",
    ),
    "scoliosis": ("scoliosis", "dextroscoliosis", "levoscoliosis", "scoliotic curvature"),
    "gastric distention": (
        "gastric disten[ts]ion", "disten[ts]ion of the stomach", "distended stomach",
        r"stomach(?:, which)? (?:is|appears|remains)(?: [\w-]+){0,2}? distended",
    ),
    "hypoxemia": ("hypoxa?emia",),
    "hypertensive heart disease": ("hypertensive heart disease",),
    "hematoma": ("hematomas?",),
    "tortuosity of the thoracic aorta": (
        "tortuosity of the (?:thoracic )?aorta", "tortuous (?:thoracic )?aorta", f"aorta{_WINDING} tortuous",
    ),
    "contusion": ("contusions?",),
    "emphysema": ("emphysema", "emphysematous changes?"),
    "granuloma": ("granulomas?", "granulomata", "granulomatous disease"),
    "calcification": ("calcifications?",),
    "pleural thickening": ("pleural(?: parenchymal)? thickening",),
    "thymoma": ("thymomas?",),
    "blunting of the costophrenic angle": (
        r"blunting of (?:[\w-]+ ){0,3}(?:costophrenic|costodiaphragmatic)(?: (?:angles?|sulcus|sulci|recess(?:es)?))?",
        "blunted (?:left |right )?costophrenic (?:angles?|sulcus|sulci)", "costophrenic (?:angle )?blunting",
        f"costophrenic (?:angles?|sulcus|sulci){_is('blunted')}",
    ),
    "consolidation": ("consolidations?",),
    "fracture": ("fractures?",),
    "pneumomediastinum": ("pneumomediastinum",),
    "air collection": ("air collections?", "collections? of air"),
}  # fmt: skip
"""Official name -> patterns of what it is called, bounded by words.

Each begins with a letter, so that most are passed over at the first letter of a word. What says nothing
before a name ("pulmonary edema") is left out.
"""

_OTHERS = (
    "pericardial effusions?", "joint effusions?", "vertebral (?:body )?collapse", "subcutaneous (?:emphysema|edema)",
    "soft tissue (?:emphysema|edema)", "mediastinal emphysema", "wall edema",
)  # fmt: skip
"""What is none of the findings, though its last word is called like one."""

FINDINGS: tuple[str, ...] = tuple(_WORDINGS)
"""The official names, in the order of the library."""

_NAME = re.compile(rf"\b(?:{'|'.join((*_OTHERS, *(one for some in _WORDINGS.values() for one in some)))})\b")
_NAMES = {finding: re.compile("|".join(patterns)) for finding, patterns in _WORDINGS.items()}


@dataclass(frozen=True, slots=True)
class Named:
    """A finding that a sentence names.

    Attributes:
        finding: official name.
        start, end: of the words that name it.
    """

    finding: str
    start: int
    end: int


def plain(sentence: str) -> str:
    """Return a sentence in lower case without abbreviations, and without a side that is only compared or denied."""
    text = _ABBREVIATION.sub(lambda match: _ABBREVIATIONS[match[0]], _COMPARED.sub("", sentence))
    one_sided = _DENIED_SIDE.search(text)  # "small left and no right effusion", "left but not right effusion"
    return _OTHER_SIDE.sub(r"\1\2", text) if one_sided else text


def find_names(sentence: str) -> list[Named]:
    """Return the findings that a plain sentence names, in its order."""
    found = ((_finding(match[0]), match.start(), match.end()) for match in _NAME.finditer(sentence))
    return [Named(finding, start, end) for finding, start, end in found if finding is not None]


@lru_cache(maxsize=4096)
def _finding(name: str) -> str | None:
    """Return the official name of what a text names as a whole; None of what only ends like one."""
    return next((finding for finding, pattern in _NAMES.items() if pattern.fullmatch(name)), None)
