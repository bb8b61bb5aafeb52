"""Reading the CSV files of published data sets, with messages that name file and column."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError, quoted
from cfvqa.sources.csv_faults import (
    refuse_bare_quote,
    refuse_open_quote,
    refuse_other_encoding,
    refuse_other_letters,
    refuse_short_row,
    refuse_wide_row,
    separator,
)

_NAMED = 50  # columns in a message
LARGEST_ORDER = 2**31 - 1
"""Of the numbers that order studies: the tables hold 32 bits."""


def find_csv(folder: Path, name: str, key: str) -> Path:
    """Return `folder/name` or its gzipped form.

    Raises:
        InputError: if neither or both are there, naming the config key of the folder or the files.
    """
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if not found:
        raise InputError(f"{folder / name}(.gz) is missing: it belongs to the data set; check {key}")
    if len(found) > 1:
        raise InputError(f"{folder} has both {name} and {name}.gz: keep the one that shall be read")
    return found[0]


def load_csv(path: Path, *, has_header: bool = True, skip_rows: int = 0, least: int = 1) -> pl.DataFrame:
    """Read all columns as strings; those of a text file (.txt) are divided by tabs.

    Args:
        path: the file.
        has_header: whether the first row that is not skipped names the columns.
        skip_rows: how many rows come before.
        least: fields that a row has at least; only looked at where the rows do not fit together.

    Raises:
        InputError: if the file is unreadable, naming the first row with too many or too few fields if there is one.
    """
    refuse_other_encoding(path)
    try:
        return pl.read_csv(
            path, infer_schema=False, has_header=has_header, skip_rows=skip_rows, separator=separator(path)
        )
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        refuse_other_letters(path)
        refuse_open_quote(path)
        refuse_bare_quote(path)
        refuse_wide_row(path, skip_rows, least)
        reason = str(error).partition("\n")[0].rstrip(".")  # what follows is for programmers
        raise InputError(f"{path} cannot be read as CSV ({reason}): restore the file") from error


def read_csv(
    path: Path,
    columns: Sequence[str] | None,
    *,
    optional: Sequence[str] = (),
    spellings: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Read the named columns as strings; an optional column that is not there is null throughout.

    Args:
        path: the file.
        columns: that it must have; None takes all that it has.
        optional: that it may have.
        spellings: other names of columns -> those in `columns` or `optional`.

    Raises:
        InputError: if the file is unreadable, lacks a column or has it twice, has no rows, or one that ends early.
    """
    table = load_csv(path)
    known = {other: name for other, name in (spellings or {}).items() if other in table.columns}
    if doubled := [name for name in known.values() if name in table.columns]:
        raise InputError(f"{path}: column '{doubled[0]}' occurs twice, in two spellings: remove one of them")
    table = table.rename(known)
    columns = table.columns if columns is None else columns
    if missing := [column for column in columns if column not in table.columns]:
        found = ", ".join([*table.columns[:_NAMED], *(["..."] if table.width > _NAMED else [])])
        raise InputError(f"{path}: column '{missing[0]}' is missing; found {found}: restore the file")
    if doubled := [column for column in (*columns, *optional) if f"{column}_duplicated_0" in table.columns]:
        raise InputError(f"{path}: column '{doubled[0]}' occurs twice: remove one of them")
    if not len(table):
        raise InputError(f"{path} has no rows: restore the file")
    if table[table.columns[-1]].null_count():  # as it has where a row ends early
        refuse_short_row(path)
    absent = [pl.lit(None, dtype=pl.String).alias(column) for column in optional if column not in table.columns]
    return table.with_columns(absent).select(*columns, *optional)


def check_filled(table: pl.DataFrame, column: str, path: Path) -> None:
    """Check that no row leaves a column blank.

    Raises:
        InputError: naming the first row that does.
    """
    blank = table[column].fill_null("").str.strip_chars() == ""
    if blank.any():
        raise InputError(f"{path}, row {int(blank.arg_true()[0]) + 2}: {column} is blank: fill it, or remove the row")


def integers(table: pl.DataFrame, column: str, path: Path, *, least: int = 0, most: int = LARGEST_ORDER) -> pl.Series:
    """Return a column as 64-bit integers ("3.0" is 3).

    Raises:
        InputError: naming the first row whose value is no whole number from `least` to `most`.
    """
    values = table[column].cast(pl.Float64, strict=False)
    good = (values.is_between(least, most) & (values == values.floor())).fill_null(value=False)
    if not good.all():
        row = int((~good).arg_true()[0])
        raise InputError(
            f"{path}, row {row + 2}: {column} is {quoted(table[column][row])}; expected a whole number from {least} to "
            f"{most}: correct the row"
        )
    return values.cast(pl.Int64)


def numbers(table: pl.DataFrame, columns: Sequence[str], path: Path) -> list[pl.Series]:
    """Return columns as 64-bit floats.

    Args:
        table: rows of a CSV file.
        columns: their names.
        path: the file, for the message.

    Raises:
        InputError: naming the first row whose value is no finite number.
    """
    found = []
    for column in columns:
        values = table[column].cast(pl.Float64, strict=False)
        good = values.is_finite().fill_null(value=False)
        if not good.all():
            row = int((~good).arg_true()[0])
            raise InputError(
                f"{path}, row {row + 2}: {column} is {quoted(table[column][row])}; expected a number: correct the row"
            )
        found.append(values)
    return found


def one_row_each(table: pl.DataFrame, key: str, path: Path) -> pl.DataFrame:
    """Return the table with rows that say the same left out but once.

    Raises:
        InputError: naming the first key whose rows contradict each other.
    """
    rows = table.unique(maintain_order=True)
    doubled = rows.filter(pl.col(key).is_duplicated())
    if len(doubled):
        of_one = doubled.filter(pl.col(key).eq_missing(doubled[key][0]))
        column = next(name for name in of_one.columns if of_one[name].n_unique() > 1)
        said = " and ".join(map(quoted, of_one[column].unique(maintain_order=True)[:2]))
        raise InputError(
            f"{path}: {key} {quoted(doubled[key][0])} has rows that contradict each other, {column} is {said}: keep one"
        )
    return rows


def check_unique(table: pl.DataFrame, keys: Sequence[str], path: Path) -> None:
    """Check that no two rows of a file have the same values in these columns.

    Raises:
        InputError: naming the first row that has those of an earlier one.
    """
    rows = table.select(keys).with_row_index("row", offset=2)
    doubled = rows.with_columns(first=pl.col("row").first().over(keys)).filter(pl.col("row") > pl.col("first"))
    if len(doubled):
        row, *values, first = doubled.row(0)
        same = ", ".join(str(value) for value in values if value is not None)
        raise InputError(
            f"{path}, rows {first} and {row}: {' + '.join(keys)} '{same}' twice: correct or remove one of the rows"
        )


def check_values(table: pl.DataFrame, column: str, allowed: Sequence[str], path: Path, *, blanks: bool = True) -> None:
    """Check that a column holds nothing but the allowed values and, unless `blanks` is false, blanks.

    Raises:
        InputError: naming the first row with another value.
    """
    good = table[column].is_in(list(allowed)).fill_null(value=blanks)
    if not good.all():
        row = int((~good).arg_true()[0])
        expected = f"expected {', '.join(allowed)}{' or a blank' if blanks else ''}"
        raise InputError(
            f"{path}, row {row + 2}: {column} is {quoted(table[column][row])}; {expected}: correct the row"
        )
