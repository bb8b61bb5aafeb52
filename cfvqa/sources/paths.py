"""Paths and identifiers that come from tables: they stay inside the data folder."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import polars as pl

from cfvqa.errors import InputError, quoted


def safe_path(root: Path, relative: str) -> Path:
    """Return root / relative.

    Raises:
        InputError: if `relative` is absolute, climbs with "..", leaves `root` through a link, or has a link in it that
            leads nowhere but to itself.
    """
    return paths_below(root)(relative)


def paths_below(root: Path) -> Callable[[str], Path]:
    """Return what does for many paths as `safe_path` does for one: the folder is looked up once."""
    resolved = root.resolve()

    def below(relative: str) -> Path:
        if (fault := _fault(relative)) is not None:
            raise InputError(f"path {relative!r} {fault} (data folder {root})")
        path = root / relative
        try:
            inside = path.resolve().is_relative_to(resolved)
        except (OSError, RuntimeError) as error:  # the latter where links lead to each other
            raise InputError(
                f"{path} cannot be followed, it may be a link to itself ({error}): replace the link by what it shall "
                "lead to"
            ) from error
        if not inside:
            raise InputError(
                f"path '{relative}' goes through a link that leaves the data folder {root}: copy the files into it, "
                "or give the folder that they lie in"
            )
        return path

    return below


def _fault(relative: str) -> str | None:
    """Return what is wrong with the text of a path, and what to do about it; None if it may be one."""
    if "\0" in relative:
        return "holds a NUL character, which no path does: correct it"
    pure = PurePosixPath(relative)
    if pure.is_absolute() or ".." in pure.parts:
        return "leaves the data folder: paths in tables must be relative to it"
    if str(pure) != relative:  # one file would be two images
        return f"is another spelling of '{pure}': write that"
    return None


def check_paths(table: pl.DataFrame, column: str, path: Path) -> None:
    """Check that every value of a column that is not null may be a path below the data folder.

    Args:
        table: rows of a CSV file.
        column: its name there.
        path: the file, for the message.

    Raises:
        InputError: naming the first row whose value is absolute, climbs with "..", is no path, or no plain spelling.
    """
    for relative in table[column].unique(maintain_order=True).drop_nulls():
        if (fault := _fault(relative)) is not None:
            row = int(table[column].eq_missing(relative).arg_true()[0])
            raise InputError(f"{path}, row {row + 2}: {column} {relative!r} {fault}")


def existing_root(root: Path | str | None, key: str = "source.root") -> Path:
    """Return the data folder, or say that it is missing."""
    if root is None or not str(root):
        raise InputError(f"{key} is not set: give the folder of the data set, {key}=FOLDER")
    try:
        path = Path(root).expanduser()
    except RuntimeError as error:  # nobody is called so
        raise InputError(f"{key}: no home folder '{root}'; give the folder of the data set, {key}=FOLDER") from error
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
        found = quoted(table[column][row])
        raise InputError(f"{path}, row {row + 2}: {column} is {found}; expected {pattern}: correct the row")


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
