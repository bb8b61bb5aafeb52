"""The parts of a report: which of its sentences speak of this study, and which of them correct the others."""

import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_EXAM = "(?:EXAM(?:INATION)?|STUDY|PROCEDURE)"
_FOR_EXAM = f"(?:FOR|OF) (?:THE |THIS )?{_EXAM}"
_ASIDE = (
    f"(?:TYPE OF )?{_EXAM}", f"(?:CLINICAL )?INDICATIONS?(?: {_FOR_EXAM})?", f"REASON {_FOR_EXAM}",
    "(?:(?:CLINICAL|PATIENT|MEDICAL) )?HISTORY", "CLINICAL (?:INFO(?:RMATION)?|DATA)", "TECHNIQUE", "COMPARISONS?",
)  # fmt: skip
_QUALIFIERS = (
    "CLINI?CAL", "PATIENT(?:'?S)?", "MEDICAL", "SURGICAL", "ADDITIONAL", "FURTHER", "OTHER", "BRIEF", "PAST", "PRESENT",
    "PRESENTING", "CURRENT", "UNDERLYING", "PERTINENT", "RELEVANT", "PROVIDED", "GIVEN", "STATED", "CHIEF", "MAIN",
    "PRIMARY", "INTERVAL", "IMAGING", "SPECIFIC",
)  # fmt: skip
_STEMS = (
    "(?!INDICAT(?:ED|ES|ING|IVE))IN[DI]{1,3}[CA]", "REASON", "HISTORY", "HX", "COMPARI(?!.{3,8} (?:TO|WITH))",
    r"(?:PRIORS?|PREVIOUS)\b(?! TO\b)", "CLINI?C(?!ALLY)", "TECHNI(?!.{0,4}LY)", "CONDITION", "COMPLAINT", "SYMPTOM",
    "DX", "(?:REFERRING|ADMITTING|ADMISSION|WORKING) (?:DIAGNOS|DX)", "(?:RULE OUT|R/O|QUESTIONS?|REQUEST) *:",
    r"(?:EXAM|STUDY|PROCEDURE)[A-Z]*(?: *[:/]| (?:AND|TYPE|DATE|TIME|NAME|DESCRIPTION|PERFORMED|REQUESTED|ORDERED)\b)",
)  # fmt: skip
_CONTENT = (
    "FINDING", "IMPRESSION", "CONCLUSION", "INTERPRET", "RESULT", "COMPARED", "CHANGE", "UNCHANGED", "SINCE", "LIMITED",
)  # fmt: skip
_IN_CAPITALS = (
    rf"(?-i:(?=[A-Z][A-Z ()/&,'-]{{1,60}}:)(?![^:]*\b(?:{'|'.join(_CONTENT)}))"
    rf"(?=(?:(?:{'|'.join(_QUALIFIERS)}) ){{0,2}}(?:{'|'.join(_STEMS)}))[^:]*)"
)
"""A header of a few words, spelled or joined freely, that begins with what heads no content, at most qualified.

It is all in capitals, so that no sentence is taken for one. One that begins with a view
("CHEST, COMPARISON WITH PRIOR") or speaks of what is seen heads content.
"""
_DROPPED = (
    r"(?:(?-i:(?!(?:FROM|WITH|TO|OF|PER|SEE)\b)[A-Z]+)[ \t]+){0,2}WET READ", "RECOMMENDATIONS?",
    r"RECOMMENDATION\(S\)", "NOTIFICATION",
)  # fmt: skip
_READ = ("FINDINGS?", "IMPRESSION", "CONCLUSIONS?", "FINDINGS AND IMPRESSION", "FINDINGS/IMPRESSION")


_HEADER = re.compile(
    rf"^[ \t]*(?=[A-Z])(?:(?P<read>{'|'.join(_READ)})[ \t]*:|(?P<read_>FINAL REPORT)\b|(?P<addendum>ADDENDUM)\b[ \t]*:?"
    rf"|(?P<dropped>{'|'.join(_DROPPED)})\b[ \t]*:?|(?P<aside>{'|'.join(_ASIDE)}|{_IN_CAPITALS})[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_ANSWERED = r"\s*(?:none|nil|no|absent|negative)\s*(?:[.;]|$)"
_SENTENCE = re.compile(rf"\.(?!\d)|(?<=\?)(?!{_ANSWERED})|!|\n[ \t]*\n", re.IGNORECASE)  # a question keeps its mark
_CLOSED = re.compile(r"[.?!_:)]\s*$")
_LONG = 50  # characters of a line that may have been wrapped
_LONGEST = 1000  # characters of a sentence: rules that look at all of it for each of its cues shall not hold up a run
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
    yield from _split(list(_parts(_VERSUS.sub("versus", report), _after_paragraph)))


def sentences_behind_headers(report: str) -> Iterator[Sentence]:
    """Yield the sentences of a report without blank lines, in which `sentences` may find none.

    A section that is left out ends where its first line or wrapped lines do. A wet read counts where no final report
    replaces it; where findings or an impression have a section of their own, nothing else does.
    """
    kinds = {header.lastgroup for header in _HEADER.finditer(report)}
    if "read" not in kinds:
        yield from _split(list(_parts(_VERSUS.sub("versus", report), _after_lines, wet="read_" not in kinds)))


def _split(parts: list[tuple[str, bool]]) -> Iterator[Sentence]:
    for addendum in (False, True):
        for content, is_addendum in parts:
            if addendum == is_addendum:
                texts = (" ".join(text.lower().split()) for text in _SENTENCE.split(content))
                yield from (Sentence(piece, addendum) for text in texts if text for piece in _pieces(text))


def _pieces(text: str) -> list[str]:
    """Return a sentence, or what it becomes when a damaged one is cut at blanks."""
    return [text] if len(text) <= _LONGEST else textwrap.wrap(text, _LONGEST, break_on_hyphens=False)


def _after_paragraph(content: str) -> str:
    return "\n\n".join(_PARAGRAPH.split(content.strip())[1:])


def _after_lines(content: str) -> str:
    """Return what stands behind a first line, and behind those into which it seems to be wrapped."""
    lines = [line.strip() for line in content.strip().splitlines()]
    last = 0
    while last + 1 < len(lines) and not _CLOSED.search(lines[last]):
        if len(lines[last]) < _LONG and not lines[last + 1][:1].islower():
            break
        last += 1
    return "\n".join(lines[last + 1 :])


def _parts(report: str, rest: Callable[[str], str], *, wet: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield each part of a report that counts, and whether it is an addendum.

    Args:
        report: its text.
        rest: what to keep of a section that is left out.
        wet: whether a wet read counts.
    """
    headers = list(_HEADER.finditer(report))
    yield report[: headers[0].start() if headers else len(report)], False
    for header, following in zip(headers, [*headers, None][1:], strict=True):
        content = report[header.end() : following.start() if following else len(report)]
        if header.lastgroup == "aside":
            content = rest(content)
        if header.lastgroup != "dropped" or (wet and "wet" in header[0].lower()):
            yield content, header.lastgroup == "addendum"
