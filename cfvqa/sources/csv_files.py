"""Reading the CSV files of published data sets, with messages that name file and column."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError


def find_csv(folder: Path, name: str) -> Path:
    """Return `folder/name` or its gzipped form."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise InputError(f"{folder / name}(.gz) is missing: it belongs to the data set; check the folder in the config")


def read_csv(path: Path, columns: Sequence[str], *, optional: Sequence[str] = ()) -> pl.DataFrame:
    """Read the named columns as strings; an optional column that is not there is null throughout.

    Raises:
        InputError: if the file is unreadable, has no rows, or lacks a column.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as CSV ({error}): restore the file") from error
    if missing := [column for column in columns if column not in table.columns]:
        raise InputError(
            f"{path}: column '{missing[0]}' is missing; found {', '.join(table.columns)}: restore the file"
        )
    if not len(table):
        raise InputError(f"{path} has no rows: restore the file")
    absent = [pl.lit(None, dtype=pl.String).alias(column) for column in optional if column not in table.columns]
    return table.with_columns(absent).select(*columns, *optional)


def integers(table: pl.DataFrame, column: str, path: Path) -> pl.Series:
    """Return a column as 64-bit integers ("3.0" is 3).

    Raises:
        InputError: naming the first row whose value is no whole number.
    """
    values = table[column].cast(pl.Float64, strict=False)
    good = (values.is_finite() & (values == values.floor())).fill_null(value=False)
    if not good.all():
        row = int((~good).arg_true()[0])
        raise InputError(
            f"{path}, row {row + 2}: {column} is '{table[column][row]}'; expected a whole number: correct the row"
        )
    return values.cast(pl.Int64)


def check_values(table: pl.DataFrame, column: str, allowed: Sequence[str], path: Path) -> None:
    """Check that a column holds nothing but the allowed values and blanks.

    Raises:
        InputError: naming the first row with another value.
    """
    good = table[column].is_in(list(allowed)).fill_null(value=True)
    if not good.all():
        row = int((~good).arg_true()[0])
        found = table[column][row]
        raise InputError(f"{path}, row {row + 2}: {column} is '{found}'; expected {', '.join(allowed)} or a blank")
