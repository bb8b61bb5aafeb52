"""Keywords: the words of an answer that carry its content, to compare images with and to fill in."""

import re

from cfvqa.language.grammar import SYNONYMS
from cfvqa.language.negatives import PLACE_WORDS, TYPE_WORDS
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS
from cfvqa.vocabulary.regions import REGIONS

DIRECTIONS = ("additional", "missing")
EMPTY_WORDS = ("of", "the", "to", "and", ".", ",", "-", "/")
"""Words in the names of findings, places, levels and types that mean nothing by themselves."""
CONTENT_NAMES: tuple[str, ...] = (
    *ANSWER_FINDINGS, *SYNONYMS, *LEVEL_WORDS, *TYPE_WORDS, *PLACE_WORDS, *REGIONS, *DIRECTIONS,
)  # fmt: skip
"""Names whose words, but for the empty ones, are what an answer is about; "yes" and "view" are none."""

# What every difference answer says, whichever the change; the direction ("additional", "missing", "changed
# from ... to") stays, for without it an answer and its reverse would be one.
_TEMPLATE = re.compile(
    r"the main image has (?:an )?|the main image is |than the reference image|the level of |has (?=changed)"
    r"|(?:the )?findings? of "
)


def answer_keywords(question_type: str, answer: str) -> str:
    """Return the keywords of an answer: all of it, but for the template of difference answers."""
    if question_type != "difference":
        return answer
    return re.sub(r"\s+([.,])", r"\1", " ".join(_TEMPLATE.sub("", answer.lower()).split()))
