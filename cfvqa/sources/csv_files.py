"""Reading the CSV files of published data sets, with messages that name file and column."""

from pathlib import Path

import polars as pl

from cfvqa.errors import InputError


def find_csv(folder: Path, name: str) -> Path:
    """Return `folder/name` or its gzipped form."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise InputError(f"{folder / name}(.gz) is missing: it belongs to the data set; check the folder in the config")


def read_csv(path: Path, columns: list[str]) -> pl.DataFrame:
    """Read the named columns as strings.

    Raises:
        InputError: if the file is unreadable, has no rows, or lacks a column.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as CSV ({error}): restore the file") from error
    if missing := [column for column in columns if column not in table.columns]:
        raise InputError(f"{path}: column '{missing[0]}' is missing; found {', '.join(table.columns)}")
    if not len(table):
        raise InputError(f"{path} has no rows: restore the file")
    return table.select(columns)


def integers(table: pl.DataFrame, column: str, path: Path) -> pl.Series:
    """Return a column as 64-bit integers ("3.0" is 3).

    Raises:
        InputError: naming the first row whose value is no number.
    """
    values = table[column].cast(pl.Float64, strict=False)
    bad = values.is_null()
    if bad.any():
        row = int(bad.arg_true()[0])
        raise InputError(f"{path}, row {row + 2}: {column} '{table[column][row]}' is no number")
    return values.cast(pl.Int64)
