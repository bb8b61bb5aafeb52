"""Whether what the stages write fits on the disks that they write to."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from cfvqa.doctor.note import MISSING, OK, WARNING, Note
from cfvqa.doctor.words import size

_TIGHT = 0.8  # of what is free


@dataclass(frozen=True)
class Need:
    """What will be written.

    Attributes:
        key: of the folder in the config: work or runs.
        folder: that it is written to; need not be there yet.
        about: what it is.
        bytes: how much.
    """

    key: str
    folder: Path
    about: str
    bytes: int


def disk_notes(needs: Sequence[Need]) -> list[Note]:
    """Say of every folder what will be written to it, and of every disk whether that fits."""
    notes = []
    for key, group in groupby(needs, lambda need: need.key):
        parts = list(group)
        what = ", ".join(f"{need.about} {size(need.bytes)}" for need in parts)
        notes.append(Note(OK, key, f"{size(sum(need.bytes for need in parts))}: {what}"))
    return notes + [_room(disk) for disk in _by_disk(needs)]


def _by_disk(needs: Iterable[Need]) -> Iterator[list[Need]]:
    ordered = sorted(needs, key=lambda need: _there(need.folder).stat().st_dev)
    for _, group in groupby(ordered, lambda need: _there(need.folder).stat().st_dev):
        yield list(group)


def _room(needs: list[Need]) -> Note:
    keys = " and ".join(sorted({need.key for need in needs}, reverse=True))
    needed, free = sum(need.bytes for need in needs), shutil.disk_usage(_there(needs[0].folder)).free
    text = f"about {size(needed)} of {size(free)} that are free"
    if needed <= _TIGHT * free:
        return Note(OK, f"disk of {keys}", text)
    elsewhere = " ".join(f"{key}=FOLDER" for key in keys.split(" and "))
    help_ = f"free some, or give folders elsewhere, {elsewhere}"
    if needed <= free + sum(map(_held, {need.folder for need in needs})):  # the same settings may have made it before
        return Note(WARNING, f"disk of {keys}", f"{text}, unless some of it is made already: {help_}")
    return Note(MISSING, f"disk of {keys}", f"{text}: {help_}")


def _there(folder: Path) -> Path:
    """Return a folder, or the first above it that is there."""
    whole = folder.absolute()
    return next(place for place in (whole, *whole.parents) if place.exists())


def _held(folder: Path) -> int:
    """Return the bytes of the stages in a folder, at the depth at which their large files lie."""
    patterns = ("*/*/*", "*/*/checkpoints/*", "*/vqa/*/checkpoints/*")
    files = (file for pattern in patterns for file in folder.glob(pattern))
    return sum(file.stat().st_size for file in files if file.is_file())
