"""Writing a whole phantom data set, on several processes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cfvqa.errors import InputError
from cfvqa.phantom.layout import GRAPHS, IMAGES, SubjectRows, write_subject
from cfvqa.phantom.tables import write_tables
from cfvqa.processes import ordered

DRAWING = 5
"""Number of the drawing: raised whenever the same seed gives other bytes, so that no stage reads a stale phantom."""


@dataclass(frozen=True, slots=True)
class PhantomSettings:
    """What is drawn.

    Attributes:
        subjects: how many; each has one to four studies.
        seed: the same seed gives the same bytes.
        size: side of a picture in pixels.
        jobs: processes; they change nothing but the time.
    """

    subjects: int
    seed: int
    size: int = 256
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.subjects < 1 or self.size < 64 or self.jobs < 1:
            raise InputError(f"phantom needs subjects >= 1, size >= 64 and jobs >= 1, not {self}")


def write_phantom(root: Path, settings: PhantomSettings, progress: Callable[[int], None] | None = None) -> None:
    """Write a data set below `root`: pictures, reports and graphs first, tables last.

    Args:
        root: folder; what a stopped run left in it is overwritten.
        settings: what to draw.
        progress: told how many subjects are done.
    """
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    (root / GRAPHS / "silver_dataset" / "scene_graph").mkdir(parents=True, exist_ok=True)
    subjects = []
    write = partial(_write_one, root, settings)
    for number, rows in enumerate(ordered(write, range(settings.subjects), settings.jobs), start=1):
        subjects.append(rows)
        if progress is not None:
            progress(number)
    write_tables(root, subjects)


def _write_one(root: Path, settings: PhantomSettings, number: int) -> SubjectRows:
    return write_subject(root, settings.seed, number, settings.size)
