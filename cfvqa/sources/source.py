"""What every reader of a data set offers: its tables, and the files that shape them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
    """

    root: Path
    images: Path
    tables: tuple[Path, ...]
    trees: tuple[FileTree, ...]


class Source(Protocol):
    """A published data set on disk."""

    def files(self) -> SourceFiles:
        """Return the files that shape the tables.

        Raises:
            InputError: if the folder or a table that the source needs is missing.
        """

    def read(self, progress: Callable[[int], None] | None = None) -> Tables:
        """Read everything into tables that keep the contract of `checks.validate`."""
