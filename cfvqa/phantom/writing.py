"""Writing a whole phantom data set, on several processes."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cfvqa.errors import InputError
from cfvqa.phantom.layout import GRAPHS, IMAGES, SubjectRows, write_subject
from cfvqa.phantom.tables import write_tables

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
    for number, rows in enumerate(_write_subjects(root, settings), start=1):
        subjects.append(rows)
        if progress is not None:
            progress(number)
    write_tables(root, subjects)


def _write_subjects(root: Path, settings: PhantomSettings) -> Iterator[SubjectRows]:
    write = partial(_write_one, root, settings)
    if settings.jobs == 1:
        yield from map(write, range(settings.subjects))
        return
    # Ctrl-C is for the first process: the others end when it has no more work for them.
    ignore = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(settings.jobs, initializer=ignore) as pool:
        try:
            yield from pool.map(write, range(settings.subjects), chunksize=8)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _write_one(root: Path, settings: PhantomSettings, number: int) -> SubjectRows:
    return write_subject(root, settings.seed, number, settings.size)
