"""What every reader of a data set offers: its tables, and the files that shape them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from cfvqa.sources.splits import FRACTIONS
from cfvqa.sources.tables import Tables


@dataclass(frozen=True)
class FileTree:
    """A folder of many files, at any depth, whose names end with `suffix`."""

    folder: Path
    suffix: str


@dataclass(frozen=True)
class SourceFiles:
    """The files that shape the tables of a source.

    Attributes:
        root: folder of the data set.
        images: folder that the paths in the images table are relative to.
        tables: files of many rows; each one's content counts.
        trees: files of which there are too many to read: images and scene graphs.
        listed: images that tables name, in place of a tree; one that is not there does not count.
    """

    root: Path
    images: Path
    tables: tuple[Path, ...]
    trees: tuple[FileTree, ...]
    listed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A table, or a folder of files, that a source looks for.

    Attributes:
        name: below the folder of the data set.
        find: returns it, None where it may be left out and is not there; raises an `InputError` where it is missing.
    """

    name: str
    find: Callable[[], Path | FileTree | None]


@dataclass(frozen=True)
class Listing:
    """The images that the tables of a source name.

    Attributes:
        root: folder that the paths are relative to.
        images: subject_id and path of each.
        training: share of them that trains; the one aimed at where only questions tell it (`split=paper`).
    """

    root: Path
    images: pl.DataFrame
    training: float = FRACTIONS[0]


def found_files(root: Path, images: Path, wanted: Sequence[Wanted]) -> SourceFiles:
    """Return what is there of what a source looks for.

    Raises:
        InputError: if something is missing.
    """
    found = [one.find() for one in wanted]
    return SourceFiles(
        root=root,
        images=images,
        tables=tuple(one for one in found if isinstance(one, Path)),
        trees=tuple(one for one in found if isinstance(one, FileTree)),
    )


def if_there(path: Path) -> Path | None:
    """Return the path of a file that may be left out, None where it is."""
    return path if path.is_file() else None


class Source(Protocol):
    """A published data set on disk; a dataclass, so that a copy with another `limit` reads a sample."""

    name: str
    version: str
    split: str
    on_corrupt: str
    limit: int | None

    def wanted(self) -> tuple[Wanted, ...]:
        """Return everything that shapes the tables, there or not.

        Raises:
            InputError: if there is no folder of the data set.
        """

    def listed(self) -> Listing:
        """Return the images that are read; none of their files is looked at.

        Raises:
            InputError: if a table that lists them is missing or wrong.
        """

    def files(self) -> SourceFiles:
        """Return the files that shape the tables.

        Raises:
            InputError: if the folder or a table that the source needs is missing.
        """

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read everything into tables that keep the contract of `checks.validate`."""
