"""Paths and identifiers that come from tables: they stay inside the data folder."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import polars as pl

from cfvqa.errors import InputError


def safe_path(root: Path, relative: str) -> Path:
    """Return root / relative.

    Raises:
        InputError: if `relative` is absolute, climbs with "..", or leaves `root` through a link.
    """
    return paths_below(root)(relative)


def paths_below(root: Path) -> Callable[[str], Path]:
    """Return what does for many paths as `safe_path` does for one: the folder is looked up once."""
    resolved = root.resolve()

    def below(relative: str) -> Path:
        pure = PurePosixPath(relative)
        if pure.is_absolute() or ".." in pure.parts:
            raise InputError(f"path '{relative}' leaves the data folder {root}: paths in tables must be relative to it")
        path = root / pure
        if not path.resolve().is_relative_to(resolved):
            raise InputError(
                f"path '{relative}' goes through a link that leaves the data folder {root}: copy the files into it, "
                "or give the folder that they lie in"
            )
        return path

    return below


def existing_root(root: Path | str | None, key: str = "source.root") -> Path:
    """Return the data folder, or say that it is missing."""
    if root is None or not str(root):
        raise InputError(f"{key} is not set: give the folder of the data set, {key}=FOLDER")
    path = Path(root).expanduser()
    if not path.is_dir():
        raise InputError(f"{key}: no folder {path}; give the folder of the data set, {key}=FOLDER")
    return path


def existing_file(folder: Path, name: str, key: str = "source.root") -> Path:
    """Return folder / name, or say that it is missing."""
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path} is missing: it belongs to the data set; check {key}")
    return path


def check_ids(table: pl.DataFrame, column: str, pattern: str, path: Path) -> None:
    """Check that every value of a column is an identifier.

    Args:
        table: rows of a CSV file.
        column: its name there.
        pattern: regular expression of a whole identifier.
        path: the file, for the message.

    Raises:
        InputError: naming the first row that is none.
    """
    good = table[column].str.contains(f"^(?:{pattern})$").fill_null(value=False)
    if not good.all():
        row = int((~good).arg_true()[0])
        found = table[column][row]
        raise InputError(f"{path}, row {row + 2}: {column} is '{found}'; expected {pattern}: correct the row")


def refuse_unlisted(folder: Path, suffix: str, listed: pl.Series, table: Path) -> None:
    """Refuse files of a folder that no row of a table is about.

    Args:
        folder: that is looked into, not below; a missing one has no files.
        suffix: of the names that count.
        listed: names of files.
        table: for the message.

    Raises:
        InputError: naming the first such file.
    """
    found = sorted(path.name for path in folder.glob(f"*{suffix}"))
    names = pl.Series(found, dtype=pl.String)
    strange = names.filter(~names.is_in(listed.implode()))
    if len(strange):
        raise InputError(f"image {folder / strange[0]} has no row in {table}: add its row, or remove the file")
