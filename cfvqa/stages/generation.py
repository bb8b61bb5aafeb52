"""What cfvqa-generate-questions does: report texts become records of key information, and questions over pairs."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TextIO

import polars as pl
from omegaconf import DictConfig
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.files import make_folder, whole
from cfvqa.processes import ordered
from cfvqa.progress import counting
from cfvqa.sources.key_information import RECORDS
from cfvqa.sources.medical_diff_vqa import QUESTION_COLUMNS, QUESTIONS, read_order
from cfvqa.sources.mimic_cxr_jpg import VIEW_OF_MEANING
from cfvqa.sources.report_files import subject_folders
from cfvqa.sources.report_questions import NOT_FRONTAL, NOT_LISTED, Study, Subject, Written, write_subjects

_AT_ONCE = 32  # subjects that a process reads before it hands over
_NO_REPORT = "study of the table without a report"


@dataclass(slots=True)
class _Total:
    """What all subjects have become together."""

    subject_of: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, part: Written) -> None:
        """Count a part.

        Raises:
            InputError: naming a study of two subjects.
        """
        for study, subject in part.ids:
            if (other := self.subject_of.setdefault(study, subject)) != subject:
                raise InputError(
                    f"study {study} has a report of subject {other} and one of subject {subject}: remove one of them"
                )
        self.counts += part.counts
        self.types += part.types
        self.seconds += part.seconds


def generate(config: DictConfig, console: Console) -> Path:
    """Write `all_diseases.json`, and where `studies` is set `mimic_pair_questions.csv`, into the folder `out`.

    Both have the published form; of the questions that is the generator's own, without a `split`, which
    `source=mimic` does without. Records stand in the order of subjects and studies. Subjects are read a few at a time.

    Raises:
        InputError: naming the key, file or row that is wrong; nothing is left then.
    """
    folders = subject_folders(config.reports)[: config.limit]
    out = _out(config)
    studies = None if config.studies is None else _studies(Path(config.studies), folders, limited=bool(config.limit))
    start = time.monotonic()
    with _writing(out, asks=studies is not None) as (records, questions):
        total = _write(config, folders, studies, console, records, questions)
        if studies is not None:
            _check_subjects(total, studies)
            _check_asked(total, config.studies)
    if studies is not None:
        listed = sum(map(len, studies.values()))
        total.counts[_NO_REPORT] = listed - sum(
            study in studies.get(subject, ()) for study, subject in total.subject_of.items()
        )
    _show(total, out, time.monotonic() - start, len(folders), console, asked=studies is not None)
    return out


def _check_subjects(total: _Total, studies: dict[str, dict[str, Study]]) -> None:
    """Refuse a table of studies that gives a report to another subject than its folder."""
    listed = {study: subject for subject, known in studies.items() for study in known}
    for study, subject in total.subject_of.items():
        if (other := listed.get(study, subject)) != subject:
            raise InputError(
                f"studies: study {study} is of subject {other}, but its report lies in the folder of subject "
                f"{subject}: correct the table, or move the report"
            )


def _check_asked(total: _Total, studies: str) -> None:
    """Refuse a table of studies that knows none of the reports, or none as frontal."""
    if total.counts[NOT_LISTED] + total.counts[NOT_FRONTAL] == len(total.subject_of):
        reasons = "".join(f"; {reason} {count}" for reason, count in sorted((+total.counts).items()))
        raise InputError(
            f"studies={studies} leads to no question about the {len(total.subject_of)} reports{reasons}: give the "
            "table of their studies, with their order and views"
        )


def _out(config: DictConfig) -> Path:
    if config.out is None:
        raise InputError("out is not set: give the folder to write, out=FOLDER")
    out = Path(config.out)
    if config.studies is None and (out / QUESTIONS).exists():
        raise InputError(
            f"out={out} holds {QUESTIONS} of other records: give another folder, or studies=FILE to write it anew"
        )
    for name in (RECORDS, QUESTIONS):  # before the first of them is written
        if (out / name).is_dir():
            raise InputError(f"out: {out / name} is a folder, a file is to stand there: remove it, or give another out")
    return out


def _studies(path: Path, folders: Sequence[Path], *, limited: bool) -> dict[str, dict[str, Study]]:
    """Return the studies of the table by subject and id; of a dry run, those of its subjects."""
    table = read_order(path)
    if limited:
        table = table.filter(pl.col("subject_id").is_in([folder.name[1:] for folder in folders]))
    studies: dict[str, dict[str, Study]] = {}
    for subject, study, order, view in table.iter_rows():
        studies.setdefault(subject, {})[study] = Study(order, VIEW_OF_MEANING.get(view))
    return studies


@contextmanager
def _writing(out: Path, *, asks: bool) -> Iterator[tuple[TextIO, TextIO | None]]:
    """Open the files to write: whole in the end, or not there."""
    make_folder(out, "out")
    try:
        with ExitStack() as stack:
            names = [RECORDS, *([QUESTIONS] if asks else [])]
            # All files are closed before the first of them gets its name.
            temporary = [stack.enter_context(whole(out / name)) for name in names]
            files = [stack.enter_context(path.open("w", encoding="utf-8", newline="")) for path in temporary]
            yield files[0], files[1] if asks else None
    finally:
        with suppress(OSError):  # only an empty folder goes
            out.rmdir()


def _write(
    config: DictConfig,
    folders: Sequence[Path],
    studies: dict[str, dict[str, Study]] | None,
    console: Console,
    records: TextIO,
    questions: TextIO | None,
) -> _Total:
    total = _Total()
    parts = (folders[place : place + _AT_ONCE] for place in range(0, len(folders), _AT_ONCE))
    subjects = (
        [Subject(folder, None if studies is None else studies.get(folder.name[1:], {})) for folder in part]
        for part in parts
    )
    if questions is not None:
        questions.write(",".join(QUESTION_COLUMNS) + "\n")
    between = "[\n"
    with counting(console, "reading subjects", len(folders)) as count:
        for number, part in enumerate(
            ordered(partial(write_subjects, config.parser, config.seed), subjects, config.workers), 1
        ):
            total.add(part)
            if part.records:
                records.write(between + part.records)
                between = ",\n"
            if questions is not None:
                questions.write(part.rows)
            count(min(number * _AT_ONCE, len(folders)))
    if not total.subject_of:
        raise InputError(f"reports: no file s*.txt in any of the {len(folders)} folders of subjects: restore the files")
    records.write("\n]")
    return total


def _show(total: _Total, out: Path, seconds: float, subjects: int, console: Console, *, asked: bool) -> None:
    reports = len(total.subject_of)
    console.print(f"records    {out / RECORDS}  {reports} reports of {subjects} subjects", soft_wrap=True)
    if asked:
        types = ", ".join(f"{kind} {count}" for kind, count in total.types.items())
        console.print(f"questions  {out / QUESTIONS}  {total.types.total()} ({types})", soft_wrap=True)
    for reason, count in sorted((+total.counts).items()):
        console.print(f"  {reason} {count}", soft_wrap=True)
    rate = reports / max(total.seconds, 1e-9)
    console.print(f"done in {seconds:.1f} s, {rate:.0f} reports a second on one core", soft_wrap=True)
