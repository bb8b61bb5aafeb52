"""Question templates and answer builders of Medical-Diff-VQA, beyond the difference answers."""

import re
from collections.abc import Iterable, Sequence

from cfvqa.language.grammar import SYNONYMS, any_of, official_name
from cfvqa.vocabulary.findings import ANSWER_FINDINGS

QUESTION_TYPES: tuple[str, ...] = (
    "abnormality",
    "presence",
    "view",
    "location",
    "level",
    "type",
    "difference",
)
"""The seven types, in the order in which the published rows of a pair stand."""

DIFFERENCE = "difference"
WHAT_CHANGED = "what has changed compared to the reference image?"
ABNORMALITIES = "what abnormalities are seen in this image?"
ANY_ABNORMALITY = "is there evidence of any abnormalities in this image?"
VIEW = "which view is this image taken?"

_FINDING_PATTERN = re.compile(rf"\b({any_of((*ANSWER_FINDINGS, *SYNONYMS))})\b")
_PLACE = r"\S.*"


def difference_in(area: str) -> str:
    """Ask what has changed in one area ("left lung")."""
    return f"what has changed in the {area} area?"


def abnormalities_in(post_location: str) -> str:
    """Ask which abnormalities are seen at a place ("the left lung base")."""
    return f"what abnormalities are seen in {post_location}?"


def presence(finding: str, place: str | None = None) -> str:
    """Ask whether a finding is there, at a place ("the left lung area") or anywhere."""
    return f"is there evidence of {finding} in this image?" if place is None else f"is there {finding} in {place}?"


def short_presence(finding: str) -> str:
    """Ask whether a finding is there, in the short form."""
    return f"is there {finding}?"


def is_bilateral(finding: str) -> str:
    """Ask whether a finding is on both sides."""
    return f"is the {finding} bilateral?"


def is_view(view: str) -> str:
    """Ask whether the view is `view` (PA or AP)."""
    return f"is this {view} view?"


def location(finding: str) -> str:
    """Ask where a finding is."""
    return f"where in the image is the {finding} located?"


def short_location(finding: str) -> str:
    """Ask where a finding is, in the short form."""
    return f"where is the {finding}?"


def side(finding: str) -> str:
    """Ask on which side a finding is."""
    return f"is the {finding} located on the left side or right side?"


LOCATIONS = (location, short_location, side)
"""The forms of a question for a place; the last asks for the side alone."""


def level(finding: str) -> str:
    """Ask the level of a finding."""
    return f"what level is the {finding}?"


def finding_type(finding: str) -> str:
    """Ask the type of a finding."""
    return f"what type is the {finding}?"


def yes_no(truth: bool) -> str:
    """Answer a closed question."""
    return "yes" if truth else "no"


def list_answer(findings: Iterable[str]) -> str:
    """Answer with findings: comma and blank between them."""
    return ", ".join(findings)


def view_answer(view: str) -> str:
    """Answer an open view question."""
    return f"{view} view"


def area(words: Sequence[str]) -> str:
    """Return location words as an area is called: a side alone is a lung ("left lung")."""
    return " ".join([*words, "lung"] if tuple(words) in (("left",), ("right",)) else words)


def area_answer(places: Sequence[Sequence[str]]) -> str:
    """Answer with one area or two, each a list of location words."""
    return " and ".join(" ".join(words) + " area" for words in places)


def side_answer(side_word: str) -> str:
    """Answer a question for the side ("left" or "right")."""
    return f"{side_word} side"


def parse_finding_list(answer: str) -> frozenset[str] | None:
    """Parse an answer that lists findings; None when a part is no finding."""
    names = [official_name(part.strip()) for part in answer.lower().rstrip(". ").split(",")]
    return frozenset(names) if all(name in ANSWER_FINDINGS for name in names) else None


def question_finding(question: str) -> str | None:
    """Return the finding that a question names first; None if it names none."""
    match = _FINDING_PATTERN.search(question.lower())
    return official_name(match[1]) if match else None


def question_type(question: str) -> str | None:
    """Return the type of a question that follows a template, whatever its case; None where it follows none."""
    plain = " ".join(question.lower().split()).rstrip(" ?")
    return next((kind for kind, template in _TEMPLATES if template.fullmatch(plain)), None)


def _template(*questions: str) -> re.Pattern[str]:
    """Return a pattern of questions, with any finding for FINDING and any words for PLACE."""
    plain = "|".join(re.escape(question.rstrip("?").lower()) for question in questions)
    return re.compile(plain.replace("<finding>", _FINDING_PATTERN.pattern).replace("<place>", _PLACE))


_X, _AT = "<finding>", "<place>"
_TEMPLATES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("abnormality", _template(ABNORMALITIES, ANY_ABNORMALITY, abnormalities_in(_AT))),
    ("presence", _template(presence(_X), presence(_X, _AT), short_presence(_X), is_bilateral(_X))),
    ("view", _template(VIEW, is_view("PA"), is_view("AP"))),
    ("location", _template(location(_X), short_location(_X), side(_X))),
    ("level", _template(level(_X))),
    ("type", _template(finding_type(_X))),
    (DIFFERENCE, _template(WHAT_CHANGED, difference_in(_AT))),
)
