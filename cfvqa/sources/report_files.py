"""Report texts as MIMIC-CXR ships them: files/p10/p10000032/s50414267.txt, one a study."""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.sources.image_files import missing_files
from cfvqa.sources.paths import existing_root

KEY = "reports"
SUFFIX = ".txt"
_SUBJECT = re.compile("p[0-9]+")
_REPORT = re.compile(r"s[0-9]+\.txt")


def subject_folders(root: Path | str | None) -> list[Path]:
    """Return the folders of the subjects below a data folder, in their order.

    Raises:
        InputError: if there is none.
    """
    files = existing_root(root, KEY) / "files"
    groups = _folders(files) if files.is_dir() else []
    subjects = [subject for group in groups for subject in _folders(group)]
    if not subjects:
        raise InputError(
            f"{KEY}: no folder {files}/p*/p*: give the folder that holds the folder files of the reports, {KEY}=FOLDER"
        )
    return subjects


def without_report(studies: pl.DataFrame, root: Path) -> list[str]:
    """Return the studies whose report is not there.

    Args:
        studies: subject_id, study_id.
        root: folder that holds the folder `files` of the reports.

    Raises:
        InputError: if none is there.
    """
    subject = pl.col("subject_id")
    place = pl.format("files/p{}/p{}/s{}{}", subject.str.slice(0, 2), subject, "study_id", pl.lit(SUFFIX))
    missing = studies.filter(missing_files(studies.select(path=place), root))["study_id"].to_list()
    if len(missing) == len(studies):
        raise InputError(
            f"source.{KEY}: {root} has the report of none of the {len(missing)} studies: give the folder that holds "
            f"the folder files of the reports, below source.root, or source.{KEY}=null"
        )
    return missing


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _SUBJECT.fullmatch(path.name) and path.is_dir())


def read_reports(subject: Path) -> Iterator[tuple[str, str]]:
    """Yield the reports of a subject, by study id: the id, and the text.

    Raises:
        InputError: naming a file that is no text.
    """
    for path in sorted(path for path in subject.iterdir() if _REPORT.fullmatch(path.name)):
        try:
            yield path.stem[1:], path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read as text ({error}): restore the file") from error
