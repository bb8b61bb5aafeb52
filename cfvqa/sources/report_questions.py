"""From the reports of a subject to its records and questions: what one process does of cfvqa-generate-questions."""

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cfvqa.language import published_sampling, sampling
from cfvqa.language.drawing import DrawQuestions
from cfvqa.language.pairing import ChooseReference, any_earlier, published_choice
from cfvqa.language.questions import DIFFERENCE
from cfvqa.language.reports import improved, published
from cfvqa.language.reports.records import KeyInformation
from cfvqa.sources.report_files import read_reports

INDENT = 4
"""Of the published records."""

NO_TEXT = "report without text (its record is empty)"
LATIN = "report that is no UTF-8 (read as Latin-1)"
NOT_LISTED = "report whose study is not in the table of studies (no questions)"
NOT_FRONTAL = "study without a frontal view (no questions)"
NONE_EARLIER = "study without an earlier frontal one (no questions)"
GIVEN_UP = "study whose only earlier one was tried last (no questions, as published)"
TWO_READINGS = "difference question whose answer has two readings"
_VIEWS = ("PA", "AP")


@dataclass(frozen=True, slots=True)
class Rules:
    """How reports are read, studies paired, and pairs asked about."""

    parse: Callable[[str, str], KeyInformation]
    choose: ChooseReference
    ask: DrawQuestions


PARSERS: dict[str, Rules] = {
    "improved": Rules(improved.parse_report, any_earlier, sampling.question_rows),
    "published": Rules(published.parse_report, published_choice, published_sampling.question_rows),
}
"""By the value of the key `parser`."""


@dataclass(frozen=True, slots=True)
class Study:
    """What the table of studies tells of one: its place in time, and its view (PA, AP or another)."""

    order: int
    view: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject to read.

    Attributes:
        folder: of its reports.
        studies: by id; None where no table is given, and no question asked.
    """

    folder: Path
    studies: Mapping[str, Study] | None

    @property
    def id(self) -> str:
        """Its digits."""
        return self.folder.name[1:]


@dataclass(slots=True)
class Written:
    """What some subjects have become.

    Attributes:
        ids: (study, subject) of each record.
        records: the records as they stand in the JSON array, without its brackets; empty where there is none.
        rows: rows of the questions, as CSV.
        counts: what was left out, by reason.
        types: how many questions of each type.
        seconds: of the processor.
    """

    ids: list[tuple[str, str]] = field(default_factory=list)
    records: str = ""
    rows: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def write_subjects(parser: str, seed: int, subjects: Sequence[Subject]) -> Written:
    """Read the reports of some subjects, and write records and questions.

    Args:
        parser: one of `PARSERS`.
        seed: what is drawn for a study follows from it and the study's id.
        subjects: in their order.

    Raises:
        InputError: naming a report that cannot be read.
    """
    start = time.process_time()
    done = Written()
    records, table = [], io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    for subject in subjects:
        read = _read(PARSERS[parser], subject, done.counts)
        records += [record.record(study, subject.id) for study, record in read.items()]
        done.ids += [(study, subject.id) for study in read]
        if subject.studies is not None:
            rows.writerows(_rows(PARSERS[parser], seed, subject, read, done))
    done.records = json.dumps(records, indent=INDENT)[2:-2]
    done.rows = table.getvalue()
    done.seconds = time.process_time() - start
    return done


def _read(rules: Rules, subject: Subject, counts: Counter[str]) -> dict[str, KeyInformation]:
    read = {}
    for report in read_reports(subject.folder):
        counts[NO_TEXT] += not report.text.strip()
        counts[LATIN] += report.is_latin
        read[report.study] = rules.parse(f"s{report.study}", report.text)
    return read


def _rows(
    rules: Rules, seed: int, subject: Subject, read: Mapping[str, KeyInformation], done: Written
) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield the rows of the questions about each study that has a reference."""
    studies = {study: known for study, known in (subject.studies or {}).items() if study in read}
    done.counts[NOT_LISTED] += len(read) - len(studies)
    frontal = {study: known for study, known in studies.items() if known.view in _VIEWS}
    done.counts[NOT_FRONTAL] += len(studies) - len(frontal)
    for study in (study for study in read if study in frontal):
        rng = np.random.default_rng((seed, int(study)))
        reference = _reference(rules, study, list(read), frontal, rng, done.counts)
        if reference is None:
            continue
        asked = list(rules.ask(read[study], read[reference], str(frontal[study].view), rng))
        done.types.update(kind for kind, _, _ in asked)
        done.counts[TWO_READINGS] += all(kind != DIFFERENCE for kind, _, _ in asked)
        yield from ((study, subject.id, reference, *row) for row in asked)


def _reference(
    rules: Rules,
    study: str,
    read: Sequence[str],
    frontal: Mapping[str, Study],
    rng: np.random.Generator,
    counts: Counter[str],
) -> str | None:
    earlier = {other for other, known in frontal.items() if known.order < frontal[study].order}
    reference = rules.choose([other for other in read if other != study], earlier, rng)
    if reference is None:
        counts[GIVEN_UP if earlier else NONE_EARLIER] += 1
    return reference
