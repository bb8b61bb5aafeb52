"""The hand-written sentences, and how well a parser reads them."""

import re
from dataclasses import dataclass
from pathlib import Path

from cfvqa.language.reports.records import KeyInformation

FILE = Path(__file__).with_name("report_sentences.txt")
HELD_OUT = Path(__file__).with_name("held_out_sentences.txt")
_ENTRY = re.compile(
    r"(?P<sign>[+-])(?P<finding>[^([{]+)(?:\((?P<level>.*)\))?(?:\[(?P<location>.*)\])?(?:\{(?P<place>.*)\})?"
)


@dataclass(frozen=True)
class Example:
    """A report of one or a few sentences, and the entries that it should become."""

    group: str
    report: str
    entries: frozenset


def entry(finding, present, level=(), location=(), place=None):
    return (finding.strip(), present, " ".join(level or ()), " ".join(location or ()), place or "")


def examples(file=FILE):
    group, found = "", []
    for line in file.read_text().splitlines():
        if line.startswith("## "):
            group = line[3:]
        elif line and not line.startswith("#"):
            report, _, entries = line.rpartition(" => ")
            found.append(Example(group, report.replace("\\n", "\n"), frozenset(_expected(entries))))
    return found


def _expected(entries):
    for text in () if entries == "nothing" else entries.split("; "):
        match = _ENTRY.fullmatch(re.sub(r" (?=[([{])", "", text))
        yield entry(
            match["finding"],
            match["sign"] == "+",
            (match["level"] or "").split(),
            (match["location"] or "").split(),
            match["place"],
        )


def entries_of(record: KeyInformation):
    """Return a record as entries: one an instance of a finding, and one an absent finding."""
    found = {entry(name, False) for name in record.absent}
    for name, entity in record.entities.items():
        for mention in filter(None, (entity.first, entity.second)):
            found.add(entry(name, True, mention.level, mention.location, mention.post_location))
    return frozenset(found)


def f1(pairs):
    """Return the F1 of (expected, found) sets of entries, an entry right or wrong as a whole."""
    pairs = list(pairs)
    right = sum(len(expected & found) for expected, found in pairs)
    return 2 * right / sum(len(expected) + len(found) for expected, found in pairs)


def written(entries):
    """Return entries as the sentences of the file have them, in the order of the findings' names."""
    return "; ".join(map(_written, sorted(entries, key=lambda one: (one[0], not one[1], one[2:])))) or "nothing"


def _written(one):
    finding, present, level, location, place = one
    parts = [f"{'+' if present else '-'}{finding}", f"({level})", f"[{location}]", f"{{{place}}}"]
    return " ".join(part for part in parts if len(part) > 2)
