"""Report texts as MIMIC-CXR ships them: files/p10/p10000032/s50414267.txt, one a study."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.sources.image_files import missing_files
from cfvqa.sources.paths import existing_root, safe_path

KEY = "reports"
SUFFIX = ".txt"
_FILES = re.compile("files")
_SUBJECT = re.compile("p[0-9]+")
_REPORT = re.compile(r"s[0-9]+\.txt")


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a study.

    Attributes:
        study: its id.
        text: what it says.
        is_latin: whether its file is no UTF-8, and was read as Latin-1.
    """

    study: str
    text: str
    is_latin: bool


def subject_folders(root: Path | str | None) -> list[Path]:
    """Return the folders files/p*/p* of the subjects of a data folder, in their order.

    Raises:
        InputError: if there is none, or two are of one subject.
    """
    folder = existing_root(root, KEY)
    groups = [group for files in _folders(folder, _FILES, folder) for group in _folders(files, _SUBJECT, folder)]
    subjects = [subject for group in groups for subject in _folders(group, _SUBJECT, folder)]
    if not subjects:
        raise InputError(
            f"{KEY}: no folder {folder / 'files'}/p*/p*: give the folder that holds the folder files of the reports, "
            f"{KEY}=FOLDER"
        )
    place: dict[str, Path] = {}
    for subject in subjects:
        if (other := place.setdefault(subject.name, subject)) != subject:
            raise InputError(f"{KEY}: {other} and {subject} are of one subject: put the reports into one folder")
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


def _folders(folder: Path, name: re.Pattern[str], root: Path) -> list[Path]:
    return [path for path in _named(folder, name, root) if path.is_dir()]


def read_reports(subject: Path) -> Iterator[Report]:
    """Yield the reports of a subject, by study id.

    Raises:
        InputError: naming a file that is no text, or a link that leaves the folder.
    """
    for path in _named(subject, _REPORT, subject.parents[2]):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): restore the file") from error
        if b"\0" in content:
            raise InputError(f"{path} is no text, a NUL character is in it: restore the file, in UTF-8 or Latin-1")
        text, is_latin = _decoded(content)
        yield Report(path.stem[1:], text, is_latin)


def _named(folder: Path, name: re.Pattern[str], root: Path) -> list[Path]:
    """Return what lies in a folder under names of a form, in their order; a link may not leave the data folder."""
    found = sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
    return [safe_path(root, str(path.relative_to(root))) if path.is_symlink() else path for path in found]


def _decoded(content: bytes) -> tuple[str, bool]:
    """Return the text of a file with the ends of lines that Unix has, and whether it is Latin-1."""
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        return content.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return content.decode("latin-1"), True
