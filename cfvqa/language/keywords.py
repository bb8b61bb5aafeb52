"""Keywords: the words of an answer that carry its content, for the contrastive objectives."""

import re

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
