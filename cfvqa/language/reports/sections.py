"""The parts of a report: which of its sentences speak of this study, and which of them correct the others."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ASIDE = (
    "EXAMINATION", "EXAM", "INDICATIONS?", "HISTORY", "CLINICAL HISTORY", "CLINICAL INFORMATION", "CLINICAL INDICATION",
    "REASON FOR EXAM", "REASON FOR EXAMINATION", "REASON FOR STUDY", "TECHNIQUE", "COMPARISONS?", "STUDY",
    "TYPE OF EXAMINATION", "PATIENT HISTORY",
)  # fmt: skip
_DROPPED = ("WET READ", "RECOMMENDATIONS?", r"RECOMMENDATION\(S\)", "NOTIFICATION")
_READ = ("FINDINGS?", "IMPRESSION", "CONCLUSIONS?", "FINDINGS AND IMPRESSION", "FINDINGS/IMPRESSION")


_HEADER = re.compile(
    rf"^[ \t]*(?:(?P<aside>{'|'.join(_ASIDE)})[ \t]*:|(?P<dropped>{'|'.join(_DROPPED)})\b[ \t]*:?"
    rf"|(?P<read>{'|'.join(_READ)})[ \t]*:|(?P<read_>FINAL REPORT)\b|(?P<addendum>ADDENDUM)\b[ \t]*:?)",
    re.IGNORECASE | re.MULTILINE,
)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_ANSWERED = r"\s*(?:none|nil|no|absent|negative)\s*(?:[.;]|$)"
_SENTENCE = re.compile(rf"\.(?!\d)|(?<=\?)(?!{_ANSWERED})|!|\n[ \t]*\n", re.IGNORECASE)  # a question keeps its mark
_VERSUS = re.compile(r"\bvs\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in lower case, and whether it stands in an addendum."""

    text: str
    addendum: bool


def sentences(report: str) -> Iterator[Sentence]:
    """Yield the sentences that speak of this study, those of addenda last.

    What was asked, technique, comparison and advice are left out, and the wet read that a final report replaces. A
    section that is left out ends at its first blank line: a report may go on without a header.
    """
    parts = list(_parts(_VERSUS.sub("versus", report)))
    for addendum in (False, True):
        for content, is_addendum in parts:
            if addendum == is_addendum:
                texts = (" ".join(text.lower().split()) for text in _SENTENCE.split(content))
                yield from (Sentence(text, addendum) for text in texts if text)


def _parts(report: str) -> Iterator[tuple[str, bool]]:
    headers = list(_HEADER.finditer(report))
    yield report[: headers[0].start() if headers else len(report)], False
    for header, following in zip(headers, [*headers, None][1:], strict=True):
        content = report[header.end() : following.start() if following else len(report)]
        if header.lastgroup == "aside":
            content = "\n\n".join(_PARAGRAPH.split(content.strip())[1:])
        if header.lastgroup != "dropped":
            yield content, header.lastgroup == "addendum"
